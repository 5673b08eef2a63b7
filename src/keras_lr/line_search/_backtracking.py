"""Backtracking until the decrease is sufficient (Armijo), with a factor that depends on how far off a trial is."""

from __future__ import annotations

from keras_lr._arguments import Flag, Natural, Part
from keras_lr._value import Value, value
from keras_lr.line_search._conditions import descends, outcome, sufficient_decrease
from keras_lr.line_search._line import Accepted, Line, Point, Status, Tensor
from keras_lr.line_search._scalars import alike, at_least, count, is_finite, like, loop, opposite, ratio, where


@value
class Backtracking(Value):
    """Shrink the step until φ(α) ≤ φ(0) + c·α·φ'(0).

    The next trial after a failed one is α·ρ, or with `adaptive` α·ρ·(1 - c)/(1 - c·v), where
    v = (φ(α) - φ(0))/(c·α·φ'(0)) is the share of the demanded decrease that the trial made (v < 1 where it failed): a
    hair's breadth costs the factor ρ, a jump in the loss far more. A loss that is not finite costs a factor of 10.

    Args:
        decrease: c, in (0, 1). 0.1 as in SLS; 0.5 asks for the best step of a parabola or less.
        shrink: ρ, in (0, 1). 0.9 searches finely, 0.5 costs fewer evaluations.
        adaptive: whether the factor follows the violation.
        max_evaluations: after so many trials the search gives up, and the weights do not move.

    Raises:
        ValueError: an argument is out of its range.

    Costs:
        One forward pass a trial.

    Reference:
        Armijo 1966. Cavalcanti, Lessard and Wilson 2024, Adaptive Backtracking Line Search, arXiv:2408.13150.

    Example:
        >>> from keras_lr.line_search import Backtracking, Line, Point
        >>> line = Line(phi=lambda a: (a - 1.0) ** 2, phi_and_slope=None)
        >>> step = Backtracking()(line, Point(0.0, 1.0, -2.0), 8.0)
        >>> 0 < float(step.alpha) < 2, int(step.status)
        (True, 0)
    """

    decrease: Part = 0.1
    shrink: Part = 0.5
    adaptive: Flag = True
    max_evaluations: Natural = 20

    def __call__(self, line: Line, start: Point, alpha: Tensor) -> Accepted:
        return self.below(line, start, start.value, alpha)

    def below(self, line: Line, start: Point, reference: Tensor, alpha: Tensor) -> Accepted:
        """Search for a decrease from a `reference` that may lie above the loss at the start (nonmonotone)."""
        start, alpha = alike(start, alpha)
        above = start._replace(value=like(reference, start.value))

        def go_on(alpha: Tensor, value: Tensor, evaluations: Tensor) -> Tensor:
            failed = opposite(sufficient_decrease(above, alpha, value, self.decrease))
            return descends(start) & failed & (evaluations < self.max_evaluations)

        def shorten(alpha: Tensor, value: Tensor, evaluations: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            alpha = alpha * self._factor(above, alpha, value)
            return alpha, like(line.phi(alpha), value), evaluations + 1

        state = (alpha, like(line.phi(alpha), start.value), count(1, start.value))
        alpha, value, evaluations = loop(go_on, shorten, state)
        found = sufficient_decrease(above, alpha, value, self.decrease)
        return outcome(start, found, alpha, value, evaluations, int(Status.ACCEPTED))

    def _factor(self, start: Point, alpha: Tensor, value: Tensor) -> Tensor:
        c = self.decrease
        share = ratio(value - start.value, c * alpha * start.slope)
        factor = self.shrink * ratio(1.0 - c, 1.0 - c * share) if self.adaptive else like(self.shrink, share)
        return where(is_finite(value), at_least(factor, 0.01), 0.1)
