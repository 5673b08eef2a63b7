"""The rate that a run is meant to have at each step, from whatever says so."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from keras_lr._backends.wrapped_optimizers import accumulated_batches, wrappers_and_core
from keras_lr.optimizers import Scheduled
from keras_lr.schedules import Constant, Schedule, Steerable

_CHUNK_STEPS = 256


def own_plan(optimizer: keras.optimizers.Optimizer) -> Callable[[int], float]:
    """Return the optimizer's own rate as a function of the step: its number, its schedule or its function."""
    rate = optimizer._learning_rate
    if isinstance(rate, keras.Variable):
        number = float(keras.ops.convert_to_numpy(rate))
        return lambda step: number
    if isinstance(rate, keras.optimizers.schedules.LearningRateSchedule):
        begun = int(keras.ops.convert_to_numpy(optimizer._iterations))
        follow = plan(rate, accumulated_batches(optimizer))
        return lambda step: follow(begun + step)
    return lambda step: _checked(rate(), step, "the optimizer's learning_rate")


def plan(learning_rate: Any, accumulation: int = 1, called: str = "learning_rate") -> Callable[[int], float]:
    """Return a rate, a schedule, a function of the step or one rate a step as a function of the step.

    Our schedules count updates, of which there is one in `accumulation` steps; all else counts steps, as Keras does, be
    it steerable or not.

    Raises:
        ValueError: it is none of these; where the function is called, the rate is not finite or below 0. `called` is
            what the message calls it.
    """
    if isinstance(learning_rate, Steerable):
        followed = learning_rate.schedule if (fixed := learning_rate.learning_rate) is None else Constant(fixed)
        accumulation = 1 if learning_rate.counts_batches else accumulation
        learning_rate = followed * learning_rate.multiplier  # as it is steered now, without asking the device again
    if isinstance(learning_rate, Schedule):
        return lambda step: _checked(float(learning_rate.values(step // accumulation)), step, called)
    if isinstance(learning_rate, keras.optimizers.schedules.LearningRateSchedule):
        values = _ScheduleValues(learning_rate)
        return lambda step: _checked(values(step), step, called)
    if callable(learning_rate) and not isinstance(learning_rate, type):
        return lambda step: _checked(learning_rate(step), step, called)
    try:
        rates = np.atleast_1d(np.asarray(learning_rate))
    except (TypeError, ValueError):
        rates = np.empty(0)
    if (
        rates.dtype.kind not in "iuf"
        or rates.ndim > 1
        or not len(rates)
        or not np.all(np.isfinite(rates) & (rates >= 0))
    ):
        raise ValueError(
            f"{called}={learning_rate!r} is no plan of rates: give a schedule, a function of the step, or finite "
            "numbers of at least 0, one a step."
        )
    return lambda step: float(rates[min(step, len(rates) - 1)])


def _checked(rate: Any, step: int, called: str) -> float:
    try:
        number = math.nan if isinstance(rate, str) else float(rate)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number < math.inf:
        raise ValueError(
            f"{called} is {rate!r} at step {step}: let what says the rate return a finite number of at least 0."
        )
    return number


def rates_at(optimizer: keras.optimizers.Optimizer, updates: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return the rates that an optimizer has at updates of the weights, asked for one by one, without the device."""
    rate = optimizer._learning_rate
    # Keras counts batches, and the last of those that make an update is the one at which it asks.
    batches = (updates + 1) * accumulated_batches(optimizer) - 1
    if isinstance(rate, Steerable):
        return rate.values(batches if rate.counts_batches else updates)
    if isinstance(rate, Schedule):
        return rate.values(updates)
    if not isinstance(rate, keras.optimizers.schedules.LearningRateSchedule):
        return np.full(len(updates), own_plan(optimizer)(0))
    asked = [rate(keras.ops.convert_to_tensor(int(batch))) for batch in batches]
    return np.array([float(keras.ops.convert_to_numpy(one)) for one in asked])


def rate_used(optimizer: keras.optimizers.Optimizer, planned: float) -> float:
    """Return the rate of the last update, for which this was planned: one that finds its rate takes it as a factor."""
    effective = getattr(optimizer, "effective_rate", None)
    return planned if effective is None else float(keras.ops.convert_to_numpy(effective(planned)))


def resolve(optimizer: keras.optimizers.Optimizer, numbers: dict[str, Any]) -> bool:
    """Turn epochs and fractions in an optimizer's schedule into steps; returns whether there were any.

    Args:
        optimizer: of which `_learning_rate` is the schedule.
        numbers: those that `Schedule.resolved` takes; empty where nobody knows them.
    """
    rate = optimizer._learning_rate
    schedule = rate.schedule if isinstance(rate, Steerable) else rate
    if not isinstance(schedule, Schedule) or schedule.is_resolved():
        return False
    if not numbers:
        raise ValueError(
            f"{schedule!r} has lengths in epochs or fractions of the run, and fit does not know how many batches an "
            "epoch of these data has: pass steps_per_epoch to it."
        )
    if isinstance(rate, Steerable):
        rate.schedule = schedule.resolved(**numbers)
    else:
        optimizer._learning_rate = schedule.resolved(**numbers)
    return True


def resolve_hyperparameters(optimizer: keras.optimizers.Optimizer, numbers: dict[str, Any]) -> None:
    """Turn epochs and fractions in the schedules of `Scheduled`, wherever it is among the wrappers, into steps."""
    for wrapper in wrappers_and_core(optimizer):
        if isinstance(wrapper, Scheduled):
            wrapper.resolve(**numbers)


class _ScheduleValues:
    """Evaluates a schedule for many steps at once, for one call a step would cost more than the step."""

    def __init__(self, schedule: keras.optimizers.schedules.LearningRateSchedule) -> None:
        self._schedule = schedule
        self._first = 0
        self._values: Sequence[float] = ()

    def __call__(self, step: int) -> float:
        if not self._first <= step < self._first + len(self._values):
            self._first = step
            self._values = self._evaluated(step)
        return float(self._values[step - self._first])

    def _evaluated(self, first: int) -> Sequence[float]:
        # One program for all of them: called by hand, a schedule with a condition is compiled anew each time on JAX.
        steps = keras.ops.arange(first, first + _CHUNK_STEPS)
        values: Sequence[float] = keras.ops.convert_to_numpy(keras.ops.map(self._schedule, steps))
        return values
