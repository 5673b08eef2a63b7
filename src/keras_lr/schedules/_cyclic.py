"""Cycles: cosine restarts, triangles and sines."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Annotated, Any, ClassVar, TypeAlias

from keras_lr._arguments import Share, number
from keras_lr._value import value
from keras_lr.schedules import shapes
from keras_lr.schedules._kinds import Rate, a_function
from keras_lr.schedules._schedule import Schedule
from keras_lr.schedules._shaped import between, progress
from keras_lr.schedules._units import Length, LengthOrNone

Height: TypeAlias = Annotated[Callable[[Any], Any], a_function("a function of the cycle that returns its height")]


@value
class CosineRestarts(Schedule):
    """Fall along a cosine again and again (SGDR): cycle i has length ``T_0 m^i`` and peak ``eta_0 a^i``.

    At a restart the rate is exactly that cycle's peak. Which cycle a step is in comes from a logarithm that is put
    right by comparing with the next restart, so rounding cannot move one.

    Args:
        initial_learning_rate: `eta_0`, the first peak.
        first_cycle_steps: `T_0`.
        cycle_multiplier: `m`, at least 1: how much longer each cycle is. Default 1 (Keras' default is 2).
        amplitude_multiplier: `a`, between 0 and 1. Default 1.
        end_learning_rate: the rate that each cycle falls towards. Default 0.

    Raises:
        ValueError: `cycle_multiplier` is below 1.

    Reference: Loshchilov, Hutter, SGDR, arXiv 1608.03983, equation 5.

    Example:
    >>> from keras_lr import schedules
    >>> schedules.CosineRestarts(1.0, 2, cycle_multiplier=2).values(range(8)).round(3).tolist()
    [1.0, 0.5, 1.0, 0.854, 0.5, 0.146, 1.0, 0.962]
    """

    source: ClassVar[str] = "Loshchilov & Hutter, SGDR (2017), arXiv 1608.03983, eq. 5"
    initial_learning_rate: Rate
    first_cycle_steps: Length
    cycle_multiplier: Annotated[float, number(least=1.0, remedy="Shorter and shorter cycles come to an end.")] = 1.0
    amplitude_multiplier: Share = 1.0
    end_learning_rate: Rate = 0.0

    def formula(self, step: Any, xp: Any) -> Any:
        """Return the rate at a step."""
        cycle, p = self._cycle(step / self.first_cycle_steps, xp)
        peak = self.end_learning_rate + (
            (self.initial_learning_rate - self.end_learning_rate) * self.amplitude_multiplier**cycle
        )
        return between(peak, self.end_learning_rate, shapes.Cosine()(p, xp))

    def _cycle(self, t: Any, xp: Any) -> tuple[Any, Any]:
        """Return which cycle the time t (in first cycles) is in, and how far into it."""
        m = self.cycle_multiplier
        if m == 1:
            cycle = xp.floor(t)
            return cycle, t - cycle

        def start(i: Any) -> Any:
            return (m**i - 1) / (m - 1)

        cycle = xp.floor(xp.log1p(t * (m - 1)) / math.log(m))
        cycle = xp.where(t >= start(cycle + 1) * (1 - 1e-12), cycle + 1, cycle)
        return cycle, (t - start(cycle)) / m**cycle


@dataclasses.dataclass(frozen=True, repr=False)
class _Cycle(Schedule):
    """Climb from a base to a maximum and fall back, again and again: ``eta_min + (eta_max - eta_min) w(x) g``.

    `x` climbs from 0 to 1 over `up_steps` and falls back over `down_steps`. A subclass says how high each cycle is (the
    height `g`) and whether the wave `w` is a straight line or a sine; nothing else.
    """

    base_learning_rate: Rate
    max_learning_rate: Rate
    up_steps: Length
    down_steps: LengthOrNone = dataclasses.field(default=None, kw_only=True)

    @property
    def period(self) -> float:
        """The steps of one cycle."""
        return self.up_steps + (self.up_steps if self.down_steps is None else self.down_steps)

    def wave(self, x: Any, xp: Any) -> Any:
        """Return how high the wave stands at `x`: as high, for a straight line."""
        return x

    def scale(self, cycle: Any, step: Any) -> Any:
        """Return the height of a cycle; cycles are counted from 0."""
        return 1.0

    def formula(self, step: Any, xp: Any) -> Any:
        """Return the rate at a step."""
        cycle = xp.floor(step / self.period)
        into = step - cycle * self.period
        down = self.period - self.up_steps
        x = xp.where(into <= self.up_steps, progress(into, self.up_steps, xp), progress(self.period - into, down, xp))
        return between(self.max_learning_rate, self.base_learning_rate, self.wave(x, xp) * self.scale(cycle, step))


@value
class Triangular(_Cycle):
    """Climb and fall in straight lines between two rates: ``eta_min + (eta_max - eta_min) x``.

    `x` climbs from 0 to 1 over `up_steps` and falls back over `down_steps`, again and again.

    Args:
        base_learning_rate: the lower rate, where it starts.
        max_learning_rate: the upper rate.
        up_steps: the steps of the climb.
        down_steps: the steps of the fall. Default `None`: as many.

    Reference: Smith, Cyclical learning rates, arXiv 1506.01186, section 3.1.

    Example:
    >>> from keras_lr import schedules
    >>> schedules.Triangular(0.0, 1.0, 2, down_steps=4).values(range(9)).tolist()
    [0.0, 0.5, 1.0, 0.75, 0.5, 0.25, 0.0, 0.5, 1.0]
    """

    source: ClassVar[str] = "Smith (2017), arXiv 1506.01186, section 3.1"


@value
class Triangular2(_Cycle):
    """Triangles whose height halves with each cycle: ``eta_min + (eta_max - eta_min) x / 2^i`` in cycle i, from 0.

    Args: those of `Triangular`; `max_learning_rate` is reached in the first cycle.

    Reference: Smith, Cyclical learning rates, arXiv 1506.01186, section 3.1.

    Example:
    >>> from keras_lr import schedules
    >>> schedules.Triangular2(0.1, 1.0, 2).values(range(7)).round(12).tolist()
    [0.1, 0.55, 1.0, 0.55, 0.1, 0.325, 0.55]
    """

    source: ClassVar[str] = "Smith (2017), arXiv 1506.01186, section 3.1"

    def scale(self, cycle: Any, step: Any) -> Any:
        """Return 2^-cycle."""
        return 0.5**cycle


@value
class ExpRange(_Cycle):
    """Triangles whose height shrinks by a factor with each step: ``eta_min + (eta_max - eta_min) x gamma^t``.

    Args: those of `Triangular`, and
        gamma: the factor a step, between 0 and 1.

    Reference: Smith, Cyclical learning rates, arXiv 1506.01186, section 3.1.

    Example:
    >>> from keras_lr import schedules
    >>> schedules.ExpRange(0.0, 1.0, 2, gamma=0.5).values([0, 2, 4, 6, 8]).tolist()
    [0.0, 0.25, 0.0, 0.015625, 0.0]
    """

    source: ClassVar[str] = "Smith (2017), arXiv 1506.01186, section 3.1"
    can_be_stretched: ClassVar[bool] = False
    gamma: Share

    def scale(self, cycle: Any, step: Any) -> Any:
        """Return gamma^step."""
        return self.gamma**step


@value
class Cyclical(_Cycle):
    """Triangles with a height of your own: ``eta_min + (eta_max - eta_min) x g(i)`` in cycle i, from 0.

    Args: those of `Triangular`, and
        height: `g`, a function of the cycle. To be saved it must be registered with Keras.

    Reference: PyTorch `CyclicLR` with `scale_fn`, whose cycles count from 1.

    Example:
    >>> from keras_lr import schedules
    >>> schedules.Cyclical(0.0, 1.0, 2, height=lambda cycle: 1 / (1 + cycle)).values([2, 6, 14]).tolist()
    [1.0, 0.5, 0.25]
    """

    source: ClassVar[str] = "PyTorch CyclicLR, scale_fn"
    height: Height

    def scale(self, cycle: Any, step: Any) -> Any:
        """Return the height of a cycle."""
        return self.height(cycle)


class _HalfWave:
    """Bends the straight lines of a cycle into half waves of a sine: ``|sin(pi t / 2 l)|``, `l` the steps up."""

    def wave(self, x: Any, xp: Any) -> Any:
        """Return the sine."""
        return xp.sin(math.pi / 2 * x)


@value
class Sine(_HalfWave, Triangular):
    """Half waves of a sine between two rates: ``eta_min + (eta_max - eta_min) |sin(pi t / 2 l)|``.

    Args: those of `Triangular`; `l` is `up_steps`.

    Reference: Wu et al., Demystifying learning rate policies (LRBench), arXiv 1908.06477, table 1 (SIN).

    Example:
    >>> from keras_lr import schedules
    >>> schedules.Sine(0.0, 1.0, 2).values(range(7)).round(3).tolist()
    [0.0, 0.707, 1.0, 0.707, 0.0, 0.707, 1.0]
    """

    source: ClassVar[str] = "Wu et al., LRBench (2019), arXiv 1908.06477, table 1"


@value
class Sine2(_HalfWave, Triangular2):
    """Half waves of a sine whose height halves with each: `Triangular2`, bent.

    Args: those of `Triangular`.

    Reference: Wu et al., Demystifying learning rate policies (LRBench), arXiv 1908.06477, table 1 (SIN2).

    Example:
    >>> from keras_lr import schedules
    >>> schedules.Sine2(0.0, 1.0, 2).values(range(9)).round(3).tolist()
    [0.0, 0.707, 1.0, 0.707, 0.0, 0.354, 0.5, 0.354, 0.0]
    """

    source: ClassVar[str] = "Wu et al., LRBench (2019), arXiv 1908.06477, table 1"


@value
class SineExp(_HalfWave, ExpRange):
    """Half waves of a sine whose height shrinks by a factor with each step: `ExpRange`, bent.

    Args: those of `ExpRange`.

    Reference: Wu et al., Demystifying learning rate policies (LRBench), arXiv 1908.06477, table 1 (SINEXP).

    Example:
    >>> from keras_lr import schedules
    >>> schedules.SineExp(0.0, 1.0, 2, gamma=0.5).values(range(7)).round(3).tolist()
    [0.0, 0.354, 0.25, 0.088, 0.0, 0.022, 0.016]
    """

    source: ClassVar[str] = "Wu et al., LRBench (2019), arXiv 1908.06477, table 1"
