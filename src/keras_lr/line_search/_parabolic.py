"""PAL: one measurement makes a parabola, and the step goes to its minimum or a bit beyond.

Mutschler and Zell 2020, Parabolic Approximation Line Search for DNNs, arXiv:1903.11991, algorithm 1.
"""

from __future__ import annotations

from keras_lr._arguments import Limit, Positive
from keras_lr._value import value
from keras_lr.line_search._conditions import outcome
from keras_lr.line_search._line import Accepted, Line, Point, Status, Tensor
from keras_lr.line_search._rule import Memory, Rule
from keras_lr.line_search._scalars import alike, at_most, count, is_finite, like, opposite, where


@value
class PAL(Rule):
    """Measure the loss at a distance μ along the direction, and step to the minimum of the parabola.

    Steps are lengths in the space of the weights (the direction counts with length 1). With b = φ'(0) and
    a = (φ(μ) - φ(0) - b·μ)/μ²: s = γ·(-b/(2a)), at most `longest`. Where the line is not convex (a ≤ 0) but descends,
    the step is μ. Where it does not descend or the loss at μ is not finite, the weights stay where they were.

    Args:
        measure: μ, the length of the measuring step. The one setting that matters, a learning rate in disguise: it
            should be about as long as a good step. 0.1 as in the authors' evaluation; a recurrent network wanted a
            hundred times as much.
        overshoot: γ (the paper's α), times the distance to the minimum; the authors use 1 to 1.7.
        longest: no step is longer.

    Raises:
        ValueError: an argument is out of its range.

    Costs:
        One forward pass a step.

    Reference:
        Mutschler and Zell 2020, arXiv:1903.11991. They bend the direction by momentum 0.4: give `LineSearch` the
        direction `keras.optimizers.SGD(1.0, momentum=0.4)` for that.

    Example:
        >>> from keras_lr.line_search import PAL, Line, Point
        >>> line = Line(phi=lambda a: (a - 2.0) ** 2, phi_and_slope=None)
        >>> step = PAL()(line, Point(0.0, 4.0, -4.0), 0.1)
        >>> round(float(step.alpha), 3)
        2.0
    """

    measure: Positive = 0.1
    overshoot: Positive = 1.0
    longest: Limit = 3.6

    lengths = True

    def __call__(self, line: Line, start: Point, alpha: Tensor) -> Accepted:
        start, alpha = alike(start, alpha)
        value = like(line.phi(alpha), start.value)
        curvature = (value - start.value - start.slope * alpha) / (alpha * alpha)
        convex = curvature > 0.0
        minimum = -start.slope / (2.0 * where(convex, curvature, 1.0))
        step = at_most(where(convex, self.overshoot * minimum, alpha), self.longest)
        expected = start.value + step * (start.slope + step * curvature)
        status = where(convex, int(Status.ACCEPTED), int(Status.MEASURED))
        accepted = outcome(start, is_finite(value), step, expected, count(1, value), status)
        unmeasured = is_finite(start.value) & opposite(is_finite(value))
        return accepted._replace(status=where(unmeasured, count(Status.NOT_FINITE, value), accepted.status))

    def first_trial(self, start: Point, memory: Memory) -> Tensor:
        return like(self.measure, start.value)

    def step(self, line: Line, start: Point, alpha: Tensor, memory: Memory) -> tuple[Accepted, Memory]:
        return self(line, start, alpha), memory
