"""The schedules that define the field: constant, time-based, step-based, exponential, and the inverse-time curve."""

from __future__ import annotations

from typing import Any, ClassVar

from keras_lr._arguments import NotNegative, Positive, Share
from keras_lr._value import value
from keras_lr.schedules._kinds import AStep, Rate
from keras_lr.schedules._log_product import log_product
from keras_lr.schedules._schedule import Schedule
from keras_lr.schedules._units import Length


@value
class Constant(Schedule):
    """One rate for ever.

    Args:
        learning_rate: the rate.

    Example:
    >>> from keras_lr import schedules
    >>> schedules.Constant(1.0).warmed_up(3).values(range(6)).tolist()
    [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    """

    learning_rate: Rate

    @property
    def end_step(self) -> float | None:
        """The rate never changes."""
        return 0

    def formula(self, step: Any, xp: Any) -> Any:
        """Return the rate at a step."""
        return self.learning_rate + 0 * step


@value
class TimeBased(Schedule):
    """Divide the last rate by ``1 + d n`` at every step: the recursive time-based decay.

    ``eta_{n+1} = eta_n / (1 + d n)``, so
    ``eta_n = eta_0 / prod_{k<n} (1 + d k) = eta_0 Gamma(1/d) / (d^n Gamma(n + 1/d))``.
    It falls faster than any exponential, because every step divides what the step before it left. Keras'
    `InverseTimeDecay`, and the `decay` argument of old Keras optimizers, is another curve, `InverseTime`: at n = 100
    with d = 0.001 the factors are 0.0083 (this one) and 0.909.

    It needs no loop and no counter: the logarithm of the product comes from Stirling's series of the log-gamma
    function with its cancelling parts taken together, in float64, exact to 1e-12 for a million steps.

    Args:
        initial_learning_rate: `eta_0`, the rate of the first two updates.
        decay: `d`, at least 0; 0 keeps the rate constant.

    Reference: Wikipedia, "Learning rate", section "Learning rate schedule" (time-based learning schedules).

    Example:
    >>> from keras_lr import schedules
    >>> schedules.TimeBased(1.0, decay=0.5).values(range(5)).round(12).tolist()
    [1.0, 1.0, 0.666666666667, 0.333333333333, 0.133333333333]
    """

    source: ClassVar[str] = "the recursion eta_{n+1} = eta_n / (1 + d n), time-based learning schedule"
    can_be_stretched: ClassVar[bool] = False
    initial_learning_rate: Rate
    decay: NotNegative

    def formula(self, step: Any, xp: Any) -> Any:
        """Return the rate at a step."""
        if self.decay == 0:
            return self.initial_learning_rate + 0 * step
        return self.initial_learning_rate * xp.exp(-log_product(step, self.decay, xp))


@value
class InverseTime(Schedule):
    """Divide the initial rate by ``1 + d t``: ``eta_0 / (1 + d t)^power``, the closed form.

    What Keras calls `InverseTimeDecay` and what the `decay` argument of old Keras optimizers did. The recursive form is
    `TimeBased`.

    Args:
        initial_learning_rate: `eta_0`, the rate at step 0.
        decay: `d`, at least 0, a step. Keras' ``decay_rate / decay_steps``.
        power: above 0. Default 1; 0.5 gives the rate of the classical convergence proofs.

    Reference: Robbins, Monro, A stochastic approximation method (1951); Keras `InverseTimeDecay`.

    Example:
    >>> from keras_lr import schedules
    >>> schedules.InverseTime(1.0, decay=0.5).values([0, 2, 6, 14]).tolist()
    [1.0, 0.5, 0.25, 0.125]
    """

    source: ClassVar[str] = "Robbins & Monro (1951); Keras InverseTimeDecay"
    initial_learning_rate: Rate
    decay: AStep
    power: Positive = 1.0

    def formula(self, step: Any, xp: Any) -> Any:
        """Return the rate at a step."""
        return self.initial_learning_rate * (1 + self.decay * step) ** -self.power


@value
class StepBased(Schedule):
    """Drop the rate by a factor every so many steps: ``eta_0 d^floor((1 + n) / r)``.

    The first drop comes at n = r - 1, one step before that of PyTorch's `StepLR`, which is
    ``eta_0 d^floor(n / r)`` (here ``MultiStep`` or ``Staircase``).

    Args:
        initial_learning_rate: `eta_0`; with r = 1 step 0 runs at `eta_0 d` already.
        drop: `d`, between 0 and 1; 0.5 halves the rate.
        steps_per_drop: `r`, at least 1.

    Reference: Wikipedia, "Learning rate", section "Learning rate schedule" (step-based learning schedules).

    Example:
    >>> from keras_lr import schedules
    >>> schedules.StepBased(1.0, drop=0.5, steps_per_drop=2).values(range(6)).tolist()
    [1.0, 0.5, 0.5, 0.25, 0.25, 0.125]
    """

    source: ClassVar[str] = "eta_0 d^floor((1 + n) / r), step-based learning schedule"
    initial_learning_rate: Rate
    drop: Share
    steps_per_drop: Length

    def formula(self, step: Any, xp: Any) -> Any:
        """Return the rate at a step."""
        return self.initial_learning_rate * self.drop ** xp.floor((1 + step) / self.steps_per_drop)


@value
class Staircase(Schedule):
    """Drop the rate by a factor after every so many steps: ``eta_0 d^floor(t / r)``.

    PyTorch's `StepLR` and Keras' ``ExponentialDecay(staircase=True)``; the form of the literature is `StepBased`.

    Args:
        initial_learning_rate: `eta_0`, the rate of the first r steps.
        drop: `d`, between 0 and 1; PyTorch's default is 0.1.
        steps_per_drop: `r`, at least 1.

    Example:
    >>> from keras_lr import schedules
    >>> schedules.Staircase(1.0, drop=0.5, steps_per_drop=2).values(range(6)).tolist()
    [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]
    """

    source: ClassVar[str] = "PyTorch StepLR"
    initial_learning_rate: Rate
    drop: Share
    steps_per_drop: Length

    def formula(self, step: Any, xp: Any) -> Any:
        """Return the rate at a step."""
        return self.initial_learning_rate * self.drop ** xp.floor(step / self.steps_per_drop)


@value
class Exponential(Schedule):
    """Fall exponentially: ``eta_0 e^{-d n}``.

    PyTorch's `ExponentialLR` has ``gamma = e^-d``, Keras' `ExponentialDecay` ``decay_rate = e^{-d decay_steps}``.

    Args:
        initial_learning_rate: `eta_0`, the rate at step 0.
        decay: `d`, at least 0; the rate halves every ``0.693 / d`` steps.

    Reference: Wikipedia, "Learning rate", section "Learning rate schedule" (exponential learning schedules).

    Example:
    >>> from keras_lr import schedules
    >>> schedules.Exponential(1.0, decay=0.0693).values([0, 10, 20, 30]).round(3).tolist()
    [1.0, 0.5, 0.25, 0.125]
    """

    source: ClassVar[str] = "eta_0 e^{-d n}, exponential learning schedule"
    initial_learning_rate: Rate
    decay: AStep

    def formula(self, step: Any, xp: Any) -> Any:
        """Return the rate at a step."""
        return self.initial_learning_rate * xp.exp(-self.decay * step)
