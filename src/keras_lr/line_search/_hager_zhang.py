"""Hager and Zhang's search: acceptance by slopes near a minimum, where losses are rounding noise.

Hager and Zhang 2006, Algorithm 851: CG_DESCENT, ACM TOMS 32(1), section 4: steps L0 to L3, B0 to B3, U0 to U3, S1 to
S4, taken apart so that each turn of one loop makes one evaluation.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, NamedTuple

from keras_lr._arguments import AboveOne, Natural, NotNegative, Part, check, number
from keras_lr._value import Value, value
from keras_lr.line_search._conditions import descends, not_steep, outcome, sufficient_decrease
from keras_lr.line_search._interpolate import inside, secant
from keras_lr.line_search._line import Accepted, Line, Point, Status, Tensor
from keras_lr.line_search._scalars import alike, count, like, loop, opposite, select, where


class Phase(IntEnum):
    """What the next evaluation is for."""

    GROW = 0  # B1 to B3: look for a slope that is not negative
    BISECT = 1  # U3: the upper end is too high, not yet ascending
    SECANT = 2  # S1
    AGAIN = 3  # S2 to S4
    MIDDLE = 4  # L2


class Interval(NamedTuple):
    """Everything that the next turn needs."""

    low: Point  # a: slope negative, loss at most the limit
    high: Point  # b: slope not negative, or in BISECT a loss above the limit
    before: Tensor  # width of the interval at the start of the round, shape ()
    trial: Tensor  # where to evaluate next, shape ()
    phase: Tensor  # a Phase, shape (), int32
    whole: Tensor  # in BISECT: whether a new round follows, not the test of the width, shape (), bool
    point: Point  # the last evaluation
    done: Tensor  # whether `point` is acceptable, shape (), bool


@value
class HagerZhang(Value):
    """Find α with φ(α) ≤ φ(0) + δ·α·φ'(0) and φ'(α) ≥ σ·φ'(0), or nearly so by slopes alone.

    The approximate form, (2δ - 1)·φ'(0) ≥ φ'(α) ≥ σ·φ'(0) with φ(α) ≤ φ(0) + ε·|φ(0)|, is the first condition of a
    parabola, written in slopes: near a minimum it can be met to the last digits, where the difference of two losses
    is rounding. It makes this the most exact of the classical searches in float32.

    Args:
        decrease: δ, in (0, 1/2).
        curvature: σ, in [δ, 1).
        tolerance: ε, relative rise of the loss that counts as rounding.
        bisection: θ, where U3 cuts its interval, in (0, 1).
        shrinkage: γ, in (0, 1): an interval that shrinks less in a round is halved.
        growth: ρ, above 1: factor between trials until a slope turns.
        max_evaluations: evaluations of loss and slope allowed.

    Raises:
        ValueError: an argument is out of its range.

    Costs:
        A forward and a backward pass a trial. Assumes one and the same function at every evaluation.

    Reference:
        Hager and Zhang 2006. Defaults are theirs.

    Example:
        >>> from keras_lr.line_search import HagerZhang, Line, Point
        >>> line = Line(phi=None, phi_and_slope=lambda a: ((a - 1.0) ** 2, 2.0 * (a - 1.0)))
        >>> step = HagerZhang(curvature=0.2)(line, Point(0.0, 1.0, -2.0), 0.01)
        >>> 0.8 <= float(step.alpha) <= 1.8
        True
    """

    decrease: Annotated[float, number(above=0.0, below=0.5)] = 0.1
    curvature: Part = 0.9
    tolerance: NotNegative = 1e-6
    bisection: Part = 0.5
    shrinkage: Part = 0.66
    growth: AboveOne = 5.0
    max_evaluations: Natural = 50

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self, "curvature", least=self.decrease, remedy="The bound is decrease.")

    def __call__(self, line: Line, start: Point, alpha: Tensor) -> Accepted:
        start, alpha = alike(start, alpha)
        no = descends(start) & False

        def go_on(state: Interval, evaluations: Tensor) -> Tensor:
            room = (evaluations < self.max_evaluations) & (state.trial != state.low.alpha)
            return descends(start) & opposite(state.done) & room

        def look(state: Interval, evaluations: Tensor) -> tuple[Interval, Tensor]:
            value, slope = line.phi_and_slope(state.trial)
            point = Point(state.trial, like(value, alpha), like(slope, alpha))
            return self._turn(start, state, point), evaluations + 1

        state = Interval(start, start, start.alpha, alpha, count(Phase.GROW, alpha), no, start, no)
        state, evaluations = loop(go_on, look, (state, count(0, alpha)))
        low = state.low
        decreased = (low.alpha > 0.0) & sufficient_decrease(start, low.alpha, low.value, self.decrease)
        point = select(state.done, state.point, low)
        status = where(state.done, int(Status.ACCEPTED), int(Status.DECREASE_ONLY))
        return outcome(start, state.done | decreased, point.alpha, point.value, evaluations, status)

    def acceptable(self, start: Point, point: Point) -> Tensor:
        """Whether a point satisfies the Wolfe conditions or the approximate ones."""
        wolfe = sufficient_decrease(start, point.alpha, point.value, self.decrease)
        nearly = (point.slope <= (2.0 * self.decrease - 1.0) * start.slope) & (point.value <= self._limit(start))
        return (wolfe | nearly) & not_steep(start, point.slope, self.curvature)

    def _limit(self, start: Point) -> Tensor:
        return start.value + self.tolerance * abs(start.value)

    def _turn(self, start: Point, state: Interval, point: Point) -> Interval:
        """Take one evaluation into the interval and decide on the next."""
        rises = point.slope >= 0.0
        is_low = (point.slope < 0.0) & (point.value <= self._limit(start))
        too_high = opposite(rises | is_low)
        growing = state.phase == int(Phase.GROW)
        low = select(is_low, point, select(growing & too_high, start, state.low))
        high = select(is_low, state.high, point)

        bisecting = too_high | ((state.phase == int(Phase.BISECT)) & is_low)
        still_growing = growing & is_low
        # After U3 comes what the phase that led there would have had: a new round, or the test of the width.
        whole = where(state.phase == int(Phase.BISECT), state.whole, growing | (state.phase == int(Phase.MIDDLE)))
        again = secant(select(rises, state.high, state.low), point)  # S2, S3: the end that moved, before and after
        try_again = (state.phase == int(Phase.SECANT)) & inside(again, low.alpha, high.alpha, 0.0)
        width = high.alpha - low.alpha
        shrunk = whole | (width <= self.shrinkage * state.before)
        next_secant = secant(low, high)
        good_secant = inside(next_secant, low.alpha, high.alpha, 0.0)
        middle = opposite(shrunk & good_secant)

        cases = [
            (still_growing, Phase.GROW, self.growth * point.alpha),
            (bisecting, Phase.BISECT, (1.0 - self.bisection) * low.alpha + self.bisection * high.alpha),
            (try_again, Phase.AGAIN, again),
            (middle, Phase.MIDDLE, 0.5 * (low.alpha + high.alpha)),
        ]
        phase, trial = count(Phase.SECANT, next_secant), next_secant
        for case, next_phase, next_trial in reversed(cases):
            phase, trial = where(case, count(next_phase, trial), phase), where(case, next_trial, trial)
        new_round = shrunk & opposite(bisecting | try_again)
        before = where(new_round, width, state.before)
        return Interval(low, high, before, trial, phase, whole, point, self.acceptable(start, point))
