"""What a search looks at and what it answers: a line, a point on it, and the step that was accepted."""

import enum
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

Tensor = Any


class Point(NamedTuple):
    """The loss and its slope somewhere on a line.

    Attributes:
        alpha: the step from the start, shape ().
        value: the loss there, shape ().
        slope: the directional derivative there, shape ().

    Example:
        >>> from keras_lr.line_search import Point
        >>> start = Point(alpha=0.0, value=4.0, slope=-4.0)  # of the loss (alpha - 2)^2
        >>> start.value + 0.25 * start.slope  # the loss at alpha = 0.25, but for its curvature
        3.0
    """

    alpha: Tensor
    value: Tensor
    slope: Tensor


class Line(NamedTuple):
    """The loss along a direction, as two functions of the step.

    A search says what it needs by what it calls: the other function is never computed.

    Attributes:
        phi: returns the loss at a step.
        phi_and_slope: returns the loss and the directional derivative there.

    Example:
        >>> from keras_lr.line_search import Line
        >>> line = Line(phi=lambda a: (a - 2.0) ** 2, phi_and_slope=lambda a: ((a - 2.0) ** 2, 2.0 * (a - 2.0)))
        >>> line.phi(0.0), line.phi_and_slope(1.0)
        (4.0, (1.0, -2.0))
    """

    phi: Callable[[Tensor], Tensor]
    phi_and_slope: Callable[[Tensor], tuple[Tensor, Tensor]]


class Walk(NamedTuple):
    """Weights on their way along a direction.

    Attributes:
        line: the loss at `weights + alpha * direction`.
        settle: leaves the weights at `weights + alpha * direction`, for an alpha.

    Example:
        >>> import numpy as np
        >>> from keras_lr.line_search import Backtracking, Line, Point, Walk
        >>> start, direction, weights = np.array([3.0, 4.0]), np.array([-3.0, -4.0]), np.array([3.0, 4.0])
        >>> line = Line(phi=lambda a: float(np.sum((start + a * direction) ** 2)), phi_and_slope=None)
        >>> walk = Walk(line, settle=lambda a: np.copyto(weights, start + a * direction))
        >>> walk.settle(Backtracking()(walk.line, Point(0.0, 25.0, -50.0), 1.0).alpha)
        >>> weights.tolist()
        [0.0, 0.0]
    """

    line: Line
    settle: Callable[[Tensor], None]


class Status(enum.IntEnum):
    """What a search has to say about its step.

    Example:
        >>> from keras_lr.line_search import Status
        >>> Status(5)
        <Status.NOT_A_DESCENT: 5>
        >>> Status(5).sentence
        'The direction does not descend; the weights did not move.'
    """

    ACCEPTED = 0
    DECREASE_ONLY = 1
    MEASURED = 2
    KEPT = 3
    BUDGET_SPENT = 4
    NOT_A_DESCENT = 5
    NOT_FINITE = 6
    BATCH_CHANGED = 7

    @property
    def sentence(self) -> str:
        """Say it in words."""
        return _SENTENCES[self]


_SENTENCES = {
    Status.ACCEPTED: "The step satisfies the condition of the search.",
    Status.DECREASE_ONLY: "The step decreases the loss enough; no trial met the other condition of the search as well.",
    Status.MEASURED: "The line is not convex; the measuring step, which descends, was taken.",
    Status.KEPT: "The search did not measure at this step; the step that it found before was taken.",
    Status.BUDGET_SPENT: "No step satisfied the condition within the evaluations allowed; the weights did not move.",
    Status.NOT_A_DESCENT: "The direction does not descend; the weights did not move.",
    Status.NOT_FINITE: "The loss or its slope is not finite; the weights did not move.",
    Status.BATCH_CHANGED: "The batch is not the one of the step before; the weights did not move.",
}


class Accepted(NamedTuple):
    """The outcome of a search. `alpha > 0` always means that the stated condition held.

    Attributes:
        alpha: the step, shape (), 0 where nothing was accepted.
        value: the loss there as far as the search saw it, shape ().
        evaluations: how often the line was evaluated, shape (), int32.
        status: a `Status`, shape (), int32.

    Example:
        >>> from keras_lr.line_search import Backtracking, Line, Point, Status
        >>> line = Line(phi=lambda a: (a - 2.0) ** 2, phi_and_slope=None)
        >>> found = Backtracking(adaptive=False)(line, Point(0.0, 4.0, -4.0), 8.0)
        >>> found
        Accepted(alpha=2.0, value=0.0, evaluations=3, status=0)
        >>> Status(found.status).sentence
        'The step satisfies the condition of the search.'
    """

    alpha: Tensor
    value: Tensor
    evaluations: Tensor
    status: Tensor


class Search(Protocol):
    """Finds a step along one line: a frozen value that remembers nothing.

    Example:
        >>> from keras import ops
        >>> from keras_lr.line_search import Accepted, Line, Point, Status
        >>> class OneTrial:  # takes the first trial where the loss is lower there, else no step
        ...     def __call__(self, line, start, alpha):
        ...         value = line.phi(alpha)
        ...         lower = value < start.value
        ...         status = ops.where(lower, int(Status.ACCEPTED), int(Status.BUDGET_SPENT))
        ...         return Accepted(ops.where(lower, alpha, 0.0), ops.where(lower, value, start.value), 1, status)
        >>> float(OneTrial()(Line(lambda a: (a - 2.0) ** 2, None), Point(0.0, 4.0, -4.0), 3.0).alpha)
        3.0
    """

    def __call__(self, line: Line, start: Point, alpha: Tensor) -> Accepted:
        """Search from `start` (at alpha 0), trying the positive step `alpha` first."""
