"""What a range test costs a step, beside plain `fit`.

KERAS_BACKEND=jax python benchmarks/range_test_cost.py [--steps 100] [--rounds 5]
"""

import argparse
import time

import keras
import numpy as np
from keras import layers

from keras_lr.finder import range_test

BATCH = 128


def build() -> keras.Model:
    model = keras.Sequential([keras.Input((256,))])
    for _ in range(2):
        model.add(layers.Dense(512, activation="relu"))
        model.add(layers.BatchNormalization())
    model.add(layers.Dense(10))
    model.compile(optimizer="adam", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    random = np.random.default_rng(0)
    x = random.normal(size=(given.steps * BATCH, 256)).astype("float32")
    y = random.integers(0, 10, given.steps * BATCH)
    model = build()
    model.fit(x, y, batch_size=BATCH, epochs=1, verbose=0)
    range_test(model, x, y, batch_size=BATCH, sweeps=1)
    fits, tests = [], []
    for _ in range(given.rounds):
        begin = time.perf_counter()
        model.fit(x, y, batch_size=BATCH, epochs=1, verbose=0)
        fits.append((time.perf_counter() - begin) / given.steps)
        begin = time.perf_counter()
        result = range_test(model, x, y, batch_size=BATCH, sweeps=1, high=0.01)
        tests.append((time.perf_counter() - begin) / np.isfinite(result.sweeps).sum())
    ratio = np.median(tests) / np.median(fits)
    print(f"{keras.backend.backend()}: fit {1e3 * np.median(fits):.2f} ms a step, range test {ratio:.2f} of it")


if __name__ == "__main__":
    main()
