"""What single steps show: numbers, an interval where there is one, and a sentence that says what they mean.

A step is looked at on its own batch: the loss and its slope along the step, before and after it. As both ends are
measured on the same samples with the same dropout masks, most of the noise cancels. (Cockpit, arXiv 2102.06604,
compares consecutive batches and needs the gradient of every sample for it.)
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from keras_lr.diagnosis._judgement import rounded

ONE_SIDED_95 = 1.645


@dataclass(frozen=True)
class Signal:
    """One thing that was measured.

    Attributes:
        name: what it is.
        value: the number; NaN where it is not defined.
        low, high: its 90 % interval over the steps that were looked at, or None.
        meaning: a sentence.

    Example:
    >>> from keras_lr.diagnosis import Signal
    >>> Signal("reach of a step", 0.1, 0.05, 0.2, "A step goes a tenth of the way.").interval
    '0.05 to 0.2'
    """

    name: str
    value: float
    low: float | None
    high: float | None
    meaning: str

    @property
    def interval(self) -> str:
        """The interval in words, empty where there is none."""
        return "" if self.low is None or self.high is None else f"{rounded(self.low)} to {rounded(self.high)}"


class Step(NamedTuple):
    """What was measured of one step of the optimizer on its own batch; not finite where the loss was not."""

    loss: float
    slope: float  # the derivative along the whole step, before it
    loss_after: float
    slope_after: float
    squared_length: float  # of the step
    squared_weights_length: float  # of all trainable weights before the step


@dataclass(frozen=True, eq=False)
class Steps:
    """Steps of the optimizer, each on its own batch; all of shape `(steps,)`.

    Attributes:
        loss, loss_after: before and after the step.
        slope, slope_after: the derivative along the whole step, before and after it.
        length: of the step.
        weights_length: of all trainable weights before it.

    Example:
    >>> import numpy as np
    >>> from keras_lr.diagnosis import Steps
    >>> one = np.ones(3)
    >>> steps = Steps(2 * one, -one, 1.125 * one, -0.75 * one, length=0.1 * one, weights_length=5 * one)
    >>> (steps.slope_after - steps.slope) / -steps.slope  # how much of the way to the lowest loss each one goes
    array([0.25, 0.25, 0.25])
    """

    loss: np.ndarray
    slope: np.ndarray
    loss_after: np.ndarray
    slope_after: np.ndarray
    length: np.ndarray
    weights_length: np.ndarray

    @classmethod
    def of(cls, made: Sequence[Step]) -> "Steps":
        """Put steps together; one that is not finite is left out."""
        loss, slope, loss_after, slope_after, step, weights = _table(made)[are_finite(made)].T
        return cls(loss, slope, loss_after, slope_after, np.sqrt(step), np.sqrt(weights))

    def __len__(self) -> int:
        return len(self.loss)

    def part(self, first: int, end: int) -> "Steps":
        """Return the steps from one index up to another."""
        return Steps(*(getattr(self, field.name)[first:end] for field in fields(self)))


def are_finite(made: Sequence[Step]) -> np.ndarray:
    """Return of each step whether all of its numbers are finite; shape `(steps,)`."""
    return np.all(np.isfinite(_table(made)), axis=1)


def signals_of(steps: Steps) -> tuple[Signal, ...]:
    """Return what any optimizer's steps show."""
    return reach(steps), uphill(steps), update_to_weight(steps)


def reaches(steps: Steps) -> np.ndarray:
    """Return the reach of each step by itself, NaN for one that does not go downhill; shape `(steps,)`."""
    downhill = steps.slope < 0
    return np.where(downhill, (steps.slope_after - steps.slope) / np.where(downhill, -steps.slope, 1.0), np.nan)


def reach(steps: Steps) -> Signal:
    """Return how far the steps go, measured by the distance to the lowest loss along them.

    `(slope_after - slope) / -slope`, numerator and denominator each summed over the steps: 1 is exactly to the lowest
    point of the parabola along the step, 2 to the same height on the other side, above 2 uphill, and a tenth means
    that ten times the rate would reach the lowest point. Cockpit's alpha is this less 1.
    """
    curvature, descent = steps.slope_after - steps.slope, -steps.slope
    if not len(steps) or np.sum(descent) <= 0:
        return Signal("reach of a step", np.nan, None, None, _NO_DESCENT)
    value = float(np.sum(curvature) / np.sum(descent))
    low, high = _interval(curvature, descent, value)
    return Signal("reach of a step", value, low, high, _meaning_of_reach(value))


def update_to_weight(steps: Steps) -> Signal:
    """Return the length of a step over that of all trainable weights."""
    if not len(steps):
        return Signal("update to weight", np.nan, None, None, _NO_STEP)
    ratios = steps.length / np.maximum(steps.weights_length, np.finfo(float).tiny)
    value = float(np.median(ratios))
    turns = 1 / max(value, 1e-12)
    meaning = f"{rounded(turns)} steps in one direction would move the weights by their own length."
    return Signal("update to weight", value, float(np.min(ratios)), float(np.max(ratios)), meaning)


def uphill(steps: Steps) -> Signal:
    """Return the share of the steps that raised the loss of their own batch."""
    if not len(steps):
        return Signal("steps uphill", np.nan, None, None, _NO_STEP)
    share = float(np.mean(steps.loss_after > steps.loss))
    meaning = "Their own batch is worse after the step than before." if share else "Every step helps its own batch."
    return Signal("steps uphill", share, None, None, meaning)


def stability(sharpness: float, rate: float, momentum: float, *, nesterov: bool = False) -> Signal:
    """Return the rate over the largest one at which gradient descent is stable along the sharpest direction.

    The limit is `2 (1 + m) / sharpness`, with Nesterov momentum `2 (1 + m) / ((1 + 2 m) sharpness)`, where the
    sharpness is the largest eigenvalue of the Hessian of the loss of a batch.
    """
    limit = 2 * (1 + momentum) / (1 + 2 * momentum if nesterov else 1)
    value = max(sharpness, 0.0) * rate / limit
    meaning = (
        "Beyond 1 the sharpest direction is thrown about; networks often settle at 1 and train well there."
        if value > 0.7
        else f"The sharpest direction of the loss would be stable at {rounded(1 / max(value, 1e-12))} times the rate."
    )
    return Signal("rate over stability limit", value, None, None, meaning)


def _table(made: Sequence[Step]) -> np.ndarray:
    return np.array(made, np.float64).reshape(-1, len(Step._fields))


def _interval(curvature: np.ndarray, descent: np.ndarray, value: float) -> tuple[float | None, float | None]:
    """Return the 90 % interval of a ratio of sums by leaving out one step after the other (the jackknife)."""
    count = len(curvature)
    if count < 3:
        return None, None
    rest = np.sum(descent) - descent
    if np.any(rest <= 0):
        return None, None  # a single step makes the whole sum
    without = (np.sum(curvature) - curvature) / rest
    error = np.sqrt((count - 1) / count * np.sum((without - np.mean(without)) ** 2))
    return float(value - ONE_SIDED_95 * error), float(value + ONE_SIDED_95 * error)


def _meaning_of_reach(value: float) -> str:
    if value <= 0:
        return "The loss along a step bends down: there is no lowest point ahead, the steps could be longer."
    if value < 0.1:
        return f"A step goes one part in {rounded(1 / value)} of the way to the lowest loss of its own batch along it."
    if value <= 1.2:
        return f"A step goes {rounded(value)} of the way to the lowest loss of its own batch along it."
    if value <= 2:
        return "A step goes past the lowest loss of its own batch along it, and up on the other side."
    return "A step ends higher on the other side than it began."


_NO_DESCENT = "On average the steps do not go downhill on their own batch."
_NO_STEP = "No step had a finite loss."
