"""Schedules given by a few points: constant pieces, milestones, and curves through knots."""

from __future__ import annotations

from typing import Any, ClassVar

from keras_lr._arguments import Share
from keras_lr._value import value
from keras_lr.schedules import shapes
from keras_lr.schedules._kinds import Rate, Rates
from keras_lr.schedules._schedule import Schedule
from keras_lr.schedules._shaped import ShapeLike, between, progress, shaped
from keras_lr.schedules._units import Lengths


@value
class Piecewise(Schedule):
    """Hold one rate after another: ``v_i`` between the boundaries ``b_i`` and ``b_{i+1}``.

    At ``t = b_i`` the new value holds already, as in PyTorch and optax; Keras' `PiecewiseConstantDecay` is one step
    later.

    Args:
        boundaries: the steps at which the rate changes, increasing.
        learning_rates: the rates; one more than boundaries.

    Raises:
        ValueError: the number of rates does not fit the number of boundaries.

    Example:
    >>> from keras_lr import schedules
    >>> schedules.Piecewise((2, 3), (1.0, 0.5, 0.1)).values(range(5)).tolist()
    [1.0, 1.0, 0.5, 0.1, 0.1]
    """

    boundaries: Lengths
    learning_rates: Rates

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.learning_rates) != len(self.boundaries) + 1:
            raise ValueError(
                f"Piecewise: {len(self.boundaries)} boundaries need {len(self.boundaries) + 1} learning_rates, one "
                f"before the first boundary and one from each. Received: learning_rates={self.learning_rates!r}."
            )

    @property
    def end_step(self) -> float | None:
        """The last boundary."""
        return self.boundaries[-1]

    def formula(self, step: Any, xp: Any) -> Any:
        """Return the rate at a step."""
        rate = self.learning_rates[0] + 0 * step
        for begins, following in zip(self.boundaries, self.learning_rates[1:], strict=True):
            rate = xp.where(step >= begins, following, rate)
        return rate


@value
class MultiStep(Schedule):
    """Drop the rate by a factor at each milestone: ``eta_0 gamma^(number of milestones <= t)``.

    Args:
        initial_learning_rate: the rate before the first milestone.
        boundaries: the milestones, increasing.
        drop: `gamma`, between 0 and 1. Default 0.1, as in PyTorch.

    Reference: He et al., Deep residual learning, arXiv 1512.03385, section 4; PyTorch `MultiStepLR`.

    Example:
    >>> from keras_lr import schedules
    >>> schedules.MultiStep(1.0, (2, 4), drop=0.5).values(range(6)).tolist()
    [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]
    """

    source: ClassVar[str] = "He et al. (2016), arXiv 1512.03385, section 4; PyTorch MultiStepLR"
    initial_learning_rate: Rate
    boundaries: Lengths
    drop: Share = 0.1

    @property
    def end_step(self) -> float | None:
        """The last milestone."""
        return self.boundaries[-1]

    def formula(self, step: Any, xp: Any) -> Any:
        """Return the rate at a step."""
        passed = 0 * step
        for milestone in self.boundaries:
            passed = passed + xp.where(step >= milestone, 1.0, 0.0)
        return self.initial_learning_rate * self.drop**passed


@value
class Interpolated(Schedule):
    """Go through given points, along one shape between each pair; hold the last one.

    Args:
        boundaries: the steps of all points but the first, which is step 0; increasing.
        learning_rates: the rates at step 0 and at each boundary.
        shape: how to go from one point to the next. Default linear.

    Raises:
        ValueError: the number of rates does not fit the number of boundaries.

    Example:
    >>> from keras_lr import schedules
    >>> schedules.Interpolated((2, 4), (0.0, 1.0, 0.5)).values(range(6)).tolist()
    [0.0, 0.5, 1.0, 0.75, 0.5, 0.5]
    """

    boundaries: Lengths
    learning_rates: Rates
    shape: ShapeLike = shapes.Linear()

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.learning_rates) != len(self.boundaries) + 1:
            raise ValueError(
                f"Interpolated: {len(self.boundaries)} boundaries need {len(self.boundaries) + 1} learning_rates, one "
                f"at step 0 and one at each. Received: learning_rates={self.learning_rates!r}."
            )

    @property
    def end_step(self) -> float | None:
        """The last point."""
        return self.boundaries[-1]

    def formula(self, step: Any, xp: Any) -> Any:
        """Return the rate at a step."""
        begins = (0, *self.boundaries[:-1])
        rate = self.learning_rates[0] + 0 * step
        for i, (begin, end) in enumerate(zip(begins, self.boundaries, strict=True)):
            piece = self.learning_rates[i + 1]  # where two points of a short run fall together
            if begin < end:
                fraction = shaped(self.shape, progress(step - begin, end - begin, xp), xp)
                piece = between(self.learning_rates[i], self.learning_rates[i + 1], fraction)
            rate = xp.where(step >= begin, piece, rate)
        return rate
