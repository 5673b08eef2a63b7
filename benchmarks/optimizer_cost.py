"""What one training step with each optimizer costs, against Keras' Adam, in one interleaved run; and its memory.

    KERAS_BACKEND=jax python benchmarks/optimizer_cost.py [--models deep,large] [--rounds 5] [--only Prodigy,DoG]

Prints a row of Markdown for each model and optimizer: the median over rounds of the ratio of wall-clock times of an
epoch within `model.fit`, and the copies of the weights that the optimizer holds. A round trains every contender for
some steps, one after the other; the second Adam says how far such a ratio can be trusted. Run it on an idle machine.
"""

import argparse
import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers

from keras_lr import optimizers
from keras_lr.training import attach

STEPS = {"deep": 200, "large": 8}
CONTENDERS = {
    "Adam": lambda: keras.optimizers.Adam(1e-4),
    "Adam again": lambda: keras.optimizers.Adam(1e-4),
    "SGD": lambda: keras.optimizers.SGD(1e-4, momentum=0.9),
    "DoG": optimizers.DoG,
    "LDoG": optimizers.LDoG,
    "DoWG": optimizers.DoWG,
    "Prodigy": optimizers.Prodigy,
    "DAdaptAdam": optimizers.DAdaptAdam,
    "DAdaptSGD": optimizers.DAdaptSGD,
    "DAdaptAdaGrad": optimizers.DAdaptAdaGrad,
    "DAdaptLion": optimizers.DAdaptLion,
    "ScheduleFreeSGD": optimizers.ScheduleFreeSGD,
    "ScheduleFreeAdamW": optimizers.ScheduleFreeAdamW,
    "COCOB": optimizers.COCOB,
    "Mechanic(SGD)": lambda: optimizers.Mechanic(keras.optimizers.SGD(1.0, momentum=0.9)),
    "AdGD": optimizers.AdGD,
    "BarzilaiBorwein": optimizers.BarzilaiBorwein,
    "HypergradientSGD": optimizers.HypergradientSGD,
    "MoMo": optimizers.MoMo,
    "MoMoAdam": optimizers.MoMoAdam,
    "ScheduleFreePlus": optimizers.ScheduleFreePlus,
    "AdaHessian": optimizers.AdaHessian,
    "Sophia": optimizers.Sophia,
    "PerLayer(Adam)": lambda: optimizers.PerLayer(keras.optimizers.Adam(1e-4), {".*bias": 0.5}),
}


class Stopwatch(keras.callbacks.Callback):
    """Times an epoch: its steps, without what happens once a `fit`."""

    def __init__(self, seconds: list[float]) -> None:
        super().__init__()
        self.seconds = seconds

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.seconds.append(time.perf_counter() - self.start)


def build(name: str) -> keras.Model:
    keras.utils.set_random_seed(0)
    if name == "deep":
        parts = [keras.Input((64,)), *(layers.Dense(64, activation="relu") for _ in range(30))]
    else:
        parts = [keras.Input((784,)), *(layers.Dense(2048, activation="relu") for _ in range(3))]
    return keras.Sequential([*parts, layers.Dense(10)])


def measure(name: str, labels: list[str], rounds: int) -> None:
    random = np.random.default_rng(0)
    rows = STEPS[name] * 64
    models = {label: build(name) for label in labels}
    x = random.normal(size=(rows, *models["Adam"].input_shape[1:])).astype("float32")
    y = random.integers(0, 10, rows)
    seconds: dict[str, list[float]] = {label: [] for label in labels}
    for label, model in models.items():
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(CONTENDERS[label](), loss=loss)
        if getattr(model.optimizer, "needs_batch", False):
            attach(model)
        model.fit(x[:128], y[:128], batch_size=64, verbose=0)
    for _ in range(rounds):
        for label, model in models.items():
            model.fit(x, y, batch_size=64, verbose=0, callbacks=[Stopwatch(seconds[label])])
    for label in labels:
        ratios = [one / adam for one, adam in zip(seconds[label], seconds["Adam"], strict=True)]
        share = copies(models[label])
        print(
            f"| {keras.backend.backend()} | {name} | {label} | {statistics.median(ratios):.2f} | {share:.1f} |",
            flush=True,
        )


def copies(model: keras.Model) -> float:
    """Elements of the optimizer's variables over those of the weights."""
    weights = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    return sum(int(np.prod(v.shape)) for v in model.optimizer.variables) / weights


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--models", default="deep,large")
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--only", default=",".join(CONTENDERS))
    options = arguments.parse_args()
    labels = list(dict.fromkeys(["Adam", *options.only.split(",")]))
    print("| backend | model | optimizer | fit, × Adam | copies of the weights |\n|---|---|---|---|---|")
    for name in options.models.split(","):
        measure(name, labels, options.rounds)


if __name__ == "__main__":
    main()
