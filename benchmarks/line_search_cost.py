"""What one step of a search costs, against one plain SGD step, in one interleaved run.

    KERAS_BACKEND=jax python benchmarks/line_search_cost.py [--models small,cnn,large] [--rounds 7]

Prints for each model and search the median over rounds of the ratio of wall-clock time and of processor time, a row of
Markdown each. Every round trains each contender for some steps of `model.fit`, one after the other, so that a busy
machine slows all of them; every second round goes backwards. What SGD costs against itself is the noise.
The extra evaluations of a step are those the search reports; an ideal forward pass costs a third of a step.
"""

import argparse
import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
import numpy as np
from keras import layers

from keras_lr.line_search import PAL, SLS, Polyak
from keras_lr.optimizers import LineSearch
from keras_lr.training import attach

MODELS = {"small": 64, "cnn": 16, "large": 64}  # batch sizes
STEPS = {"small": 300, "cnn": 60, "large": 8}  # in a round


def build(name):
    keras.utils.set_random_seed(0)
    if name == "small":
        parts = [keras.Input((64,)), layers.Dense(80, activation="relu"), layers.Dense(64, activation="relu")]
    elif name == "cnn":
        convolutions = [layers.Conv2D(c, 3, padding="same", activation="relu") for c in (16, 32)]
        pools = [layers.MaxPooling2D(), layers.MaxPooling2D()]
        first, second = zip(convolutions, pools, strict=True)
        parts = [keras.Input((28, 28, 1)), *first, *second, layers.Flatten(), layers.Dense(190, activation="relu")]
    else:
        parts = [keras.Input((784,)), *(layers.Dense(2048, activation="relu") for _ in range(3))]
    return keras.Sequential([*parts, layers.Dense(10)])


class Silent(LineSearch):
    """A line search that reports nothing: the difference is what the logs cost."""

    def build(self, variables):
        super().build(variables)
        self.logged_variables = {}


def contenders():
    return {
        "SGD": lambda: keras.optimizers.SGD(1e-3),
        "SGD again": lambda: keras.optimizers.SGD(1e-3),
        "Polyak": lambda: LineSearch(Polyak(initial=1e-3, growth=1.0)),
        "PAL": lambda: LineSearch(PAL(measure=1e-3, longest=1e-2)),
        "PAL without logs": lambda: Silent(PAL(measure=1e-3, longest=1e-2)),
        "Armijo": lambda: LineSearch(SLS(initial=1e-3)),
    }


def main(contenders, description):
    arguments = argparse.ArgumentParser(description=description)
    arguments.add_argument("--models", default="small,cnn,large")
    arguments.add_argument("--rounds", type=int, default=7)
    arguments.add_argument("--steps", type=int, help="steps in a round")
    options = arguments.parse_args()
    print("| backend | model | optimizer | wall clock | processor time | evaluations |\n|---|---|---|---|---|---|")
    for name in options.models.split(","):
        measure(name, contenders, options.rounds, options.steps or STEPS[name])


def measure(name, contenders, rounds, steps):
    """Print what a step of each contender costs in units of the first."""
    generator = np.random.default_rng(0)
    models, histories, seconds = {}, {}, {}
    for label, make in contenders.items():
        models[label] = build(name)
        models[label].compile(make(), loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        if getattr(models[label].optimizer, "needs_batch", False):
            attach(models[label])
        seconds[label] = []
    shape = (steps * MODELS[name], *models[label].input_shape[1:])
    x, y = generator.normal(size=shape).astype("float32"), generator.integers(0, 10, shape[0])
    for round_ in range(rounds + 1):
        for label in list(models)[:: 1 if round_ % 2 else -1]:
            wall, processor = time.perf_counter(), time.process_time()
            histories[label] = models[label].fit(x, y, batch_size=MODELS[name], verbose=0, shuffle=False).history
            if round_:  # the first compiles
                seconds[label].append((time.perf_counter() - wall, time.process_time() - processor))
    base = next(iter(seconds.values()))
    for label, rows in seconds.items():
        ratios = [[a / b for a, b in zip(row, unit, strict=True)] for row, unit in zip(rows, base, strict=True)]
        wall, processor = (statistics.median(column) for column in zip(*ratios, strict=True))
        evaluations = histories[label].get("evaluations", ["-"])[0]
        print(
            f"| {keras.backend.backend()} | {name} ({models[label].count_params():,}) | {label} "
            f"| {wall:.2f} | {processor:.2f} | {evaluations} |",
            flush=True,
        )


if __name__ == "__main__":
    main(contenders(), __doc__)
