"""GeN: now and then a parabola along the step made before, measured on a batch that had no part in choosing it.

Bu and Xu 2024, Gradient descent with generalized Newton's method, arXiv:2407.02772 (ICLR 2025), section 4.
"""

from __future__ import annotations

from typing import NamedTuple

from keras_lr._arguments import Beta, Limit, Natural, Positive
from keras_lr._value import value
from keras_lr.line_search._conditions import outcome
from keras_lr.line_search._line import Accepted, Line, Point, Status, Tensor
from keras_lr.line_search._rule import Rule
from keras_lr.line_search._scalars import at_least, at_most, choose, count, is_finite, like, where


class Measured(NamedTuple):
    """The step in use."""

    alpha: Tensor  # shape ()
    steps: Tensor  # steps made, shape ()


@value
class GeN(Rule):
    """Keep a step and correct it every k steps by the parabola through three losses on a fresh batch.

    The step u made before, chosen by the last batch, is judged by this one: with L₊ the loss here (after u, known
    already), L₀ the loss before u and L₋ the loss one u further back, its best multiple is (L₋ - L₊)/(2·(L₊ - 2·L₀ +
    L₋)). Where that is a minimum ahead, α ← m·α + (1 - m)·clip(multiple·‖u‖, α/2, 2·α), with u in units of the
    direction: α itself, unless a schedule of the optimizer has shortened the step. Because the batch is a fresh one,
    the loss on the way is an unbiased sample, while PAL and Armijo look where their own batch wants to go.

    Args:
        initial: α of the first steps, in units of the direction. The default is for one with a rate of its own, such as
            Adam(1e-3). Along the plain gradient α is the learning rate itself, and corrections by a tenth come too late
            for one that diverges: begin low there, with 1e-3.
        every: k, steps between measurements.
        smoothing: m.
        longest: α is never larger.

    Raises:
        ValueError: an argument is out of its range.

    Costs:
        Two forward passes every k steps, and memory for one more set of weights (the step before).

    Reference:
        Bu and Xu 2024. They evaluate at three points without using that one of the losses is known.

    Example:
        >>> from keras_lr.line_search import GeN, Line, Point
        >>> rule = GeN(every=1, smoothing=0.5)
        >>> memory = rule.memory()._replace(alpha=1.0, steps=1.0)
        >>> losses = {0.0: 2.0, -1.0: 6.0, -2.0: 14.0}  # here, a step ago, and one step further back
        >>> accepted, memory = rule.step(Line(losses.get, None), Point(0.0, 2.0, -2.0), 1.0, memory)
        >>> accepted.alpha  # halfway from 1 to 1.5, the best multiple
        1.25
    """

    initial: Positive = 1.0
    every: Natural = 4
    smoothing: Beta = 0.9
    longest: Limit = 1e6

    looks_back = True

    def memory(self) -> Measured:
        return Measured(self.initial, 0.0)

    def first_trial(self, start: Point, memory: Measured) -> Tensor:
        return memory.alpha

    def step(self, line: Line, start: Point, alpha: Tensor, memory: Measured) -> tuple[Accepted, Measured]:
        """Judge the step before, of length `alpha`, along which `line` runs with 0 here and -1 where it came from."""
        due = (memory.steps > 0.0) & (memory.steps % self.every == 0.0)

        def measure() -> tuple[Tensor, Tensor]:
            before = like(line.phi(like(-1.0, alpha)), start.value)
            further = like(line.phi(like(-2.0, alpha)), start.value)
            multiple, found = best_multiple(further, before, start.value)
            best = at_least(at_most(alpha * multiple, 2.0 * memory.alpha), 0.5 * memory.alpha)
            new = where(found, self.smoothing * memory.alpha + (1.0 - self.smoothing) * best, memory.alpha)
            return at_most(new, self.longest), count(2, alpha)

        new, evaluations = choose(due, measure, lambda: (like(memory.alpha, alpha), count(0, alpha)))
        status = where(due, int(Status.ACCEPTED), int(Status.KEPT))
        accepted = outcome(start, new > 0.0, new, start.value, evaluations, status)
        return accepted, Measured(new, memory.steps + 1.0)


def best_multiple(further: Tensor, before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
    """Return the best multiple of a step, and whether the three losses tell one.

    Args:
        further: the loss one step behind its start.
        before: the loss at its start.
        after: the loss at its end.
    """
    bend = after - 2.0 * before + further
    found = (bend > 0.0) & (further > after)
    multiple = 0.5 * (further - after) / where(found, bend, 1.0)
    return multiple, found & is_finite(multiple)
