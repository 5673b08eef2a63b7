"""What a step of GradientOnly costs in `fit` beside Keras' SGD with momentum, in one interleaved run.

    KERAS_BACKEND=jax python benchmarks/gradient_only_cost.py small cnn wide

Three models: a small MLP, a CNN of 300 thousand weights, an MLP of 10 million. Prints the median of the ratios of
processor time over the rounds; each round trains both, one after the other.
"""

import sys
import time

import keras
import numpy as np
from keras import layers

from keras_lr.optimizers import GradientOnly, SteepestDescent

ROUNDS = 7


def small():
    return [keras.Input((64,)), layers.Dense(80, "relu"), layers.Dense(64, "relu"), layers.Dense(10)], 64, 60


def cnn():
    convolutions = [layers.Conv2D(16, 3, activation="relu"), layers.Conv2D(16, 3, strides=2, activation="relu")]
    head = [layers.Flatten(), layers.Dense(128, "relu"), layers.Dense(10)]
    return [keras.Input((28, 28, 1)), *convolutions, *head], 16, 20


def wide():
    hidden = [layers.Dense(2048, "relu") for _ in range(3)]
    return [keras.Input((784,)), *hidden, layers.Dense(10)], 64, 6


def compiled(build, optimizer):
    parts, batch_size, steps = build()
    model = keras.Sequential(parts)
    model.compile(optimizer, loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    random = np.random.default_rng(0)
    x = random.normal(size=(batch_size * steps, *model.input_shape[1:])).astype("float32")
    y = random.integers(0, 10, len(x)).astype("int32")

    def train():
        begin = time.process_time()
        model.fit(x, y, batch_size=batch_size, verbose=0)
        return (time.process_time() - begin) / steps

    train()
    return train, model.count_params()


def compare(build):
    momentum, weights = compiled(build, keras.optimizers.SGD(0.01, momentum=0.9))
    rows = {}
    searches = {"gradient": GradientOnly(direction=SteepestDescent()), "adagrad": GradientOnly()}
    trained = {name: compiled(build, optimizer)[0] for name, optimizer in searches.items()}
    for _ in range(ROUNDS):
        base = momentum()
        for name, train in trained.items():
            rows.setdefault(name, []).append(train() / base)
    for name, ratios in rows.items():
        print(f"{keras.backend.backend()} {build.__name__} {weights} {name}: {np.median(ratios):.3f}", flush=True)


if __name__ == "__main__":
    for name in sys.argv[1:] or ["small", "cnn", "wide"]:
        compare({"small": small, "cnn": cnn, "wide": wide}[name])
