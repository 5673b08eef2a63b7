"""A sweep of learning rates: whole trainings at several rates and seeds, and the U-curve that they make."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras.optimizers.schedules import LearningRateSchedule

from keras_lr._arguments import check_flags
from keras_lr._backends.wrapped_optimizers import innermost
from keras_lr.finder._ladder import RUNG
from keras_lr.task import Task
from keras_lr.training._described import described
from keras_lr.training._progress import Progress, checked_progress
from keras_lr.training._random_state import kept_random_state
from keras_lr.trials._arguments import (
    checked_n_jobs,
    checked_rates,
    checked_seeds,
    checked_task,
    parts_of,
    takes_a_task,
)
from keras_lr.trials._carry_out import carry_out
from keras_lr.trials._course import Course
from keras_lr.trials._measure import Measure, measure_of
from keras_lr.trials._open_storage import Storage, check_storage
from keras_lr.trials._outcome import Outcome, filled
from keras_lr.trials._record import InMemory, Record
from keras_lr.trials._study import InStorage
from keras_lr.trials._sweep_result import SweepResult
from keras_lr.trials._trainer import ScheduleOf, Trainer
from keras_lr.trials._u_curve import u_curve

RUNGS = 5
MOST_FURTHER_RUNGS = 6


@dataclass(frozen=True)
class Trial:
    """One training of a sweep."""

    rate: float
    seed: int

    def __str__(self) -> str:
        return f"rate {self.rate:.2g}, seed {self.seed}"


class Sweeping:
    """See `Work`: what the trials of a sweep have in common."""

    def __init__(self, task: Task, schedule: ScheduleOf | None, monitor: Measure, trainer: Trainer | None) -> None:
        self._task, self._schedule, self._monitor = task, schedule, monitor
        self._trainer = trainer

    def run(self, trial: Trial) -> Outcome:
        if self._trainer is None:
            self._trainer = Trainer(self._task, self._schedule, trial.seed)
        return self._trainer.run(trial.rate, trial.seed, Course(self._monitor.name))

    def parts(self) -> dict[str, Any]:
        return parts_of(self._task) | {"schedule": self._schedule}

    def __reduce__(self) -> tuple[Any, ...]:
        return Sweeping, (self._task, self._schedule, self._monitor, None)


@takes_a_task
def sweep(
    task: Task,
    rates: Iterable[float] | None = None,
    *,
    seeds: int | Sequence[int] = 3,
    epochs: int | None = None,
    schedule: ScheduleOf | None = None,
    monitor: str | None = None,
    mode: str = "auto",
    storage: "Storage | None" = None,
    n_jobs: int | None = None,
    widen: bool = True,
    progress: Progress | bool = True,
) -> SweepResult:
    """Train at several rates and seeds, each time from the beginning, and read the U-curve of the final values.

    A trial is what `model = task.model(seed)`, setting the rate and `model.fit` would be, bit for bit. What counts is
    the monitored value at the end of its last epoch; a trial whose loss is not finite ends there and counts as
    infinitely bad.

    Args:
        task: how the model is built, the data, and how long to train. Its optimizer's own number is not used.
        rates: tried as they are. Default `None`: five half-decade rungs (powers of the root of ten) around what a race
            finds.
        seeds: of weights, data order and dropout: a number of seeds, counted from 0, or the seeds. Default 3.
        epochs: of each trial. Default `None`: the task's.
        schedule: a function `(peak, total_steps) -> schedule`, such as `keras_lr.schedules.OneCycle`, with the rate as
            peak and the optimizer's updates as length. Default `None`: a constant rate, or the schedule that the model
            was compiled with, scaled so that its peak is the rate.
        monitor, mode: as in Keras' callbacks. Default `None`: "val_loss" with validation data, "loss" without.
        storage: where trials are written down as they end: the path of an SQLite file, the URL of a database as
            Optuna takes it (in a database that holds several sweeps, `url#name` names one), or a storage of Optuna's.
            The same call goes on where it was interrupted, and processes that are given the same storage share the
            trials. Default `None`: nowhere.
        n_jobs: of `joblib.Parallel`. Default `None`: what `joblib.parallel_config` says, else this process.
        widen: while the best rate is the lowest or the highest one tried, try the next rung as well (the ratio of the
            grid goes on), at most six.
        progress: whether a sweep that lasts says every few seconds, on the error stream, how far it is and how long
            the rest will take; or a function, called as `progress(done, total, text)` before the first trial and after
            each.

    Returns:
        A `SweepResult`: `.learning_rate`, `.low`, `.high`, `.edge`, `.reason`, `.values`, `.curves`; it prints as a
        table, plots the U-curve and saves as a page.

    Raises:
        ValueError: an argument is out of its range; every trial diverged; the storage cannot be used, or holds another
            sweep; the task cannot be sent to another process.
        ImportError: joblib or Optuna is needed and not installed.

    Costs: a whole training for each rate and seed, up to 33 with the defaults; one compilation a process, for the rate
        is a value in the compiled step and each trial begins by putting the values of a newly built model into the
        compiled one; twice the model's memory while it does.

    Example:
    >>> import keras, numpy as np, keras_lr
    >>> def build():
    ...     model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    ...     model.compile(optimizer="sgd", loss="mse")
    ...     return model
    >>> x = np.random.default_rng(0).normal(size=(64, 2)).astype("float32")
    >>> task = keras_lr.Task(build, x, x.sum(1, keepdims=True), epochs=2)
    >>> result = keras_lr.sweep(task, [0.003, 0.03, 0.3, 3.0], seeds=2)
    >>> 0.03 < result.learning_rate < 1.0, result.edge is None
    (True, True)
    """
    task = checked_task(task, epochs)
    chosen = checked_seeds(seeds)
    ladder = None if rates is None else checked_rates(rates)
    checked_n_jobs(n_jobs)
    told = checked_progress(progress)
    check_storage(storage)
    check_flags("sweep", widen=widen)
    if schedule is not None and (not callable(schedule) or isinstance(schedule, LearningRateSchedule)):
        raise TypeError(
            f"schedule={schedule!r}: give a function of the peak and the number of steps that returns a schedule, "
            "such as keras_lr.schedules.OneCycle or lambda peak, steps: keras_lr.schedules.Cosine(peak, steps)."
        )
    with kept_random_state():
        trainer = Trainer(task, schedule, chosen[0])
        judged = measure_of(task, trainer.model, monitor, mode)
        work = Sweeping(task, schedule, judged, trainer)
        with _record(storage, task, trainer, judged) as record:
            if ladder is None:
                ladder = record.agreed("rates", lambda: _rungs_around(trainer.race()))
            tried = ladder
            while True:
                outcomes = carry_out(work, [Trial(r, s) for s in chosen for r in tried], record, n_jobs, told)
                values = np.array(
                    [[outcomes[Trial(r, s)].value(judged.higher_is_better) for s in chosen] for r in tried]
                )
                further = _next_rung(tried, judged.sign * values)
                if not widen or further is None or len(tried) == len(ladder) + MOST_FURTHER_RUNGS:
                    break
                tried = sorted([*tried, further])
    u_curve(np.array(tried), judged.sign * values)  # raises where every run diverged
    return SweepResult(
        rates=np.array(tried),
        seeds=tuple(chosen),
        values=values,
        curves=np.array([[filled(outcomes[Trial(r, s)].curve, task.epochs) for s in chosen] for r in tried]),
        monitor=judged.name,
        higher_is_better=judged.higher_is_better,
        optimizer=type(innermost(trainer.model.optimizer)).__name__,
        steps=trainer.total_steps,
        widened=len(tried) - len(ladder),
    )


def _record(storage: "Storage | None", task: Task, trainer: Trainer, judged: Measure) -> Record:
    if storage is None:
        return InMemory()
    settings = {
        "epochs": task.epochs,
        "batch size": task.batch_size,
        "steps of a run": trainer.total_steps,
        "monitor": judged.name,
        "higher is better": judged.higher_is_better,
        "schedule, as shares of its peak at nine steps,": trainer.shape(),
        **described(trainer.model),
    }
    return InStorage(storage, "keras_lr.sweep", Trial, settings, maximize=judged.higher_is_better)


def _rungs_around(rate: float) -> list[float]:
    """Return half-decade rungs, powers of the root of ten, around the one that is nearest to a rate."""
    nearest = round(2 * math.log10(rate))
    return [10 ** (exponent / 2) for exponent in range(nearest - RUNGS // 2, nearest + RUNGS // 2 + 1)]


def _next_rung(rates: list[float], losses: np.ndarray) -> float | None:
    """Return the rate beyond the border at which the best one is; None where it is between others."""
    ratio_below, ratio_above = (rates[1] / rates[0], rates[-1] / rates[-2]) if len(rates) > 1 else (RUNG, RUNG)
    if not np.any(np.isfinite(losses)):
        return rates[0] / ratio_below
    index = u_curve(np.array(rates), losses).index
    if index == 0:
        return rates[0] / ratio_below
    return rates[-1] * ratio_above if index == len(rates) - 1 else None
