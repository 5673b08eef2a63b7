"""What one look of `callbacks.Monitor` costs, in steps of `fit`: KERAS_BACKEND=jax python benchmarks/monitor_cost.py

A fit with a look at every fifth step alternates with a fit without one; the first epoch of either, which compiles, is
not counted.
"""

import argparse
import time
from typing import Any

import keras
import numpy as np
from range_test_cost import BATCH, build

from keras_lr.callbacks import Monitor

EVERY = 5


class Watch(keras.callbacks.Callback):
    """The time of each epoch, from first to last batch."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.seconds.append(time.perf_counter() - self._began)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    random = np.random.default_rng(0)
    x = random.normal(size=(chosen.steps * BATCH, 256)).astype("float32")
    y = random.integers(0, 10, len(x))
    model = build()
    times: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(chosen.rounds):
        for watching in (False, True):
            watch = Watch()
            callbacks = [watch, *([Monitor(every=EVERY)] if watching else [])]
            model.fit(x, y, batch_size=BATCH, epochs=3, verbose=0, callbacks=callbacks)
            times[watching] += watch.seconds[1:]
    plain, watched = (float(np.median(times[watching])) / chosen.steps for watching in (False, True))
    look = EVERY * (watched - plain) / plain
    print(f"{keras.backend.backend()}: fit {1e3 * plain:.2f} ms a step; a look costs {look:.1f} steps")
    print(f"with every=50, a training takes {1 + look / 50:.2f} times as long")


if __name__ == "__main__":
    main()
