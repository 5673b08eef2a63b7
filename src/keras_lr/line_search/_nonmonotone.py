"""PoNoS: Polyak's step as the first trial, and a decrease from the mean of the losses before.

Galli, Rauhut and Schmidt 2023, Don't be so Monotone: Relaxing Stochastic Line Search in Over-Parameterized Models,
arXiv:2306.12747, algorithm 1; the mean is that of Zhang and Hager 2004.
"""

from __future__ import annotations

from typing import NamedTuple

from keras_lr._arguments import Limit, Natural, Part, Positive, Real, Share
from keras_lr._value import value
from keras_lr.line_search._backtracking import Backtracking
from keras_lr.line_search._line import Accepted, Line, Point, Tensor
from keras_lr.line_search._polyak import polyak_step
from keras_lr.line_search._rule import Rule
from keras_lr.line_search._scalars import at_least, at_most, is_finite, like, select


class LossesBefore(NamedTuple):
    """The mean of the losses of earlier batches, and how many cuts the steps need."""

    reference: Tensor  # C, the mean, shape ()
    weight: Tensor  # Q, the weight of that mean, shape ()
    cuts: Tensor  # l, cuts that the next first trial takes beforehand, shape ()


@value
class PoNoS(Rule):
    """Backtrack from Polyak's step until φ(α) ≤ max(C, φ(0)) + c·α·φ'(0), where C is a mean of losses before.

    The first trial is (φ(0) - φ*)/(c_p·|φ'(0)|)·δˡ: what was cut at earlier steps is cut beforehand, less one cut a
    step, so later on most trials are accepted at once.

    Args:
        decrease: c, in (0, 1).
        scale: c_p of the Polyak step.
        shrink: δ, the factor of a cut.
        memory_fraction: ξ, weight of the mean against the newest loss. 1, the authors' choice and the most, is the mean
            of all losses so far, which permits almost anything late in a long run; 0 is the monotone condition.
        lower_bound: φ*, the loss that a batch could reach.
        longest: no trial is longer.
        max_evaluations: trials allowed.

    Raises:
        ValueError: an argument is out of its range.

    Costs:
        One forward pass a trial, mostly one a step.

    Example:
        >>> from keras_lr.line_search import Line, Point, PoNoS
        >>> rule, start = PoNoS(), Point(0.0, 2.0, -4.0)
        >>> alpha = rule.first_trial(start, rule.memory())  # 2 / (0.1 * 4)
        >>> accepted, memory = rule.step(Line(lambda a: 2.0 * (a - 1.0) ** 2, None), start, alpha, rule.memory())
        >>> alpha, accepted.alpha, memory
        (5.0, 0.625, LossesBefore(reference=2.0, weight=1.0, cuts=2.0))
    """

    decrease: Part = 0.5
    scale: Positive = 0.1
    shrink: Part = 0.5
    memory_fraction: Share = 1.0
    lower_bound: Real = 0.0
    longest: Limit = 10.0
    max_evaluations: Natural = 20

    def memory(self) -> LossesBefore:
        return LossesBefore(0.0, 0.0, 0.0)

    def first_trial(self, start: Point, memory: LossesBefore) -> Tensor:
        polyak = polyak_step(start, self.lower_bound, self.scale)
        return at_least(at_most(polyak * self.shrink**memory.cuts, self.longest), 1e-6)

    def step(self, line: Line, start: Point, alpha: Tensor, memory: LossesBefore) -> tuple[Accepted, LossesBefore]:
        weight = self.memory_fraction * memory.weight + 1.0
        mean = (self.memory_fraction * memory.weight * memory.reference + start.value) / weight
        search = Backtracking(self.decrease, self.shrink, adaptive=False, max_evaluations=self.max_evaluations)
        accepted = search.below(line, start, at_least(mean, start.value), alpha)
        cuts = like(accepted.evaluations - 1, memory.cuts)
        remembered = LossesBefore(mean, weight, at_least(memory.cuts + cuts - 1.0, 0.0))
        return accepted, select(is_finite(start.value), remembered, memory)
