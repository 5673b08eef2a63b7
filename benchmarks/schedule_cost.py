"""What a schedule costs: a step of fit under each schedule against a step at a constant rate.

Interleaved in one process on an idle machine, medians of rounds.
Run:  KERAS_BACKEND=jax python benchmarks/schedule_cost.py
"""

import argparse
import statistics
import time

import keras
import numpy as np

from keras_lr import schedules as s

SCHEDULES = {
    "constant rate": lambda: 0.01,
    "constant rate again": lambda: 0.01,
    "Cosine": lambda: s.Cosine(0.01, 100_000),
    "TimeBased": lambda: s.TimeBased(0.01, 1e-7),
    "StepBased": lambda: s.StepBased(0.01, 0.5, 10_000),
    "OneCycle": lambda: s.OneCycle(0.01, 100_000),
    "WSD, warmed up": lambda: s.WSD(0.01, 100_000, warmup_steps=100, decay_steps=10_000),
    "CosineRestarts": lambda: s.CosineRestarts(0.01, 1000, 1.5),
    "Noise": lambda: s.Noise(s.Cosine(0.01, 100_000)),
    "steerable WarmUp of Cosine": lambda: s.steerable(s.Cosine(0.01, 100_000).warmed_up(100)),
    "Keras' CosineDecay": lambda: keras.optimizers.schedules.CosineDecay(0.01, 100_000),
}


def model(width, learning_rate):
    made = keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(width, "relu"),
            keras.layers.Dense(width, "relu"),
            keras.layers.Dense(10),
        ]
    )
    made.compile(keras.optimizers.Adam(learning_rate), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return made


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=11)
    options = parser.parse_args()
    generator = np.random.default_rng(0)
    x = generator.normal(size=(options.steps * 64, 64)).astype("float32")
    y = generator.integers(0, 10, len(x))
    models = {name: model(options.width, make()) for name, make in SCHEDULES.items()}
    for one in models.values():
        one.fit(x[:640], y[:640], batch_size=64, verbose=0)
    seconds = {name: [] for name in models}
    for _ in range(options.rounds):
        for name, one in models.items():
            start = time.perf_counter()
            one.fit(x, y, batch_size=64, verbose=0, shuffle=False)
            seconds[name].append(time.perf_counter() - start)
    base = seconds["constant rate"]
    print(f"{keras.backend.backend()}, width {options.width}: time of a step of fit, x constant rate")
    for name, times in seconds.items():
        ratio = statistics.median(a / b for a, b in zip(times, base, strict=True))
        print(f"{name:28s} {ratio:6.3f}   {statistics.median(times) / options.steps * 1e6:8.0f} us")


if __name__ == "__main__":
    main()
