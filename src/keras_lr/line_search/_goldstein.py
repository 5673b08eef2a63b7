"""Goldstein: neither too long nor too short, from losses alone."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from keras_lr._arguments import AboveOne, Limit, Natural, number
from keras_lr._value import Value, value
from keras_lr.line_search._conditions import descends, not_too_short, outcome, sufficient_decrease
from keras_lr.line_search._line import Accepted, Line, Point, Status, Tensor
from keras_lr.line_search._scalars import alike, at_most, count, is_finite, like, loop, opposite, where


class Bracket(NamedTuple):
    """Between which steps a good one lies."""

    low: Tensor  # the longest step with sufficient decrease, shape (); 0 before there is one
    low_value: Tensor  # the loss there
    high: Tensor  # the shortest step without; infinite before there is one


@value
class Goldstein(Value):
    """Find α with φ(0) + (1 - c)·α·φ'(0) ≤ φ(α) ≤ φ(0) + c·α·φ'(0).

    A trial that is too long closes an interval from above, one that is too short from below; until both ends are known
    the trial grows or shrinks by `factor`, then the interval is halved. Unlike backtracking, the search can lengthen a
    step, so the first trial matters less. When the budget is spent, or at `longest`, the longest step with sufficient
    decrease is taken, with the status DECREASE_ONLY.

    Args:
        decrease: c, in (0, 1/2).
        factor: growth and shrinkage before both ends are known, above 1.
        longest: no step is longer. 10 as in SLS.
        max_evaluations: trials allowed.

    Raises:
        ValueError: an argument is out of its range.

    Costs:
        One forward pass a trial.

    Reference:
        Goldstein 1965; Nocedal and Wright 2006, equation 3.11. Vaswani et al. 2019, arXiv:1905.09997, use it with SGD.

    Example:
        >>> from keras_lr.line_search import Goldstein, Line, Point
        >>> line = Line(phi=lambda a: (a - 1.0) ** 2, phi_and_slope=None)
        >>> step = Goldstein(decrease=0.25)(line, Point(0.0, 1.0, -2.0), 0.01)
        >>> 0.5 <= float(step.alpha) <= 1.5
        True
    """

    decrease: Annotated[float, number(above=0.0, below=0.5)] = 0.1
    factor: AboveOne = 2.0
    longest: Limit = 10.0
    max_evaluations: Natural = 20

    def __call__(self, line: Line, start: Point, alpha: Tensor) -> Accepted:
        start, alpha = alike(start, alpha)
        alpha = at_most(alpha, self.longest)

        def judge(trial: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
            decreases = sufficient_decrease(start, trial, value, self.decrease)
            return decreases, decreases & not_too_short(start, trial, value, self.decrease)

        def narrowed(bracket: Bracket, trial: Tensor, value: Tensor) -> Bracket:
            decreases = sufficient_decrease(start, trial, value, self.decrease)
            return Bracket(
                where(decreases, trial, bracket.low),
                where(decreases, value, bracket.low_value),
                where(decreases, bracket.high, trial),
            )

        def go_on(trial: Tensor, value: Tensor, bracket: Bracket, n: Tensor) -> Tensor:
            decreases, good = judge(trial, value)
            limit = decreases & (trial >= self.longest)
            return descends(start) & opposite(good | limit | (n >= self.max_evaluations))

        def look(trial: Tensor, value: Tensor, bracket: Bracket, n: Tensor) -> tuple[Tensor, Tensor, Bracket, Tensor]:
            bracket = narrowed(bracket, trial, value)
            open_above = at_most(bracket.low * self.factor, self.longest)
            open_below = bracket.high / self.factor
            inner = where(bracket.low > 0.0, 0.5 * (bracket.low + bracket.high), open_below)
            trial = where(is_finite(bracket.high), inner, open_above)
            return trial, like(line.phi(trial), alpha), bracket, n + 1

        bracket = Bracket(start.alpha, start.value, like(float("inf"), alpha))
        state = (alpha, like(line.phi(alpha), alpha), bracket, count(1, alpha))
        trial, value, bracket, n = loop(go_on, look, state)
        bracket = narrowed(bracket, trial, value)
        _, good = judge(trial, value)
        status = where(good, int(Status.ACCEPTED), int(Status.DECREASE_ONLY))
        return outcome(start, bracket.low > 0.0, bracket.low, bracket.low_value, n, status)
