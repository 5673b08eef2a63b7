"""Which rate is best when I can afford whole runs, and does it do better than no rate at all?

Run: KERAS_BACKEND=jax python examples/sweep_and_compare.py
"""

import keras
from sklearn.datasets import load_digits

import keras_lr


def build_model() -> keras.Model:
    model = keras.Sequential(
        [keras.Input((64,)), keras.layers.Dense(128, activation="relu"), keras.layers.Dense(10, activation="softmax")]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    return model


def main(epochs: int = 10, seeds: int = 3) -> tuple[keras_lr.SweepResult, keras_lr.CompareResult]:
    digits = load_digits()
    x, y = (digits.data / 16).astype("float32"), digits.target.astype("int32")
    held_out = (x[1300:], y[1300:])
    task = keras_lr.Task(build_model, x[:1300], y[:1300], validation_data=held_out, batch_size=32, epochs=epochs)

    # Each rate and seed is a whole training; with storage="digits.db" a killed sweep would go on where it was.
    sweep = keras_lr.sweep(task, [1e-4, 1e-3, 1e-2, 1e-1], seeds=seeds)
    print(sweep)

    methods = {
        "the default": 1e-3,
        f"the best, {sweep.learning_rate:.2g}": sweep.learning_rate,
        "keras-lr": keras_lr.fit,
    }
    comparison = keras_lr.compare(task, methods, seeds=seeds)
    print(f"\n{comparison}")
    return sweep, comparison


if __name__ == "__main__":
    main()
