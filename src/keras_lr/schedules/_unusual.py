"""Schedules with a purpose of their own: horizon-independent, logistic, fractal, noisy."""

from __future__ import annotations

import functools
import math
from typing import Annotated, Any, ClassVar

import numpy as np

from keras_lr._arguments import Argument, NotNegative, Positive, check, number
from keras_lr._value import value
from keras_lr.schedules._composition import ScheduleLike
from keras_lr.schedules._kinds import AStep, Count, Rate, count
from keras_lr.schedules._lookup import lookup
from keras_lr.schedules._schedule import Schedule
from keras_lr.schedules._units import Length, LengthOrNone, LengthOrZero, in_order


class _Hyperbola(Schedule):
    """The base of the two: how far down the hyperbola with a fixed far end the step is."""

    decay_steps: Length
    far_steps: Length

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.is_resolved() and self.far_steps < self.decay_steps:
            wanted = f"decay_steps={self.decay_steps!r} or more"
            remedy = "It is the longest of the runs to compare."
            raise ValueError(self._argument("far_steps").refusal(wanted, self.far_steps, remedy))

    @property
    def end_step(self) -> float | None:
        """The end of the decay."""
        return self.decay_steps

    def _fallen(self, step: Any, xp: Any) -> Any:
        """Return ``f(0) - f(t)`` with ``f(t) = sqrt((T - t) / U (2 - (T + t) / U))``."""
        total: Any = self.decay_steps
        far: Any = self.far_steps
        t = xp.minimum(step, float(total))
        first = math.sqrt(total / far * (2 - total / far))
        return first - xp.sqrt(xp.maximum((total - t) / far * (2 - (total + t) / far), 0.0))


@value
class Hyperbolic(_Hyperbola):
    """Fall along a hyperbola whose start depends little on the horizon, so that runs of different length compare.

    ``eta_0 - (eta_0 - eta_inf)(f(0) - f(t))`` with ``f(t) = sqrt((T - t)/U (2 - (T + t)/U))``.

    Args:
        initial_learning_rate: `eta_0`.
        decay_steps: `T`; held afterwards.
        far_steps: `U`, at least T: the horizon that all runs to compare share.
        infimum: `eta_inf`, the rate that only a run of U steps would come down to. Default 0.

    Raises:
        ValueError: `far_steps` is less than `decay_steps`.

    Reference: Kim, HyperbolicLR, arXiv 2407.15200.

    Example:
    >>> from keras_lr import schedules
    >>> [float(schedules.Hyperbolic(1.0, steps, far_steps=1000).values(25).round(2)) for steps in (100, 400)]
    [0.94, 0.97]
    >>> [float(schedules.Linear(1.0, steps).values(25).round(2)) for steps in (100, 400)]
    [0.75, 0.94]
    """

    source: ClassVar[str] = "Kim, HyperbolicLR (2024), arXiv 2407.15200"
    initial_learning_rate: Rate
    decay_steps: Length
    far_steps: Length
    infimum: Rate = 0.0

    def formula(self, step: Any, xp: Any) -> Any:
        """Return the rate at a step."""
        return self.initial_learning_rate - (self.initial_learning_rate - self.infimum) * self._fallen(step, xp)


@value
class ExpHyperbolic(_Hyperbola):
    """The hyperbola of `Hyperbolic` on a logarithmic axis: ``eta_0 (eta_inf / eta_0)^(f(0) - f(t))``.

    Args:
        initial_learning_rate: `eta_0`, above 0.
        decay_steps: `T`; held afterwards.
        far_steps: `U`, at least T: the horizon that all runs to compare share.
        infimum: `eta_inf`, above 0.

    Raises:
        ValueError: `far_steps` is less than `decay_steps`.

    Reference: Kim, HyperbolicLR, arXiv 2407.15200.

    Example:
    >>> from keras_lr import schedules
    >>> schedules.ExpHyperbolic(1.0, 1000, far_steps=1000, infimum=0.01).values([0, 250, 500, 1000]).round(3).tolist()
    [1.0, 0.316, 0.1, 0.01]
    """

    source: ClassVar[str] = "Kim, HyperbolicLR (2024), arXiv 2407.15200"
    initial_learning_rate: Positive
    decay_steps: Length
    far_steps: Length
    infimum: Positive

    def formula(self, step: Any, xp: Any) -> Any:
        """Return the rate at a step."""
        ratio = self.infimum / self.initial_learning_rate
        return self.initial_learning_rate * ratio ** self._fallen(step, xp)


@value
class Logistic(Schedule):
    """Fall along the logistic curve: ``eta_0 / (1 + e^{gamma (t - l)})``.

    Args:
        initial_learning_rate: `eta_0`, the rate long before the middle.
        middle_steps: `l`, where the rate is half of it.
        steepness: `gamma` a step, at least 0.

    Reference: Wu et al., LRBench, arXiv 1908.06477, table 1 (SIGMOID); Caffe's "sigmoid" policy.

    Example:
    >>> from keras_lr import schedules
    >>> schedules.Logistic(1.0, middle_steps=10, steepness=0.5).values([0, 5, 10, 15, 20]).round(3).tolist()
    [0.993, 0.924, 0.5, 0.076, 0.007]
    """

    source: ClassVar[str] = "Wu et al., LRBench (2019), arXiv 1908.06477, table 1"
    initial_learning_rate: Rate
    middle_steps: Length
    steepness: AStep

    def formula(self, step: Any, xp: Any) -> Any:
        """Return the rate at a step."""
        return self.initial_learning_rate / (1 + xp.exp(self.steepness * (step - self.middle_steps)))


def _power_of_two(given: Any, argument: Argument) -> int:
    period = count(given, argument)
    if period < 1 or period & (period - 1) or period > 2**20:
        near = 2 ** min(20, max(0, round(math.log2(max(period, 1)))))
        raise ValueError(argument.refusal("a power of two up to 2^20", given, f"Give for example {near}."))
    return period


@value
class Chebyshev(Schedule):
    """Take the steps of Chebyshev iteration in the fractal order that keeps them stable, again and again.

    ``1 / (c - r cos((j + 1/2) pi / T))`` with `c`, `r` half the sum and difference of the curvatures ``1 / eta_min``
    and ``1 / eta_max``, and `j` a fractal permutation. On a quadratic whose curvatures lie between them, T steps
    without momentum shrink the error as momentum does, though single steps diverge. In the plain order of the nodes,
    which some libraries use, the schedule would be monotone and unstable.

    Args:
        min_learning_rate: one over the largest curvature, above 0.
        max_learning_rate: one over the smallest curvature.
        period_steps: `T`, a power of two, at most 2^20.

    Raises:
        ValueError: the period is no power of two, or the rates are not in order.

    Reference: Agarwal, Goel, Zhang, Acceleration via fractal learning rate schedules, arXiv 2103.01338, section 3.

    Example:
    >>> from keras_lr import schedules
    >>> schedules.Chebyshev(0.1, 1.0, period_steps=4).values(range(5)).round(3).tolist()
    [0.745, 0.104, 0.265, 0.138, 0.745]
    """

    source: ClassVar[str] = "Agarwal, Goel & Zhang (2021), arXiv 2103.01338"
    can_be_stretched: ClassVar[bool] = False
    min_learning_rate: Positive
    max_learning_rate: Positive
    period_steps: Annotated[int, _power_of_two]

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self, "max_learning_rate", least=self.min_learning_rate, remedy="The bound is min_learning_rate.")

    @functools.cached_property
    def _table(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """The rates of one period."""
        order = np.array([0])
        while len(order) < self.period_steps:
            order = np.stack([order, 2 * len(order) - 1 - order], axis=1).ravel()
        sharp, flat = 1 / self.min_learning_rate, 1 / self.max_learning_rate
        return 1 / ((sharp + flat) / 2 - (sharp - flat) / 2 * np.cos((order + 0.5) * math.pi / self.period_steps))

    def formula(self, step: Any, xp: Any) -> Any:
        """Return the rate at a step."""
        period = self.period_steps
        return lookup(self._table, step - period * xp.floor(step / period), xp)


@value
class Noise(Schedule):
    """Shake a schedule: ``a(t) (1 + e)`` with `e` drawn anew at each step, from the step and a seed alone.

    Args:
        schedule: what is shaken.
        amplitude: the largest `e` in size, below 1. Default 0.67, as in timm.
        standard_deviation: 0 (the default) draws `e` uniformly, else normally, and clips it.
        seed: another seed, other noise.
        from_step: where the noise begins. Default 0.
        until_step: where it ends. Default `None`: never.

    Raises:
        ValueError: `amplitude` is 1 or more, so that a rate could be negative; `until_step` is not after `from_step`.

    Reference: timm, `Scheduler`, arguments `noise_range_t`, `noise_pct`, `noise_std`.

    Example:
    >>> from keras_lr import schedules
    >>> schedules.Noise(schedules.Constant(1.0), amplitude=0.5, from_step=2).values(range(5)).round(3).tolist()
    [1.0, 1.0, 1.398, 0.752, 0.993]
    """

    source: ClassVar[str] = "timm, Scheduler, noise_range_t"
    schedule: ScheduleLike
    amplitude: Annotated[float, number(least=0.0, below=1.0, remedy="From 1 on a rate could be negative.")] = 0.67
    standard_deviation: NotNegative = 0.0
    seed: Count = 42
    from_step: LengthOrZero = 0
    until_step: LengthOrNone = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.until_step is not None and not in_order(self.from_step, self.until_step):
            wanted = f"a length above from_step={self.from_step!r}"
            raise ValueError(self._argument("until_step").refusal(wanted, self.until_step))

    @property
    def ramp_steps(self) -> float:
        """The warm-up of what is shaken."""
        return self.schedule.ramp_steps

    def formula(self, step: Any, xp: Any) -> Any:
        """Return the rate at a step."""
        first = _uniform(step, self.seed, 1, xp)
        if self.standard_deviation:
            angle = 2 * math.pi * _uniform(step, self.seed, 2, xp)
            normal = xp.sqrt(-2 * xp.log(first)) * xp.cos(angle) * self.standard_deviation
            noise = xp.minimum(xp.maximum(normal, -self.amplitude), self.amplitude)
        else:
            noise = self.amplitude * (2 * first - 1)
        rate = self.schedule.formula(step, xp)
        shaken = xp.where(step >= self.from_step, rate * (1 + noise), rate)
        return shaken if self.until_step is None else xp.where(step < self.until_step, shaken, rate)


_PRIME = 67108859  # the largest prime below 2^26: products of two remainders are exact in float64


def _uniform(step: Any, seed: int, stream: int, xp: Any) -> Any:
    """Return a number in (0, 1) that depends on the step, the seed and the stream alone: a hash in exact arithmetic."""
    high = xp.floor(step / 2**24)
    state = 0 * step + float((seed * 7919 + stream * 104729) % _PRIME)
    for word in (step - high * 2**24, high, 12345.0, 6789.0):
        state = _remainder((state + word) * 48271.0 + 11.0, xp)
        state = _remainder(state * state + state, xp)
        state = _remainder((state + 1234567.0) * 30269821.0, xp)
    return (state + 0.5) / _PRIME


def _remainder(x: Any, xp: Any) -> Any:
    rest = x - _PRIME * xp.floor(x / _PRIME)  # -1 or the prime itself, where the quotient was rounded over an integer
    return rest - _PRIME * xp.floor((rest + 0.5) / _PRIME)
