"""Scores of learning-rate methods.

gap(loss) = (loss - target) / (trivial - target): 0 is the tuned target, 1 a constant prediction (class
frequencies, the mean), negative is better than the grid. Where the target leaves no room on that scale
(co2_deep_linear: the trivial loss is 700 times the target) the score is loss / target - 1.

The profile and its score are those of `keras_lr.compare`.
"""

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from workload import Data, Workload

from keras_lr.trials import _profile

BASELINE = Path(__file__).with_name("baseline.csv")
BY_RATIO = frozenset({"co2_deep_linear"})


@dataclass(frozen=True)
class Run:
    """One run of the tuned grid. `curve` holds (step, validation loss) pairs."""

    workload: str
    optimizer: str
    schedule: str
    learning_rate: float
    seed: int
    loss: float
    curve: tuple[tuple[float, float], ...]


def load_runs(path: Path = BASELINE) -> list[Run]:
    """The runs of the tuned grid; a diverged run has an infinite loss."""
    with path.open(newline="") as file:
        return [_run(row) for row in csv.DictReader(file)]


def _run(row: dict[str, str]) -> Run:
    loss = float(row["val_loss"])
    points = (point.split(":") for point in row["val_curve"].split())
    return Run(
        row["workload"],
        row["optimizer"],
        row["schedule"],
        float(row["lr"]),
        int(row["seed"]),
        loss if math.isfinite(loss) else math.inf,
        tuple((float(step), float(value)) for step, value in points),
    )


def tuned(runs: list[Run], workload: str, optimizer: str) -> list[Run]:
    """The runs, one a seed, of the rate and schedule with the best mean loss among those of one optimizer."""
    settings: dict[tuple[str, float], list[Run]] = {}
    for run in runs:
        if (run.workload, run.optimizer) == (workload, optimizer):
            settings.setdefault((run.schedule, run.learning_rate), []).append(run)
    return min(settings.values(), key=lambda same: float(np.mean([run.loss for run in same])))


def default(runs: list[Run], workload: str, optimizer: str) -> list[Run]:
    """The runs at Keras' default rate, held constant: SGD 1e-2, all others 1e-3."""
    rate = 1e-2 if optimizer == "sgd" else 1e-3
    return [
        run
        for run in runs
        if (run.workload, run.optimizer, run.schedule) == (workload, optimizer, "constant")
        and math.isclose(run.learning_rate, rate, rel_tol=1e-3)
    ]


def trivial_loss(workload: Workload, data: Data) -> float:
    """Validation loss of the best constant prediction learnt on the training part."""
    y, held_out = data.y, data.y_validation
    loss = workload.loss()
    if isinstance(loss, keras.losses.SparseCategoricalCrossentropy):
        y, held_out = (part[part != loss.ignore_class] for part in (y, held_out))
        classes = int(max(y.max(), held_out.max())) + 1
        share = (np.bincount(y, minlength=classes) + 1.0) / (y.size + classes)
        return float(-np.mean(np.log(share[held_out])))
    mean = y.astype(np.float64).mean(0)
    if isinstance(loss, keras.losses.BinaryCrossentropy):
        mean = np.clip(mean, 1e-6, 1 - 1e-6)
        return float(-np.mean(held_out * np.log(mean) + (1 - held_out) * np.log(1 - mean)))
    if isinstance(loss, keras.losses.MeanSquaredError):
        return float(np.mean((held_out - mean) ** 2))
    # The mean is the best constant for most losses; for one that grows like the distance the median nearly is.
    constant = np.median(y, 0) if isinstance(loss, keras.losses.Huber) else mean
    predicted = np.broadcast_to(constant, held_out.shape).astype(np.float32)
    return float(keras.ops.convert_to_numpy(loss(held_out, predicted)))


def gap(workload: str, loss: float, target: float, trivial: float) -> float:
    """How far a loss is from the tuned target, on the scale of the module's docstring."""
    if not math.isfinite(loss):
        return math.inf
    return loss / target - 1 if workload in BY_RATIO else (loss - target) / (trivial - target)


def steps_to(curve: tuple[tuple[float, float], ...], level: float) -> float:
    """The step at which a validation curve reaches a level (interpolated between its points), or infinity."""
    before: tuple[float, float] | None = None
    for step, loss in curve:
        if loss <= level:
            if before is None or not math.isfinite(before[1]):
                return step
            return before[0] + (step - before[0]) * (before[1] - level) / (before[1] - loss)
        before = (step, loss)
    return math.inf


def profile_scores(steps: dict[str, dict[str, float]]) -> dict[str, float]:
    """Return the score of each method, from the steps to the target of each workload, infinite where it was missed."""
    if not steps:
        return {}
    names = sorted({name for by_workload in steps.values() for name in by_workload})
    times = np.array([[by.get(name, math.inf) for by in steps.values()] for name in names])
    return dict(zip(steps, _profile.scores(_profile.ratios(times)).tolist(), strict=True))
