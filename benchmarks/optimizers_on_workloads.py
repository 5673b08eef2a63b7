"""Every tuning-free optimizer with its defaults on the eight workloads, with and without a linear decay to zero.

    KERAS_BACKEND=jax python benchmarks/optimizers_on_workloads.py [--workloads fmnist_mlp,...] [--only Prodigy,DoG]
        [--seeds 3] [--minutes 5] [--output optimizers.csv]

Appends a row a run to the file as it ends, and does not repeat a run that is there: a sweep that was stopped goes on.
`--minutes` begins no further method after so much processor time a workload. All seeds of a method train one compiled
model, from weights and an optimizer state that are put back to those of a new one.

The recorded runs are in `optimizers_on_workloads.csv`; given as `--output`, they are printed and nothing is trained.
Prints one table: the gap of each optimizer on each workload (`score.gap`), mean over the seeds that are there: 0 is the
best run of the tuned grid of SGD and Adam (`baseline.csv`), 1 a constant prediction; worse than 1 counts as 1.
"""

import argparse
import csv
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import score
from workload import Feed, Workload, evaluate
from workloads import WORKLOADS

from keras_lr import optimizers
from keras_lr.callbacks import AveragedWeights
from keras_lr.training import attach

# The default rate and what is made of a rate or a schedule of it; those without a rate have no decayed form.
METHODS: dict[str, tuple[float | None, Any]] = {
    "Adam": (1e-3, keras.optimizers.Adam),
    "Prodigy": (1.0, optimizers.Prodigy),
    "MoMoAdam": (1e-2, optimizers.MoMoAdam),
    "ScheduleFreeAdamW": (2.5e-3, optimizers.ScheduleFreeAdamW),
    "ScheduleFreePlus": (1.0, optimizers.ScheduleFreePlus),
    "DoG": (1.0, optimizers.DoG),
    "DoWG": (1.0, optimizers.DoWG),
    "LDoG": (1.0, optimizers.LDoG),
    "COCOB": (None, lambda rate: optimizers.COCOB()),
    "MoMo": (1.0, optimizers.MoMo),
    "Mechanic(Adam)": (1.0, lambda rate: optimizers.Mechanic(keras.optimizers.Adam(rate))),
    "DAdaptAdam": (1.0, optimizers.DAdaptAdam),
    "DAdaptSGD": (1.0, optimizers.DAdaptSGD),
    "HypergradientAdam": (1.0, optimizers.HypergradientAdam),
    "ScheduleFreeRAdam": (2.5e-3, optimizers.ScheduleFreeRAdam),
    "Sophia": (1e-3, optimizers.Sophia),
    "Mechanic(SGD)": (1.0, lambda rate: optimizers.Mechanic(keras.optimizers.SGD(rate, momentum=0.9))),
    "DAdaptAdaGrad": (1.0, optimizers.DAdaptAdaGrad),
    "ScheduleFreeSGD": (1.0, optimizers.ScheduleFreeSGD),
    "AdaHessian": (0.15, optimizers.AdaHessian),
    "DAdaptLion": (1.0, optimizers.DAdaptLion),
}
Key = tuple[str, str, bool, int]


def decayed(rate: float, steps: int) -> Any:
    return keras.optimizers.schedules.PolynomialDecay(rate, steps, end_learning_rate=0.0)


def train(workload: Workload, method: str, linear: bool, seeds: list[int]) -> Iterator[float]:
    """Yield the validation loss at the end, for one seed after the other."""
    data = workload.load()
    model = workload.build()
    rate, make = METHODS[method]
    optimizer = make(decayed(rate, workload.steps) if linear and rate is not None else rate)
    model.compile(optimizer, workload.loss())
    if getattr(optimizer, "needs_batch", False):
        attach(model)
    optimizer.build(model.trainable_variables)
    new = [keras.ops.convert_to_numpy(v) for v in optimizer.variables]
    watch = AveragedWeights(data.x, batch_size=workload.batch_size)
    for seed in seeds:
        keras.utils.set_random_seed(seed)
        model.set_weights(workload.build().get_weights())
        for variable, value in zip(optimizer.variables, new, strict=True):
            variable.assign(value)
        feed = Feed(data, workload.batch_size, workload.steps, seed)
        model.fit(feed, epochs=1, shuffle=False, verbose=0, callbacks=[watch])
        yield evaluate(model, workload, data)[0]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--workloads", default=",".join(WORKLOADS))
    arguments.add_argument("--only", default=",".join(METHODS))
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("--minutes", type=float, default=np.inf)
    arguments.add_argument("--output", type=Path, default=Path("optimizers.csv"))
    options = arguments.parse_args()
    done = read(options.output)
    for name in options.workloads.split(","):
        end = time.process_time() + 60.0 * options.minutes
        for method, linear in forms(options.only.split(",")):
            missing = [seed for seed in range(options.seeds) if (name, method, linear, seed) not in done]
            if missing and time.process_time() < end:
                for seed, loss in zip(missing, train(WORKLOADS[name], method, linear, missing), strict=True):
                    done[name, method, linear, seed] = loss
                    append(options.output, [name, method, linear, seed, loss])
                keras.backend.clear_session()
    table(done)


def forms(methods: list[str]) -> list[tuple[str, bool]]:
    """Return each method without and, where it has a rate, with the decay."""
    return [(m, linear) for m in methods for linear in ((False, True) if METHODS[m][0] is not None else (False,))]


def read(path: Path) -> dict[Key, float]:
    if not path.exists():
        return {}
    with path.open(newline="") as file:
        return {(w, m, linear == "True", int(seed)): float(loss) for w, m, linear, seed, loss in csv.reader(file)}


def append(path: Path, row: list[Any]) -> None:
    with path.open("a", newline="") as file:
        csv.writer(file).writerow(row)


def table(done: dict[Key, float]) -> None:
    names = [name for name in WORKLOADS if any(key[0] == name for key in done)]
    grid = score.load_runs()
    target = {name: min(mean_loss(score.tuned(grid, name, kind)) for kind in ("adam", "sgd")) for name in names}
    trivial = {name: score.trivial_loss(WORKLOADS[name], WORKLOADS[name].load()) for name in names}
    gaps: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))

    def add(method: str, name: str, loss: float) -> None:
        gaps[method][name].append(min(score.gap(name, loss, target[name], trivial[name]), 1.0))

    for (name, method, linear, _), loss in done.items():
        add(f"{method}, linear decay" if linear else method, name, loss)
    for name in names:
        for kind in ("adam", "sgd"):
            add(f"tuned {kind} (grid)", name, mean_loss(score.tuned(grid, name, kind)))
    seeds = {name: max(key[3] for key in done if key[0] == name) + 1 for name in names}
    print(f"Seeds begun: {seeds}\n")
    print(f"| method | {' | '.join(names)} | mean | worst |\n|{'---|' * (len(names) + 3)}")
    for method, row in sorted(gaps.items(), key=lambda item: np.mean([np.mean(v) for v in item[1].values()])):
        means = [float(np.mean(row[name])) if name in row else np.nan for name in names]
        cells = " | ".join(f"{value:.2f}" for value in [*means, np.nanmean(means), np.nanmax(means)])
        print(f"| {method} | {cells} |")


def mean_loss(same: list[score.Run]) -> float:
    return float(np.mean([run.loss for run in same]))


if __name__ == "__main__":
    main()
