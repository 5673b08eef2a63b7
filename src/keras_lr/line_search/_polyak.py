"""Polyak steps: the rate from the loss at the start alone, given what the loss can come down to."""

from __future__ import annotations

from typing import NamedTuple

from keras_lr._arguments import AtLeastOne, Positive, Real
from keras_lr._value import value
from keras_lr.line_search._conditions import outcome
from keras_lr.line_search._line import Accepted, Line, Point, Status, Tensor
from keras_lr.line_search._rule import Memory, Rule
from keras_lr.line_search._scalars import alike, at_least, at_most, count, is_finite, ratio, where


class Bound(NamedTuple):
    """What bounds the next Polyak step."""

    alpha: Tensor  # the step before, shape ()


@value
class Polyak(Rule):
    """Step by α = min((φ(0) - φ*)/(c·|φ'(0)|), bound), the bound growing from step to step (SPS_max).

    Along the negative gradient |φ'(0)| is ‖g‖²; along another direction the same formula bounds the step by what is
    left to gain. The bound is the step before times `growth`.

    Args:
        lower_bound: φ*, the loss that the batch could reach, 0 for cross-entropy and squared errors. Too low a value
            makes steps too long: without interpolation (noisy labels, small networks) the method ends in a
            neighbourhood.
        scale: c. 0.5 is the authors' default, 0.2 what they use for deep networks, 1 the classical step.
        initial: bound of the first step.
        growth: factor on the bound a step. The default doubles it in 500 steps.

    Raises:
        ValueError: an argument is out of its range.

    Costs:
        Nothing beyond the norm of the gradient.

    Reference:
        Loizou et al. 2021, Stochastic Polyak Step-size for SGD, arXiv:2002.10542, equation SPS_max.

    Example:
        >>> from keras_lr.line_search import Polyak, Point
        >>> rule = Polyak(scale=1.0)
        >>> float(rule.first_trial(Point(0.0, 2.0, -4.0), rule.memory()))
        0.5
    """

    lower_bound: Real = 0.0
    scale: Positive = 0.5
    initial: Positive = 1.0
    growth: AtLeastOne = 2 ** (1 / 500)

    evaluates = False

    def memory(self) -> Bound:
        return Bound(self.initial)

    def first_trial(self, start: Point, memory: Bound) -> Tensor:
        return at_most(polyak_step(start, self.lower_bound, self.scale), memory.alpha * self.growth)

    def step(self, line: Line, start: Point, alpha: Tensor, memory: Bound) -> tuple[Accepted, Bound]:
        accepted = unsearched(start, alpha)
        return accepted, Bound(where(accepted.alpha > 0.0, alpha, memory.alpha))


@value
class SafePolyak(Rule):
    """Step by α = (φ(0) - φ*)/max(|φ'(0)|, M): the Polyak step with a floor under its denominator (SPS_safe).

    A bound on the step turns the Polyak rate into a constant once it binds; the floor keeps it in proportion to the
    loss that is left. It equals clipping of the gradient.

    Args:
        lower_bound: φ*, the loss that the batch could reach.
        floor: M, on the scale of ‖g‖². The authors' default is 1.

    Raises:
        ValueError: an argument is out of its range.

    Costs:
        Nothing beyond the norm of the gradient.

    Reference:
        Oikonomou and Loizou 2025, Safeguarded Stochastic Polyak Step Sizes for Non-smooth Optimization,
        arXiv:2512.02342.

    Example:
        >>> from keras_lr.line_search import Point, SafePolyak
        >>> rule = SafePolyak()
        >>> float(rule.first_trial(Point(0.0, 0.5, -0.01), rule.memory()))
        0.5
    """

    lower_bound: Real = 0.0
    floor: Positive = 1.0

    evaluates = False

    def first_trial(self, start: Point, memory: Memory) -> Tensor:
        start, _ = alike(start, 0.0)
        return (start.value - self.lower_bound) / at_least(abs(start.slope), self.floor)

    def step(self, line: Line, start: Point, alpha: Tensor, memory: Memory) -> tuple[Accepted, Memory]:
        return unsearched(start, alpha), memory


def polyak_step(start: Point, lower_bound: float, scale: float) -> Tensor:
    """Return (φ(0) - φ*)/(c·|φ'(0)|); not finite where the slope is 0."""
    start, _ = alike(start, 0.0)
    return ratio(start.value - lower_bound, scale * abs(start.slope))


def unsearched(start: Point, alpha: Tensor) -> Accepted:
    """Return the outcome of a rule that takes a step without looking: accepted where the line descends."""
    start, alpha = alike(start, alpha)
    found = is_finite(alpha) & (alpha > 0.0)
    return outcome(start, found, alpha, start.value, count(0, alpha), int(Status.ACCEPTED))
