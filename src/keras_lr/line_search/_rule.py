"""Rules: searches that remember a few numbers from step to step, as an optimizer needs them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, Any, NamedTuple, Protocol

from keras_lr._arguments import Argument, AtLeastOne, Limit, Positive
from keras_lr._value import Value, value
from keras_lr.line_search._line import Accepted, Line, Point, Search, Tensor
from keras_lr.line_search._scalars import at_most, like, where

Memory = Any  # a NamedTuple of numbers


class Nothing(NamedTuple):
    """The memory of a rule that remembers nothing."""


class Rule(Value, ABC):
    """How far to go at each step of a training: a first trial, a search from there, and what is remembered.

    Class attributes:
        evaluates: whether the loss is asked for anywhere else than at the start.
        lengths: whether steps are lengths in the space of the weights, not multiples of the direction.
        looks_back: whether the line to look along is the step made before, which the batch at hand did not choose.

    Example:
        >>> from keras_lr.line_search import Accepted, Point, Rule, Status
        >>> from keras_lr.optimizers import LineSearch
        >>> class TenthOfPolyak(Rule):
        ...     evaluates = False
        ...     def first_trial(self, start, memory):
        ...         return -0.1 * start.value / start.slope
        ...     def step(self, line, start, alpha, memory):
        ...         return Accepted(alpha, start.value, 0, Status.ACCEPTED), memory
        >>> optimizer = LineSearch(TenthOfPolyak())
        >>> optimizer.rule.first_trial(Point(0.0, 4.0, -4.0), optimizer.rule.memory())
        0.1
    """

    evaluates = True
    lengths = False
    looks_back = False

    def memory(self) -> Memory:
        """Return what is remembered before the first step: a NamedTuple of floats."""
        return Nothing()

    @abstractmethod
    def first_trial(self, start: Point, memory: Memory) -> Tensor:
        """Return the step to evaluate first."""

    @abstractmethod
    def step(self, line: Line, start: Point, alpha: Tensor, memory: Memory) -> tuple[Accepted, Memory]:
        """Search from the first trial `alpha`; return the outcome and what to remember."""


class FirstTrial(Protocol):
    """Chooses the step that a search tries first.

    Example:
        >>> from keras_lr.line_search import Backtracking, EachStep, Point
        >>> class Doubled:
        ...     initial = 0.1
        ...     def __call__(self, start, alpha, slope):
        ...         return 2.0 * alpha
        >>> rule = EachStep(Backtracking(), first=Doubled())
        >>> rule.first_trial(Point(0.0, 4.0, -4.0), rule.memory()._replace(alpha=0.25, slope=-8.0))
        0.5
    """

    @property
    def initial(self) -> float:
        """The first trial of the first search."""

    def __call__(self, start: Point, alpha: Tensor, slope: Tensor) -> Tensor:
        """Return the first trial; `alpha` and `slope` are those of the step before."""


@value
class Growing(Value):
    """Try a little more than the step before: `alpha·factor`, at most `longest`.

    Reset option 2 of the paper (option 1 of the authors' code): there the factor is 2 to the power 1/(batches in an
    epoch), so that the rate can double in an epoch and falls as fast as it must.

    Args:
        initial: the first trial of the first step.
        factor: growth a step, at least 1; 1 keeps the step. The default doubles the step in 500.
        longest: no trial is longer.

    Raises:
        ValueError: an argument is out of its range.

    Reference:
        Vaswani et al. 2019, Painless Stochastic Gradient, arXiv:1905.09997.

    Example:
        >>> from keras_lr.line_search import Growing, Point
        >>> Growing(factor=2.0, longest=5.0)(Point(0.0, 4.0, -4.0), alpha=1.5, slope=-8.0)
        3.0
        >>> Growing(factor=2.0, longest=5.0)(Point(0.0, 4.0, -4.0), alpha=3.0, slope=-8.0)
        5.0
    """

    initial: Positive = 1.0
    factor: AtLeastOne = 2 ** (1 / 500)
    longest: Limit = 1e6

    def __call__(self, start: Point, alpha: Tensor, slope: Tensor) -> Tensor:
        return at_most(alpha * self.factor, self.longest)


@value
class Restarting(Value):
    """Try the same step first, always: 1 for Newton-like directions, whose length is meant.

    Args:
        initial: the first trial of every step.

    Raises:
        ValueError: an argument is out of its range.

    Example:
        >>> from keras_lr.line_search import Point, Restarting
        >>> Restarting()(Point(0.0, 4.0, -4.0), alpha=0.25, slope=-8.0)
        1.0
    """

    initial: Positive = 1.0

    def __call__(self, start: Point, alpha: Tensor, slope: Tensor) -> Tensor:
        return like(self.initial, alpha)


@value
class SameDecrease(Value):
    """Expect the first-order decrease of the step before, `alpha·slope_before/slope`: equation 3.60 of the reference.

    Args:
        initial: the first trial of the first step.
        growth: the most times the step before that a first trial may be, at least 1; on a new batch the slope jumps.

    Raises:
        ValueError: an argument is out of its range.

    Reference:
        Nocedal and Wright 2006, Numerical Optimization, section 3.5.

    Example:
        >>> from keras_lr.line_search import Point, SameDecrease
        >>> SameDecrease()(Point(0.0, 4.0, -4.0), alpha=0.25, slope=-8.0)  # 0.25 * 8 / 4
        0.5
    """

    initial: Positive = 1.0
    growth: AtLeastOne = 10.0

    def __call__(self, start: Point, alpha: Tensor, slope: Tensor) -> Tensor:
        known = (slope < 0.0) & (start.slope < 0.0)
        factor = where(known, slope / where(known, start.slope, -1.0), 1.0)
        return alpha * at_most(factor, self.growth)


class StepBefore(NamedTuple):
    """The step that was accepted last."""

    alpha: Tensor  # the step, shape ()
    slope: Tensor  # the slope at its start, shape (), 0 at the first step


def _a_search(given: Any, argument: Argument) -> Any:
    if isinstance(given, type | Rule | Growing | Restarting | SameDecrease) or not callable(given):
        raise ValueError(argument.refusal("a search such as Backtracking()", given))
    return given


def _a_first_trial(given: Any, argument: Argument) -> Any:
    if isinstance(given, type) or not (callable(given) and hasattr(given, "initial")):
        raise ValueError(argument.refusal("a first trial such as Growing()", given))
    return given


@value
class EachStep(Rule):
    """One search at every step, with a rule for its first trial. A search given to `LineSearch` becomes this.

    A search that fails leaves the memory alone: one bad batch does not make the next steps small.

    Args:
        search: any search of this room, a callable `(line, start, alpha) -> Accepted`.
        first: how the first trial is chosen.

    Raises:
        ValueError: `search` is no search, or `first` does not choose a first trial.

    Example:
        >>> from keras_lr.line_search import Backtracking, EachStep, Growing, Line, Point
        >>> rule, start = EachStep(Backtracking(adaptive=False), first=Growing(factor=1.5)), Point(0.0, 4.0, -4.0)
        >>> accepted, memory = rule.step(Line(lambda a: (a - 2.0) ** 2, None), start, 8.0, rule.memory())
        >>> accepted.alpha, rule.first_trial(start, memory)
        (2.0, 3.0)
    """

    search: Annotated[Search, _a_search]
    first: Annotated[FirstTrial, _a_first_trial] = Growing()

    def memory(self) -> StepBefore:
        return StepBefore(self.first.initial, 0.0)

    def first_trial(self, start: Point, memory: StepBefore) -> Tensor:
        fresh = memory.slope == 0.0
        return where(fresh, memory.alpha, self.first(start, memory.alpha, memory.slope))

    def step(self, line: Line, start: Point, alpha: Tensor, memory: StepBefore) -> tuple[Accepted, StepBefore]:
        accepted = self.search(line, start, alpha)
        good = accepted.alpha > 0.0
        return accepted, StepBefore(where(good, accepted.alpha, memory.alpha), where(good, start.slope, memory.slope))
