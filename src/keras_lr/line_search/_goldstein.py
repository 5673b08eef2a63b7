"""Goldstein: neither too long nor too short, from losses alone."""

from dataclasses import dataclass

import keras

from keras_lr.line_search._conditions import descends, not_too_short, outcome, sufficient_decrease
from keras_lr.line_search._line import Accepted, Line, Point, Status, Tensor
from keras_lr.line_search._scalars import alike, at_most, count, is_finite, like, loop, opposite, where
from keras_lr.line_search._value import Value, check


@keras.saving.register_keras_serializable(package="keras_lr")
@dataclass(frozen=True)
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

    decrease: float = 0.1
    factor: float = 2.0
    longest: float = 10.0
    max_evaluations: int = 20

    def __post_init__(self) -> None:
        check(self, "decrease", above=0.0, below=0.5)
        check(self, "factor", above=1.0)
        check(self, "longest", above=0.0)
        check(self, "max_evaluations", least=1)

    def __call__(self, line: Line, start: Point, alpha: Tensor) -> Accepted:
        start, alpha = alike(start, alpha)

        def judge(trial: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
            decreases = sufficient_decrease(start, trial, value, self.decrease)
            return decreases, decreases & not_too_short(start, trial, value, self.decrease)

        def go_on(trial: Tensor, value: Tensor, low: Tensor, low_value: Tensor, high: Tensor, n: Tensor) -> Tensor:
            decreases, good = judge(trial, value)
            limit = decreases & (trial >= self.longest)
            return descends(start) & opposite(good | limit | (n >= self.max_evaluations))

        def look(
            trial: Tensor, value: Tensor, low: Tensor, low_value: Tensor, high: Tensor, n: Tensor
        ) -> tuple[Tensor, ...]:
            low, low_value, high = self._narrow(start, trial, value, low, low_value, high)
            open_above = at_most(low * self.factor, self.longest)
            open_below = high / self.factor
            inner = where(low > 0.0, 0.5 * (low + high), open_below)
            trial = where(is_finite(high), inner, open_above)
            return trial, like(line.phi(trial), alpha), low, low_value, high, n + 1

        value = like(line.phi(alpha), alpha)
        state = (alpha, value, start.alpha, start.value, like(float("inf"), alpha), count(1, alpha))
        trial, value, low, low_value, high, n = loop(go_on, look, state)
        low, low_value, _ = self._narrow(start, trial, value, low, low_value, high)
        _, good = judge(trial, value)
        status = where(good, int(Status.ACCEPTED), int(Status.DECREASE_ONLY))
        return outcome(start, low > 0.0, low, low_value, n, status)

    def _narrow(
        self, start: Point, trial: Tensor, value: Tensor, low: Tensor, low_value: Tensor, high: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the interval after a trial; its lower end is the longest step with sufficient decrease."""
        decreases = sufficient_decrease(start, trial, value, self.decrease)
        return (
            where(decreases, trial, low),
            where(decreases, value, low_value),
            where(decreases, high, trial),
        )
