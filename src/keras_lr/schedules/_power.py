"""Schedules without an end: powers of the step."""

from __future__ import annotations

from typing import Any, ClassVar

from keras_lr._arguments import Positive
from keras_lr._value import value
from keras_lr.schedules._kinds import Rate
from keras_lr.schedules._schedule import Schedule
from keras_lr.schedules._units import Length, LengthOrNone


@value
class Power(Schedule):
    """Fall like a power of the step: ``eta_0 (1 + t / tau)^-a``.

    The power scheduler of arXiv 2408.13359, ``min(eta_max, b n^-c)``, is a power held down by `at_most`.

    Args:
        initial_learning_rate: `eta_0`, the rate at step 0.
        timescale_steps: `tau`, the steps after which the base has doubled.
        exponent: `a`, above 0. Default 0.5; 1 is `InverseTime`.

    Reference: Xu, arXiv 1107.2490; timm and TensorFlow Model Garden ship it.

    Example:
    >>> from keras_lr import schedules
    >>> schedules.Power(1.0, 10).values([0, 30, 150]).round(12).tolist()
    [1.0, 0.5, 0.25]
    """

    source: ClassVar[str] = "Robbins & Monro (1951); Xu (2011), arXiv 1107.2490"
    initial_learning_rate: Rate
    timescale_steps: Length
    exponent: Positive = 0.5

    def formula(self, step: Any, xp: Any) -> Any:
        """Return the rate at a step."""
        return self.initial_learning_rate * (1 + step / self.timescale_steps) ** -self.exponent


@value
class InverseSquareRoot(Schedule):
    """Warm up linearly, then fall like one over the square root: ``eta sqrt(tau / (t - W + tau))`` from t = W.

    Args:
        peak_learning_rate: `eta`, the rate at t = W.
        warmup_steps: `W`; before it the rate is ``eta (t + 1) / (W + 1)``.
        timescale_steps: `tau`. Default `None`: as long as the warm-up, so that the curve is ``eta sqrt(W / t)``.

    Reference: Zhai et al., Scaling Vision Transformers, arXiv 2106.04560, section 3.5; Vaswani et al. for tau = W.

    Example:
    >>> from keras_lr import schedules
    >>> schedules.InverseSquareRoot(1.0, 4).values([0, 3, 4, 16, 64]).tolist()
    [0.2, 0.8, 1.0, 0.5, 0.25]
    """

    source: ClassVar[str] = "Vaswani et al. (2017), arXiv 1706.03762; Zhai et al. (2022), arXiv 2106.04560"
    peak_learning_rate: Rate
    warmup_steps: Length
    timescale_steps: LengthOrNone = None

    @property
    def ramp_steps(self) -> float:
        """The warm-up."""
        return self.warmup_steps

    def formula(self, step: Any, xp: Any) -> Any:
        """Return the rate at a step."""
        warmup = self.warmup_steps
        tau = warmup if self.timescale_steps is None else self.timescale_steps
        since = xp.maximum(step - warmup, 0.0)
        ramp = (step + 1) / (warmup + 1)
        return self.peak_learning_rate * xp.where(step < warmup, ramp, xp.sqrt(tau / (since + tau)))


@value
class Noam(Schedule):
    """The schedule of the first Transformer: ``s d^-0.5 min(n^-0.5, n W^-1.5)`` with ``n = t + 1``.

    Args:
        model_width: `d`, the width of the model's residual stream.
        warmup_steps: `W`. The peak, ``s (d W)^-0.5``, is reached at n = W.
        scale: `s`. Default 1.

    Reference: Vaswani et al., Attention is all you need, arXiv 1706.03762, equation 3.

    Example:
    >>> from keras_lr import schedules
    >>> schedules.Noam(model_width=512, warmup_steps=4000).values([0, 1999, 3999, 15_999]).round(7).tolist()
    [2e-07, 0.0003494, 0.0006988, 0.0003494]
    """

    source: ClassVar[str] = "Vaswani et al. (2017), arXiv 1706.03762, eq. 3"
    model_width: Positive
    warmup_steps: Length
    scale: Positive = 1.0

    @property
    def ramp_steps(self) -> float:
        """The warm-up."""
        return self.warmup_steps

    def formula(self, step: Any, xp: Any) -> Any:
        """Return the rate at a step."""
        n = step + 1
        falling, rising = n**-0.5, n * self.warmup_steps**-1.5
        return self.scale * self.model_width**-0.5 * xp.minimum(falling, rising)
