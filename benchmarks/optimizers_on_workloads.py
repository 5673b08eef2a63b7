"""Every tuning-free optimizer with its defaults on the eight workloads, with and without a linear decay to zero.

    KERAS_BACKEND=jax python benchmarks/optimizers_on_workloads.py [--workloads fmnist_mlp,...] [--only Prodigy,DoG]
        [--seeds 3] [--steps N] [--output optimizers.csv]

Appends a row a run to the file (a run that is there already is not repeated) and prints one table at the end: the gap
of each optimizer on each workload, mean over seeds; 0 is the tuned target, 1 a constant prediction.
"""

import argparse
import csv
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import keras
import numpy as np
from workload import Feed, Workload, evaluate
from workloads import WORKLOADS

from keras_lr import optimizers
from keras_lr.callbacks import AveragedWeights
from keras_lr.training import attach

# Trivial and tuned losses of each workload: the ends of the gap.
ENDS = {
    "fmnist_mlp": (2.303, 0.357),
    "mnist_cnn_bn": (2.301, 0.162),
    "clothing_resnet": (2.229, 1.267),
    "shakespeare_lstm": (3.362, 1.978),
    "shakespeare_transformer": (3.361, 2.489),
    "flights_embedding": (0.5461, 0.5022),
    "mnist_autoencoder": (0.2566, 0.1476),
    "co2_deep_linear": (0.9999, 0.001443),
}


def decayed(rate: float, steps: int) -> Any:
    return keras.optimizers.schedules.PolynomialDecay(rate, steps, end_learning_rate=0.0)


# The default rate and what is made of a rate or a schedule of it; those without a rate have no decayed form.
METHODS: dict[str, tuple[float | None, Any]] = {
    "Adam": (1e-3, keras.optimizers.Adam),
    "Prodigy": (1.0, optimizers.Prodigy),
    "DAdaptAdam": (1.0, optimizers.DAdaptAdam),
    "DAdaptSGD": (1.0, optimizers.DAdaptSGD),
    "DAdaptAdaGrad": (1.0, optimizers.DAdaptAdaGrad),
    "DAdaptLion": (1.0, optimizers.DAdaptLion),
    "DoG": (1.0, optimizers.DoG),
    "LDoG": (1.0, optimizers.LDoG),
    "DoWG": (1.0, optimizers.DoWG),
    "COCOB": (None, lambda rate: optimizers.COCOB()),
    "Mechanic(SGD)": (1.0, lambda rate: optimizers.Mechanic(keras.optimizers.SGD(rate, momentum=0.9))),
    "Mechanic(Adam)": (1.0, lambda rate: optimizers.Mechanic(keras.optimizers.Adam(rate))),
    "MoMo": (1.0, optimizers.MoMo),
    "MoMoAdam": (1e-2, optimizers.MoMoAdam),
    "ScheduleFreeSGD": (1.0, optimizers.ScheduleFreeSGD),
    "ScheduleFreeAdamW": (2.5e-3, optimizers.ScheduleFreeAdamW),
    "ScheduleFreeRAdam": (2.5e-3, optimizers.ScheduleFreeRAdam),
    "HypergradientAdam": (1.0, optimizers.HypergradientAdam),
}


def train(workload: Workload, method: str, linear: bool, seed: int, steps: int) -> tuple[float, float]:
    """Return validation loss and seconds."""
    data = workload.load()
    keras.utils.set_random_seed(seed)
    model = workload.build()
    rate, make = METHODS[method]
    optimizer = make(decayed(rate, steps) if linear and rate is not None else rate)
    model.compile(optimizer, workload.loss())
    if getattr(optimizer, "needs_batch", False):
        attach(model)
    start = time.perf_counter()
    watch = AveragedWeights(data.x, batch_size=workload.batch_size)
    feed = Feed(data, workload.batch_size, steps, seed)
    model.fit(feed, epochs=1, shuffle=False, verbose=0, callbacks=[watch])
    return evaluate(model, workload, data)[0], time.perf_counter() - start


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--workloads", default=",".join(WORKLOADS))
    arguments.add_argument("--only", default=",".join(METHODS))
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("--steps", type=int, help="cut every run to so many steps")
    arguments.add_argument("--output", type=Path, default=Path("optimizers.csv"))
    options = arguments.parse_args()
    done = read(options.output)
    for name in options.workloads.split(","):
        steps = options.steps or WORKLOADS[name].steps
        for method in options.only.split(","):
            for linear in (False, True) if METHODS[method][0] is not None else (False,):
                for seed in range(options.seeds):
                    if (name, method, linear, seed, steps) not in done:
                        loss, seconds = train(WORKLOADS[name], method, linear, seed, steps)
                        done[name, method, linear, seed, steps] = loss
                        append(options.output, [name, method, linear, seed, steps, loss, round(seconds, 2)])
    table(done)


def read(path: Path) -> dict[tuple[str, str, bool, int, int], float]:
    if not path.exists():
        return {}
    with path.open() as file:
        return {(w, m, linear == "True", int(s), int(n)): float(v) for w, m, linear, s, n, v, _ in csv.reader(file)}


def append(path: Path, row: list[Any]) -> None:
    with path.open("a", newline="") as file:
        csv.writer(file).writerow(row)


def table(done: dict[tuple[str, str, bool, int, int], float]) -> None:
    gaps: dict[tuple[str, bool], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for (name, method, linear, _, _), loss in done.items():
        trivial, tuned = ENDS[name]
        gaps[method, linear][name].append(min((loss - tuned) / (trivial - tuned), 1.0) if np.isfinite(loss) else 1.0)
    names = [name for name in WORKLOADS if any(name in row for row in gaps.values())]
    print(f"| method | {' | '.join(names)} | mean | worst |\n|{'---|' * (len(names) + 3)}")
    for (method, linear), row in sorted(gaps.items(), key=lambda item: np.mean([np.mean(v) for v in item[1].values()])):
        means = [np.mean(row[name]) if name in row else np.nan for name in names]
        cells = " | ".join(f"{value:.2f}" for value in [*means, np.nanmean(means), np.nanmax(means)])
        print(f"| {method}{', linear' if linear else ''} | {cells} |")


if __name__ == "__main__":
    main()
