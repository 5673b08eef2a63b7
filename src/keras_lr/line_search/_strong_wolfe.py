"""Strong Wolfe: bracket, then zoom with safeguarded interpolation.

Nocedal and Wright 2006, Numerical Optimization, algorithms 3.5 and 3.6, as one loop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from keras_lr._arguments import AboveOne, Limit, Natural, Part, check
from keras_lr._value import Value, value
from keras_lr.line_search._conditions import descends, flat_enough, outcome, sufficient_decrease
from keras_lr.line_search._interpolate import between
from keras_lr.line_search._line import Accepted, Line, Point, Status, Tensor
from keras_lr.line_search._scalars import alike, at_most, count, is_finite, like, loop, opposite, select, where


class Zoom(NamedTuple):
    """An interval that holds good steps once it is closed."""

    low: Point  # the best point with sufficient decrease, or the start
    high: Point  # the other end; equals `low` until the interval is closed
    closed: Tensor  # whether the interval is closed, shape (), bool
    done: Tensor  # whether `low` satisfies both conditions, shape (), bool
    width: Tensor  # width of the interval one evaluation ago, shape ()
    wider: Tensor  # width two evaluations ago, shape ()


@value
class StrongWolfe(Value):
    """Find α with φ(α) ≤ φ(0) + c₁·α·φ'(0) and |φ'(α)| ≤ c₂·|φ'(0)|.

    Trials grow until an interval holds a good step; then it shrinks around one by cubic interpolation. When the budget
    is spent, the best step with sufficient decrease is taken, with the status DECREASE_ONLY.

    Args:
        decrease: c₁, in (0, 1), smaller than `curvature`.
        curvature: c₂, in (0, 1). 0.9 for quasi-Newton directions, 0.1 for conjugate gradients and exact steps.
        growth: factor between trials before the interval is closed, above 1.
        longest: no step is longer.
        max_evaluations: evaluations of loss and slope allowed.

    Raises:
        ValueError: an argument is out of its range.

    Costs:
        A forward and a backward pass a trial. Meant for one and the same function at every step, such as the loss of
        all data: on changing mini-batches the gradients that it pays for are better spent on steps.

    Reference:
        Nocedal and Wright 2006, sections 3.1 and 3.5.

    Example:
        >>> from keras_lr.line_search import Line, Point, StrongWolfe
        >>> line = Line(phi=None, phi_and_slope=lambda a: ((a - 1.0) ** 2, 2.0 * (a - 1.0)))
        >>> step = StrongWolfe(curvature=0.1)(line, Point(0.0, 1.0, -2.0), 0.01)
        >>> abs(float(step.alpha) - 1.0) < 0.1, int(step.status)
        (True, 0)
    """

    decrease: Part = 1e-4
    curvature: Part = 0.9
    growth: AboveOne = 2.0
    longest: Limit = 1e10
    max_evaluations: Natural = 25

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self, "curvature", above=self.decrease, remedy="The bound is decrease.")

    def __call__(self, line: Line, start: Point, alpha: Tensor) -> Accepted:
        return self.carry(lambda trial: (*line.phi_and_slope(trial), ()), start, alpha, ())[0]

    def carry(
        self, look_at: Callable[[Tensor], tuple[Tensor, Tensor, Any]], start: Point, alpha: Tensor, carried: Any
    ) -> tuple[Accepted, Any]:
        """Search, and bring along what the last evaluation computed besides, such as the gradient there.

        Args:
            look_at: a function of the step that returns loss, slope and the rest, tensors in a tuple.
            start: the start of the line.
            alpha: the first trial.
            carried: the rest at the start.

        Returns:
            The outcome, and the rest at the last evaluation: that of the step where the status is ACCEPTED.
        """
        start, alpha = alike(start, alpha)
        no = descends(start) & False
        endless = like(float("inf"), alpha)

        def go_on(zoom: Zoom, trial: Tensor, evaluations: Tensor, carried: Any) -> Tensor:
            room = opposite(zoom.closed) | (zoom.low.alpha != zoom.high.alpha)
            return descends(start) & opposite(zoom.done) & (evaluations < self.max_evaluations) & room

        def look(zoom: Zoom, trial: Tensor, evaluations: Tensor, carried: Any) -> tuple[Zoom, Tensor, Tensor, Any]:
            value, slope, carried = look_at(trial)
            point = Point(trial, like(value, alpha), like(slope, alpha))
            zoom = self._narrow(start, zoom, point)
            longer = at_most(trial * self.growth, self.longest)
            return zoom, where(zoom.closed, self._inner(zoom), longer), evaluations + 1, carried

        zoom = Zoom(start, start, no, no, endless, endless)
        state = (zoom, at_most(alpha, self.longest), count(0, alpha), carried)
        zoom, _, evaluations, carried = loop(go_on, look, state)
        status = where(zoom.done, int(Status.ACCEPTED), int(Status.DECREASE_ONLY))
        accepted = outcome(start, zoom.low.alpha > 0.0, zoom.low.alpha, zoom.low.value, evaluations, status)
        return accepted, carried

    def _narrow(self, start: Point, zoom: Zoom, point: Point) -> Zoom:
        low, high = zoom.low, zoom.high
        usable = sufficient_decrease(start, point.alpha, point.value, self.decrease) & is_finite(point.slope)
        done = usable & flat_enough(start, point.slope, self.curvature)
        better = done | (usable & (point.value < low.value))
        # A step at the limit that still descends is as good as this line gets.
        at_limit = better & (point.alpha >= self.longest)
        turns = where(zoom.closed, point.slope * (high.alpha - low.alpha) >= 0.0, point.slope >= 0.0)
        new_high = select(better, select(turns, low, high), point)
        closed = zoom.closed | opposite(better) | turns
        new_low = select(better, point, low)
        new_high = select(at_limit | opposite(closed), new_low, new_high)
        width = where(closed, abs(new_high.alpha - new_low.alpha), zoom.width)
        return Zoom(new_low, new_high, closed | at_limit, done, width, zoom.width)

    def _inner(self, zoom: Zoom) -> Tensor:
        """Interpolate; halve where two evaluations did not shrink the interval to two thirds (Moré and Thuente)."""
        slow = is_finite(zoom.wider) & (zoom.width > 0.66 * zoom.wider)
        return where(slow, 0.5 * (zoom.low.alpha + zoom.high.alpha), between(zoom.low, zoom.high))
