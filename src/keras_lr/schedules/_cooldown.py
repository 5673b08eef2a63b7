"""Warm-up, stable, decay; and schedules without a fixed end, which are cooled down on demand."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Any, ClassVar

from keras_lr._value import value
from keras_lr.schedules import shapes
from keras_lr.schedules._classics import Constant
from keras_lr.schedules._composition import ScheduleLike
from keras_lr.schedules._kinds import Rate
from keras_lr.schedules._schedule import Schedule
from keras_lr.schedules._shaped import ShapeLike, between, progress, shaped
from keras_lr.schedules._units import Epochs, Fraction, Length, LengthOrNone, LengthOrZero


def _warmed_up(step: Any, warmup: Any, peak: float, rate: Any, xp: Any) -> Any:
    return xp.where(step < warmup, (step + 1) / (warmup + 1) * peak, rate)


@value
class Cooldown(Schedule):
    """Follow a schedule up to a step, then bring the rate that it has there down.

    ``eta_e + (a(t_0) - eta_e) s(p)`` with ``p = (t - t_0) / D`` for t >= t_0. It lets you decide late: train at a
    stable rate, and cool down when the run is to end, or from several checkpoints (branching). A geometric cooldown,
    ``eta (eta_e / eta)^p``, is the shape `shapes.Exponential` with the ratio ``eta_e / eta``.

    Args:
        schedule: what runs until then.
        at_step: `t_0`, where the cooldown begins; 0 begins at once.
        cooldown_steps: `D`, how long it takes.
        end_learning_rate: the rate from there on. Default 0.
        shape: how to fall. Default 1-sqrt, the best of the study cited.

    Reference: Hägele et al., Scaling laws and compute-optimal training beyond fixed training durations,
        arXiv 2405.18392, section 3.

    Example:
    >>> from keras_lr import schedules
    >>> stable = schedules.Constant(1.0)
    >>> stable.cooled_down(2, 2, shape=schedules.shapes.Linear()).values(range(6)).tolist()
    [1.0, 1.0, 1.0, 0.5, 0.0, 0.0]
    """

    source: ClassVar[str] = "Hägele et al. (2024), arXiv 2405.18392, section 3"
    schedule: ScheduleLike
    at_step: LengthOrZero
    cooldown_steps: Length
    end_learning_rate: Rate = 0.0
    shape: ShapeLike = shapes.OneMinusPower()

    @property
    def end_step(self) -> float | None:
        """The end of the cooldown."""
        return self.at_step + self.cooldown_steps

    @property
    def ramp_steps(self) -> float:
        """The warm-up of what runs before."""
        return self.schedule.ramp_steps

    def formula(self, step: Any, xp: Any) -> Any:
        """Return the rate at a step."""
        rate = self.schedule.formula(xp.minimum(step, float(self.at_step)), xp)
        fraction = shaped(self.shape, progress(step - self.at_step, self.cooldown_steps, xp), xp)
        return xp.where(step < self.at_step, rate, between(rate, self.end_learning_rate, fraction))


@value
class WSD(Schedule):
    """Warm up, stay, decay over the last steps.

    ``eta (t + 1) / (W + 1)`` for t < W, then ``eta g(t - W)``, and from ``T - D`` on
    ``eta_e + (eta g - eta_e) s(p)`` with ``p = (t - (T - D)) / D``. At the last step of the run, T - 1, the rate is one
    decay step above its end, as in every implementation.

    Args:
        peak_learning_rate: `eta`.
        total_steps: `T`, all three parts together.
        warmup_steps: `W`. Default 0.
        decay_steps: `D`. Default `None`: a fifth of the run.
        end_learning_rate: `eta_e`. Default 0.
        shape: of the decay; any of `schedules.shapes`, or a function of the progress. Default 1-sqrt.
        stable: `g`, the factor of the stable part: a schedule of the steps since the warm-up. Default constant;
            ``Power(1.0, timescale_steps, 0.5)`` is the inverse square root. It goes on through the decay, as in
            Big Vision and timm.

    Raises:
        ValueError: warm-up and decay together are longer than the run.

    Reference: Hu et al., MiniCPM, arXiv 2404.06395, section 4; Hägele et al., arXiv 2405.18392 for the shape.

    Example:
    >>> from keras_lr import schedules
    >>> wsd = schedules.WSD(1.0, 8, warmup_steps=1, decay_steps=4, shape=schedules.shapes.Linear())
    >>> wsd.values(range(9)).tolist()
    [0.5, 1.0, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25, 0.0]
    """

    source: ClassVar[str] = "Hu et al., MiniCPM (2024), arXiv 2404.06395, section 4"
    peak_learning_rate: Rate
    total_steps: Length
    _: KW_ONLY
    warmup_steps: LengthOrZero = 0
    decay_steps: LengthOrNone = None
    end_learning_rate: Rate = 0.0
    shape: ShapeLike = shapes.OneMinusPower()
    stable: ScheduleLike = Constant(1.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        lengths = (self.total_steps, self.warmup_steps, self.decay_steps)
        if not any(isinstance(one, Epochs | Fraction) for one in lengths) and self._decays_from < self.warmup_steps:
            raise ValueError(
                f"WSD: warmup_steps={self.warmup_steps} and decay_steps={self.decay_steps} do not fit into "
                f"total_steps={self.total_steps}. Shorten them, or make the run longer."
            )

    @property
    def _decays_from(self) -> float:
        total: Any = self.total_steps
        decay: Any = 0.2 * total if self.decay_steps is None else self.decay_steps
        return total - decay

    @property
    def end_step(self) -> float | None:
        """The end of the decay."""
        return self.total_steps

    @property
    def ramp_steps(self) -> float:
        """The warm-up."""
        return self.warmup_steps

    def formula(self, step: Any, xp: Any) -> Any:
        """Return the rate at a step."""
        start, total = self._decays_from, float(self.total_steps)
        since = xp.maximum(step - self.warmup_steps, 0.0)
        rate = self.peak_learning_rate * self.stable.formula(since, xp)
        fraction = shaped(self.shape, progress(step - start, total - start, xp), xp)
        rate = xp.where(step < start, rate, between(rate, self.end_learning_rate, fraction))
        return _warmed_up(step, self.warmup_steps, self.peak_learning_rate, rate, xp)


@value
class WSDS(Schedule):
    """Warm up, then again and again: stay, decay to the floor, and go back to the peak from the decayed weights.

    ``eta (t + 1) / (W + 1)`` for t < W, then, u steps into a period of P, ``eta_e + (eta - eta_e) s(p)`` with
    ``p = max(0, u - (P - D)) / D``. Each period ends, one decay step above the floor, with usable weights, and training
    simply goes on.

    Args:
        peak_learning_rate: `eta`, the stable rate.
        period_steps: `P`, one stable part and its decay.
        decay_steps: `D`, the decay at the end of each period.
        warmup_steps: `W`, before the first period. Default 0.
        end_learning_rate: `eta_e`, the floor. Default 0.
        shape: of the decay. Default 1-sqrt.

    Raises:
        ValueError: the decay is longer than the period.

    Reference: Wen et al., Understanding warmup-stable-decay learning rates, arXiv 2410.05192, section 5 (WSD-S).

    Example:
    >>> from keras_lr import schedules
    >>> schedules.WSDS(1.0, 6, decay_steps=4, shape=schedules.shapes.Linear()).values(range(9)).tolist()
    [1.0, 1.0, 1.0, 0.75, 0.5, 0.25, 1.0, 1.0, 1.0]
    """

    source: ClassVar[str] = "Wen et al. (2024), arXiv 2410.05192 (WSD-S)"
    peak_learning_rate: Rate
    period_steps: Length
    _: KW_ONLY
    decay_steps: Length
    warmup_steps: LengthOrZero = 0
    end_learning_rate: Rate = 0.0
    shape: ShapeLike = shapes.OneMinusPower()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.is_resolved() and self.decay_steps > self.period_steps:
            wanted = f"period_steps={self.period_steps!r} or less"
            remedy = "It is the end of each period."
            raise ValueError(self._argument("decay_steps").refusal(wanted, self.decay_steps, remedy))

    @property
    def ramp_steps(self) -> float:
        """The warm-up."""
        return self.warmup_steps

    def formula(self, step: Any, xp: Any) -> Any:
        """Return the rate at a step."""
        period: Any = self.period_steps
        since = xp.maximum(step - self.warmup_steps, 0.0)
        into = since - period * xp.floor(since / period)
        fraction = shaped(self.shape, progress(into - (period - self.decay_steps), self.decay_steps, xp), xp)
        rate = between(self.peak_learning_rate, self.end_learning_rate, fraction)
        return _warmed_up(step, self.warmup_steps, self.peak_learning_rate, rate, xp)


@value
class Infinite(Schedule):
    """Warm up, come down to a constant rate, and stay there until a cooldown is asked for.

    ``eta (t + 1) / (W + 1)``, then ``eta_c + (eta - eta_c) s(p)`` over D steps, then `eta_c` without an end. To finish
    a run, or one branch of it: ``schedule.cooled_down(at_step, steps)``; training can go on at `eta_c` from before.

    Args:
        peak_learning_rate: `eta`.
        constant_learning_rate: `eta_c`.
        warmup_steps: `W`.
        decay_steps: `D`, from the peak to the constant rate.
        shape: how. Default cosine.

    Reference: Ibrahim et al., Simple and scalable strategies to continually pre-train large language models,
        arXiv 2403.08763, section 7.

    Example:
    >>> from keras_lr import schedules
    >>> infinite = schedules.Infinite(1.0, 0.5, warmup_steps=1, decay_steps=2, shape=schedules.shapes.Linear())
    >>> infinite.values([0, 1, 2, 3, 1000]).tolist()
    [0.5, 1.0, 0.75, 0.5, 0.5]
    >>> infinite.cooled_down(1000, 2, shape=schedules.shapes.Linear()).values([1000, 1001, 1002]).tolist()
    [0.5, 0.25, 0.0]
    """

    source: ClassVar[str] = "Ibrahim et al. (2024), arXiv 2403.08763, section 7"
    peak_learning_rate: Rate
    constant_learning_rate: Rate
    warmup_steps: LengthOrZero
    decay_steps: Length
    shape: ShapeLike = shapes.Cosine()

    @property
    def ramp_steps(self) -> float:
        """The warm-up."""
        return self.warmup_steps

    def formula(self, step: Any, xp: Any) -> Any:
        """Return the rate at a step."""
        fraction = shaped(self.shape, progress(step - self.warmup_steps, self.decay_steps, xp), xp)
        rate = between(self.peak_learning_rate, self.constant_learning_rate, fraction)
        return _warmed_up(step, self.warmup_steps, self.peak_learning_rate, rate, xp)
