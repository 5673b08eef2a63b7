"""Warm-up around any schedule, with its semantics named: how it counts, how it rises, what the clock behind it does."""

from __future__ import annotations

import enum
import math
from typing import Annotated, Any, ClassVar, TypeAlias

from keras_lr._arguments import Argument, Share, member, number
from keras_lr._value import value
from keras_lr.schedules import shapes
from keras_lr.schedules._composition import ScheduleLike
from keras_lr.schedules._schedule import Schedule
from keras_lr.schedules._shaped import ShapeLike, shaped
from keras_lr.schedules._units import Length, LengthOrZero


class Join(enum.Enum):
    """What the clock of the schedule behind a warm-up of W steps does.

    Example:
    >>> from keras_lr import schedules
    >>> for join in schedules.Join:
    ...     print(join, schedules.Linear(1.0, 4).warmed_up(2, join=join).values(range(7)).round(2).tolist())
    Join.PREFIX [0.33, 0.67, 1.0, 0.75, 0.5, 0.25, 0.0]
    Join.INCLUDED [0.33, 0.67, 1.0, 0.5, 0.0, 0.0, 0.0]
    Join.UNDERNEATH [0.17, 0.33, 0.5, 0.25, 0.0, 0.0, 0.0]
    Join.DAMPING [0.33, 0.5, 0.5, 0.25, 0.0, 0.0, 0.0]
    """

    PREFIX = "prefix"
    """It starts at W, so the two last W + T steps (Keras, timm's `warmup_prefix`, PyTorch's `SequentialLR`)."""
    INCLUDED = "included"
    """It starts at W and ends where it would have ended: T counts the warm-up (Transformers, optax, Composer)."""
    UNDERNEATH = "underneath"
    """It runs from step 0, hidden; the ramp aims at its value at W (TensorFlow Model Garden)."""
    DAMPING = "damping"
    """It runs from step 0, and the ramp is a factor on it (pytorch-warmup)."""

    def __repr__(self) -> str:
        return f"Join.{self.name}"

    __str__ = __repr__


class Ramp(enum.Enum):
    """How a warm-up of W steps counts its progress.

    Example:
    >>> from keras_lr import schedules
    >>> for ramp in schedules.Ramp:
    ...     print(ramp, schedules.Constant(1.0).warmed_up(4, ramp=ramp).values(range(6)).round(2).tolist())
    Ramp.BETWEEN [0.2, 0.4, 0.6, 0.8, 1.0, 1.0]
    Ramp.SHIFTED [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    Ramp.FROM_START [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]
    """

    BETWEEN = "between"
    """``(t + 1) / (W + 1)``: no step at 0, and the peak for the first time at t = W."""
    SHIFTED = "shifted"
    """``(t + 1) / W``: no step at 0, and the peak at t = W - 1 already."""
    FROM_START = "from_start"
    """``t / W``: the first step runs at the start value, wasted when that is 0 (Transformers, optax, Keras)."""

    def __repr__(self) -> str:
        return f"Ramp.{self.name}"

    __str__ = __repr__


JoinLike: TypeAlias = Annotated[Join, member(Join)]
RampLike: TypeAlias = Annotated[Ramp, member(Ramp)]


@value
class WarmUp(Schedule):
    """Raise the rate from a fraction of its target to the target, then follow a schedule.

    ``f(t) target`` for t < W with ``f = start + (1 - start) s(1 - p)``, where `s` is a shape (`shapes.Linear` gives
    `p`, `shapes.Power(a)` gives ``p^a``, `shapes.Cosine` gives ``(1 - cos(pi p)) / 2``, `shapes.OneMinusPower(0.5)`
    gives ``1 - sqrt(1 - p)``), `p` is the progress that `ramp` defines, and `join` says what the target is.

    Args:
        schedule: what comes after, or underneath: a schedule, or a number for a constant rate.
        warmup_steps: `W`.
        shape: how to rise, read backwards. Default linear.
        start: the fraction of the target to start from. Default 0.
        ramp: how progress counts. Default `Ramp.BETWEEN`, which wastes no step.
        join: what the schedule's clock does meanwhile. Default `Join.PREFIX`.

    Raises:
        ValueError: `Join.INCLUDED` around a schedule that has no end, or one that ends within the warm-up.

    Reference: Goyal et al., arXiv 1706.02677, section 2.2.

    Example:
    >>> from keras_lr import schedules
    >>> schedules.WarmUp(schedules.Linear(1.0, 4), 3).values(range(8)).tolist()
    [0.25, 0.5, 0.75, 1.0, 0.75, 0.5, 0.25, 0.0]
    """

    source: ClassVar[str] = "Goyal et al. (2017), arXiv 1706.02677, section 2.2"
    schedule: ScheduleLike
    warmup_steps: LengthOrZero
    shape: ShapeLike = shapes.Linear()
    start: Share = 0.0
    ramp: RampLike = Ramp.BETWEEN
    join: JoinLike = Join.PREFIX

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.join is Join.INCLUDED and self.is_resolved():
            end = self.schedule.end_step
            if end is None or end <= self.warmup_steps:
                wanted = f"a schedule that ends after warmup_steps={self.warmup_steps!r}"
                remedy = f"Its end is {end}, and Join.INCLUDED makes the warm-up a part of it."
                raise ValueError(self._argument("schedule").refusal(wanted, self.schedule, remedy))

    @property
    def end_step(self) -> float | None:
        """Where the schedule behind ends."""
        end = self.schedule.end_step
        if end is None:
            return None
        if self.join is Join.PREFIX:
            return end + self.warmup_steps
        return max(end, self.warmup_steps)

    @property
    def ramp_steps(self) -> float:
        """The warm-up."""
        return self.warmup_steps

    def _factor(self, step: Any, xp: Any) -> Any:
        first, extra = {Ramp.BETWEEN: (1, 1), Ramp.SHIFTED: (1, 0), Ramp.FROM_START: (0, 0)}[self.ramp]
        p = xp.minimum((step + first) / (self.warmup_steps + extra), 1.0)
        return self.start + (1 - self.start) * shaped(self.shape, 1 - p, xp)

    def formula(self, step: Any, xp: Any) -> Any:
        """Return the rate at a step."""
        warmup, inner = self.warmup_steps, self.schedule
        if warmup == 0:
            return inner.formula(step, xp)
        since = xp.maximum(step - warmup, 0.0)
        match self.join:
            case Join.PREFIX:
                after = inner.formula(since, xp)
            case Join.INCLUDED:
                end: Any = inner.end_step
                after = inner.formula(since * end / (end - warmup), xp)
            case Join.UNDERNEATH:
                after = inner.formula(xp.maximum(step, float(warmup)), xp)
            case Join.DAMPING:
                after = inner.formula(step, xp)
        return xp.where(step < warmup, self._factor(step, xp) * after, after)


@value
class ExponentialRise(Schedule):
    """Rise towards 1 exponentially: ``1 - e^{-(t + 1) / tau}``; multiply a schedule with it.

    Args:
        timescale_steps: `tau`. For Adam without tuning ``1 / (1 - beta_2)``, which is 1000 for 0.999.

    Reference: Ma, Yarats, On the adequacy of untuned warmup, arXiv 1910.04209, section 4.

    Example:
    >>> from keras_lr import schedules
    >>> (schedules.ExponentialRise(100) * 0.1).values([0, 99, 999]).round(3).tolist()
    [0.001, 0.063, 0.1]
    """

    source: ClassVar[str] = "Ma & Yarats (2021), arXiv 1910.04209, section 4"
    timescale_steps: Length

    def formula(self, step: Any, xp: Any) -> Any:
        """Return the factor at a step."""
        return 1 - xp.exp(-(step + 1) / self.timescale_steps)


@value
class Rectification(Schedule):
    """The factor by which rectified Adam damps its first, uncertain updates; multiply a schedule with it.

    ``sqrt((r - 4)(r - 2) r_inf / ((r_inf - 4)(r_inf - 2) r))`` with ``r_inf = 2 / (1 - b) - 1`` and
    ``r = r_inf - 2 n b^n / (1 - b^n)``, n = t + 1; 0 while r <= 4 (there RAdam takes momentum steps instead).

    Args:
        beta_2: `b`, of the Adam that follows, below 1 and above 0.6, up to which `r` never exceeds 4. Default 0.999.

    Raises:
        ValueError: `beta_2` is out of its range.

    Reference: Liu et al., On the variance of the adaptive learning rate and beyond, arXiv 1908.03265, algorithm 2.

    Example:
    >>> from keras_lr import schedules
    >>> (schedules.Rectification() * 0.1).values([0, 3, 4, 100, 1000, 10_000]).round(4).tolist()
    [0.0, 0.0, 0.0017, 0.0216, 0.0646, 0.1]
    """

    source: ClassVar[str] = "Liu et al., RAdam (2020), arXiv 1908.03265, algorithm 2"
    beta_2: Annotated[float, number(above=0.6, below=1.0)] = 0.999

    def formula(self, step: Any, xp: Any) -> Any:
        """Return the factor at a step."""
        n, b = step + 1, self.beta_2
        longest = 2 / (1 - b) - 1
        power = xp.exp(n * math.log(b))
        length = longest - 2 * n * power / (1 - power)
        safe = xp.maximum(length, 4.0)
        factor = xp.sqrt((safe - 4) * (safe - 2) * longest / ((longest - 4) * (longest - 2) * safe))
        return xp.where(length > 4, factor, 0.0)


def untuned_warmup_steps(beta_2: float = 0.999) -> int:
    """Return the linear warm-up that Adam needs, without tuning: ``2 / (1 - beta_2)`` steps.

    Args:
        beta_2: of Adam, below 1. Default 0.999, which gives 2000 steps.

    Raises:
        ValueError: `beta_2` is not in [0, 1).

    Reference: Ma, Yarats, On the adequacy of untuned warmup, arXiv 1910.04209, section 4.

    Example:
    >>> from keras_lr import schedules
    >>> schedules.untuned_warmup_steps(beta_2=0.99)
    200
    """
    decay = number(least=0.0, below=1.0)(beta_2, Argument("untuned_warmup_steps", "beta_2"))
    return round(2 / (1 - decay))
