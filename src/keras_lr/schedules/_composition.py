"""Schedules made of schedules: product, sum, minimum, maximum, sequence, delay, repetition.

Each part keeps its own formula and is evaluated in double precision with the rest, so a composition is as exact as its
parts, and it saves, prints and compares like them. A number stands for a constant rate.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Annotated, Any, TypeAlias

import keras

from keras_lr import schedules  # for what can be steered, which is made of schedules: a circle
from keras_lr._arguments import Argument, is_number
from keras_lr._value import value
from keras_lr.schedules._classics import Constant
from keras_lr.schedules._exchange import Lambda
from keras_lr.schedules._kinds import one_or_more
from keras_lr.schedules._schedule import Schedule
from keras_lr.schedules._units import Length, LengthOrZero, Lengths


def as_schedule(given: Any, argument: Argument) -> Schedule:
    """Return a schedule: itself, a number as a constant, a schedule of Keras or a function of the step wrapped."""
    if isinstance(given, Schedule):
        return given
    if is_number(given):
        return Constant(float(given))
    wanted = "a schedule, a number or a function of the step"
    if isinstance(given, schedules.Steerable) or hasattr(given, "steerable"):
        raise TypeError(argument.refusal(wanted, given, "Give its schedule, and make the whole steerable."))
    if isinstance(given, keras.optimizers.schedules.LearningRateSchedule) or callable(given):
        return Lambda(given)
    raise TypeError(argument.refusal(wanted, given))


ScheduleLike: TypeAlias = Annotated[Schedule, as_schedule]
"""A schedule, made of whatever says a rate."""
Schedules: TypeAlias = Annotated[tuple[Schedule, ...], one_or_more(as_schedule)]
"""One or more of them."""


@dataclasses.dataclass(frozen=True, repr=False)
class _Pointwise(Schedule):
    """Combines the rates of several schedules at the same step."""

    schedules: Schedules

    @property
    def end_step(self) -> float | None:
        """The step from which no part changes."""
        ends = [part.end_step for part in self.schedules]
        return None if None in ends else max(end for end in ends if end is not None)

    @property
    def ramp_steps(self) -> float:
        """The longest warm-up of a part."""
        return max(part.ramp_steps for part in self.schedules)

    def _rates(self, step: Any, xp: Any) -> list[Any]:
        return [part.formula(step, xp) for part in self.schedules]


@value
class Product(_Pointwise):
    """Multiply schedules: ``a(t) b(t) ...``; written ``a * b``.

    Args:
        schedules: schedules, numbers or functions of the step.

    Example:
    >>> from keras_lr import schedules
    >>> (schedules.Linear(1.0, 4) * 0.5).values([0, 2]).tolist()
    [0.5, 0.25]
    """

    def formula(self, step: Any, xp: Any) -> Any:
        """Return the rate at a step."""
        return functools.reduce(lambda a, b: a * b, self._rates(step, xp))


@value
class Sum(_Pointwise):
    """Add schedules: ``a(t) + b(t) + ...``; written ``a + b``.

    Args:
        schedules: schedules, numbers or functions of the step.

    Example:
    >>> from keras_lr import schedules
    >>> (schedules.Linear(1.0, 4) + 0.5).values(range(6)).tolist()
    [1.5, 1.25, 1.0, 0.75, 0.5, 0.5]
    """

    def formula(self, step: Any, xp: Any) -> Any:
        """Return the rate at a step."""
        return functools.reduce(lambda a, b: a + b, self._rates(step, xp))


@value
class Minimum(_Pointwise):
    """Take the smallest of several schedules at each step; written ``a.at_most(b)``.

    Args:
        schedules: schedules, numbers or functions of the step.

    Example:
    >>> from keras_lr import schedules
    >>> schedules.Linear(1.0, 4).at_most(0.5).values(range(6)).tolist()
    [0.5, 0.5, 0.5, 0.25, 0.0, 0.0]
    """

    def formula(self, step: Any, xp: Any) -> Any:
        """Return the rate at a step."""
        return functools.reduce(xp.minimum, self._rates(step, xp))


@value
class Maximum(_Pointwise):
    """Take the largest of several schedules at each step; written ``a.at_least(b)``.

    Args:
        schedules: schedules, numbers or functions of the step.

    Example:
    >>> from keras_lr import schedules
    >>> schedules.Linear(1.0, 4).at_least(0.5).values(range(6)).tolist()
    [1.0, 0.75, 0.5, 0.5, 0.5, 0.5]
    """

    def formula(self, step: Any, xp: Any) -> Any:
        """Return the rate at a step."""
        return functools.reduce(xp.maximum, self._rates(step, xp))


@value
class Chain(Schedule):
    """Follow one schedule after another; the clock of each starts at 0 where it begins.

    At a boundary the new schedule holds already, as in PyTorch and optax. Chains are associative: chaining chains is
    the same as one chain of all parts.

    Args:
        schedules: the parts, in order.
        boundaries: the steps at which the second, third, ... part begins; one fewer than parts.

    Raises:
        ValueError: the number of boundaries does not fit the number of parts.

    Example:
    >>> from keras_lr import schedules
    >>> schedules.Chain((schedules.Constant(1.0), schedules.Linear(0.5, 2)), (2,)).values(range(5)).tolist()
    [1.0, 1.0, 0.5, 0.25, 0.0]
    """

    schedules: Schedules
    boundaries: Lengths

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.schedules) != len(self.boundaries) + 1:
            raise ValueError(
                f"Chain: {len(self.schedules)} schedules need {len(self.schedules) - 1} boundaries, one where each but "
                f"the first begins. Received: boundaries={self.boundaries!r}."
            )

    @property
    def end_step(self) -> float | None:
        """Where the last part ends."""
        last = self.schedules[-1].end_step
        return None if last is None else self.boundaries[-1] + last

    @property
    def ramp_steps(self) -> float:
        """The warm-up of the first part."""
        return self.schedules[0].ramp_steps

    def formula(self, step: Any, xp: Any) -> Any:
        """Return the rate at a step."""
        rate = self.schedules[0].formula(step, xp)
        for begins, part in zip(self.boundaries, self.schedules[1:], strict=True):
            rate = xp.where(step >= begins, part.formula(xp.maximum(step - begins, 0.0), xp), rate)
        return rate


@value
class Delayed(Schedule):
    """Wait at the first rate, then begin: ``a(max(t - w, 0))``; written ``a.delayed(w)``.

    Args:
        schedule: what begins later.
        delay_steps: how much later.

    Example:
    >>> from keras_lr import schedules
    >>> schedules.Linear(1.0, 4).delayed(2).values(range(7)).tolist()
    [1.0, 1.0, 1.0, 0.75, 0.5, 0.25, 0.0]
    """

    schedule: ScheduleLike
    delay_steps: LengthOrZero

    @property
    def end_step(self) -> float | None:
        """Where the delayed schedule ends."""
        end = self.schedule.end_step
        return None if end is None else end + self.delay_steps

    @property
    def ramp_steps(self) -> float:
        """The delay and the warm-up after it."""
        ramp = self.schedule.ramp_steps
        return ramp + self.delay_steps if ramp else 0

    def formula(self, step: Any, xp: Any) -> Any:
        """Return the rate at a step."""
        return self.schedule.formula(xp.maximum(step - self.delay_steps, 0.0), xp)


@value
class Repeated(Schedule):
    """Begin again every so many steps: ``a(t mod n)``; written ``a.repeated(n)``.

    Args:
        schedule: what is repeated.
        every_steps: after how many steps it begins again.

    Example:
    >>> from keras_lr import schedules
    >>> schedules.Linear(1.0, 4).repeated(3).values(range(7)).tolist()
    [1.0, 0.75, 0.5, 1.0, 0.75, 0.5, 1.0]
    """

    schedule: ScheduleLike
    every_steps: Length

    def formula(self, step: Any, xp: Any) -> Any:
        """Return the rate at a step."""
        into = step - self.every_steps * xp.floor(step / self.every_steps)
        return self.schedule.formula(xp.maximum(into, 0.0), xp)  # rounding may leave it a little below
