"""A sweep on handwritten digits: what it finds, and its time beside the same trainings, each compiled for itself.

    KERAS_BACKEND=jax taskset -c 0 python benchmarks/sweep_digits.py [EPOCHS]

The time is that of the processor, which other work on the machine does not lengthen, on a single core: threads of
PyTorch that wait for one another on two take processor time as well.
"""

import sys
import time

import keras
from sklearn.datasets import load_digits

import keras_lr

RATES = [1e-4, 1e-3, 1e-2, 1e-1]
SEEDS = 3


def build() -> keras.Model:
    layers = keras.layers
    network = [layers.Dense(64, activation="relu"), layers.Dropout(0.1), layers.Dense(10, activation="softmax")]
    model = keras.Sequential([keras.Input((64,)), *network])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def task(epochs: int) -> keras_lr.Task:
    digits = load_digits()
    x, y = (digits.data / 16).astype("float32"), digits.target
    return keras_lr.Task(build, x[:1300], y[:1300], validation_data=(x[1300:], y[1300:]), batch_size=32, epochs=epochs)


def apart(digits: keras_lr.Task) -> list[float]:
    """The final validation loss of every rate and seed, by a model of its own each."""
    values = []
    for rate in RATES:
        for seed in range(SEEDS):
            model = digits.model(seed)
            model.optimizer.learning_rate = rate
            values.append(model.fit(**digits.fit_arguments(), verbose=0).history["val_loss"][-1])
    return values


def main(epochs: int = 10) -> None:
    digits = task(epochs)
    task(1).model(0).fit(**task(1).fit_arguments(), verbose=0)  # what a backend does once a process is nobody's cost
    began = time.process_time()
    result = keras_lr.sweep(digits, RATES, seeds=SEEDS, widen=False)
    swept = time.process_time() - began
    began = time.process_time()
    same = apart(digits) == result.values.ravel().tolist()
    alone = time.process_time() - began
    print(result)
    backend = keras.backend.backend()
    print(f"\n{backend}: sweep {swept:.1f} s, apart {alone:.1f} s of the processor; the same to the last bit: {same}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
