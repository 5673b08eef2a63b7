"""One-cycle and its relatives: one climb, one fall, and the momentum the other way."""

from __future__ import annotations

import dataclasses
import math
from typing import Annotated, Any, ClassVar

from keras_lr._arguments import Positive, Share, number
from keras_lr._value import value
from keras_lr.schedules import shapes
from keras_lr.schedules._kinds import Rate
from keras_lr.schedules._piecewise import Interpolated
from keras_lr.schedules._schedule import Schedule
from keras_lr.schedules._shaped import ShapeLike
from keras_lr.schedules._units import Epochs, Fraction, Length, computed

_COSINE = shapes.Cosine()


@value
class SlantedTriangular(Schedule):
    """Climb fast, fall slowly: ``eta (1 + p (ratio - 1)) / ratio``.

    ``p = t / c`` up to the cut ``c = floor(T cut)``, then ``1 - (t - c) / (c (1 / cut - 1))``, at least 0.

    Args:
        peak_learning_rate: `eta`, the rate at the cut.
        total_steps: `T`; from there on the rate is ``eta / ratio``.
        cut: the share of the climb. Default 0.1, as published.
        ratio: how much smaller the lowest rate is. Default 32, as published.

    Reference: Howard, Ruder, ULMFiT, arXiv 1801.06146, equation 3.

    Example:
    >>> from keras_lr import schedules
    >>> schedules.SlantedTriangular(1.0, 10, cut=0.2, ratio=4).values([0, 1, 2, 6, 10]).tolist()
    [0.25, 0.625, 1.0, 0.625, 0.25]
    """

    source: ClassVar[str] = "Howard & Ruder, ULMFiT (2018), arXiv 1801.06146, eq. 3"
    peak_learning_rate: Rate
    total_steps: Length
    cut: Share = 0.1
    ratio: Positive = 32.0

    @property
    def end_step(self) -> float | None:
        """The end of the fall."""
        return self.total_steps

    def formula(self, step: Any, xp: Any) -> Any:
        """Return the rate at a step."""
        top = math.floor(self.total_steps * self.cut + 1e-9)
        falling = 1 - (step - top) / max(self.total_steps - top, 1e-9)
        if 0 < top < self.total_steps:
            falling = 1 - (step - top) / (top * (1 / self.cut - 1))
        p = xp.where(step < top, step / max(top, 1), xp.maximum(falling, 0.0))
        return self.peak_learning_rate * (1 + p * (self.ratio - 1)) / self.ratio


@dataclasses.dataclass(frozen=True, repr=False)
class _OneCycle(Schedule):
    """The base of the one-cycle schedules: a curve through a few points, the last of them at step T - 1."""

    peak_learning_rate: Rate
    total_steps: Length
    rise: Share = 0.3
    start_divisor: Positive = 25.0
    end_divisor: Positive = 1e4
    shape: ShapeLike = _COSINE

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.total_steps, Epochs | Fraction) and self.total_steps < 3:
            wanted, remedy = "a length of at least 3 steps", "Up, down and an end take one each."
            raise ValueError(self._argument("total_steps").refusal(wanted, self.total_steps, remedy))

    def _boundaries(self) -> tuple[float, ...]:
        raise NotImplementedError

    @property
    def end_step(self) -> float | None:
        """The last step of the run."""
        return self.total_steps - 1

    @property
    def ramp_steps(self) -> float:
        """The climb to the peak."""
        return self._boundaries()[0]

    def _through(self, start: float, peak: float, end: float) -> Interpolated:
        boundaries = self._boundaries()
        back = (start,) * (len(boundaries) - 2)
        with computed():
            return Interpolated(boundaries, (start, peak, *back, end), self.shape)

    def formula(self, step: Any, xp: Any) -> Any:
        """Return the rate at a step."""
        start = self.peak_learning_rate / self.start_divisor
        return self._through(start, self.peak_learning_rate, start / self.end_divisor).formula(step, xp)

    def momentum(self, low: float = 0.85, high: float = 0.95) -> Interpolated:
        """Return the momentum that goes with it: low where the rate is high; for `optimizers.Scheduled`.

        Args:
            low: the momentum at the peak of the rate. Default 0.85.
            high: the momentum at both ends. Default 0.95.
        """
        self.check_resolved()
        return self._through(high, low, high)


@value
class OneCycle(_OneCycle):
    """Climb to the peak, then anneal far below the start; the momentum goes the other way.

    As PyTorch's `OneCycleLR`: the climb ends at step ``pct T - 1``, the run at ``T - 1`` with
    ``peak / (start_divisor end_divisor)``, which is held where PyTorch climbs again and then raises. fastai divides its
    last rate by 1e5 *of the peak* and reaches it one step after the run.

    Args:
        peak_learning_rate: the highest rate.
        total_steps: `T`, the steps of the run, at least 3.
        rise: `pct`, the share of the climb. Default 0.3.
        start_divisor: the first rate is the peak divided by this. Default 25.
        end_divisor: the last rate is the *first* divided by this. Default 1e4.
        shape: of both phases. Default cosine.

    Raises:
        ValueError: `total_steps` is below 3.

    Reference: Smith, Topin, Super-convergence, arXiv 1708.07120.

    Example:
    >>> from keras_lr import schedules
    >>> cycle = schedules.OneCycle(1.0, 100)
    >>> float(cycle.values(29)), float(cycle.momentum().values(29)), float(cycle.momentum().values(99))
    (1.0, 0.85, 0.95)
    """

    source: ClassVar[str] = "Smith & Topin, Super-convergence (2018), arXiv 1708.07120"

    def _boundaries(self) -> tuple[float, ...]:
        last = self.total_steps - 1
        return (min(max(self.rise * self.total_steps - 1, 1e-9), last - 1e-9), last)


@value
class OneCycleThreePhase(_OneCycle):
    """Climb to the peak, come back the same way, then annihilate: one-cycle as first published.

    The peak is at step ``pct T - 1``, the start rate again at ``2 pct T - 2``, the end at ``T - 1``.

    Args:
        peak_learning_rate: the highest rate.
        total_steps: `T`, the steps of the run, at least 3.
        rise: `pct`, the share of the climb, below 0.5. Default 0.3.
        start_divisor: the first rate is the peak divided by this. Default 25.
        end_divisor: the last rate is the *first* divided by this. Default 1e4.
        shape: of all phases. Default cosine.

    Raises:
        ValueError: `total_steps` is below 3, or `rise` not between 0 and 0.5.

    Reference: Smith, A disciplined approach, arXiv 1803.09820, section 4.

    Example:
    >>> from keras_lr import schedules
    >>> schedules.OneCycleThreePhase(1.0, 20).values([0, 5, 10, 19]).round(7).tolist()
    [0.04, 1.0, 0.04, 4e-06]
    """

    source: ClassVar[str] = "Smith (2018), arXiv 1803.09820, section 4"
    rise: Annotated[float, number(above=0.0, below=0.5, remedy="The way back takes as long.")] = 0.3

    def _boundaries(self) -> tuple[float, ...]:
        rise = max(self.rise * self.total_steps, 1 + 1e-9)
        return (rise - 1, 2 * rise - 2, self.total_steps - 1)
