"""A line search in which every trial sees a new mini-batch: the machine that is resumed once a training step.

A training step measures one gradient at the trial point x₀ + α d. From its slope along d a rule either accepts the
trial, and the same gradient makes the next direction, or names the next α. So the search costs what SGD costs, one
gradient a step, and needs no closure. Everything here is arithmetic on scalars (Python floats or tensors).

Reference:
    Kafka and Wilke, "Gradient-only line searches: An Alternative to Probabilistic Line Searches",
    arXiv:1903.09383; the guards are ours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, TypeVar, dataclass_transform

from keras_lr._arguments import Limit, Natural, Part, Positive, check
from keras_lr._value import Value, value
from keras_lr.line_search._scalars import Scalar, clip, is_finite, maximum, minimum, select, where

_T = TypeVar("_T")

FIRST, GROWING, SHRINKING, REFINING = 0.0, 1.0, 2.0, 3.0
"""The phases of a search: at its first trial, doubling, halving, between the two ends of a bracket."""


class SearchState(NamedTuple):
    """The state of a search along one direction d from the origin x₀; every field a scalar."""

    phase: Scalar  # FIRST, GROWING, SHRINKING or REFINING
    step_size: Scalar  # α: the trial whose slope comes next
    position: Scalar  # where the weights stand, in units of d: α, or 0 when they were put at rest
    cap: Scalar  # the largest α allowed on this direction
    length: Scalar  # ‖d‖
    start_slope: Scalar  # gᵀd of the gradient that made d, negative
    start_value: Scalar  # loss of the batch that made d; 0 when no rule asks for it
    lower: Scalar  # the end of the bracket that descends
    lower_slope: Scalar
    upper: Scalar  # the end of the bracket that ascends; 0: none found yet
    upper_slope: Scalar
    trials: Scalar  # gradients seen on this direction
    accepts: Scalar  # steps accepted since the beginning
    accepted_step_size: Scalar  # α of the last accepted step; 0 before the first
    accepted_trials: Scalar  # gradients that the last accepted step took
    non_finite: Scalar  # gradients in a row that were not finite
    initial_norm: Scalar  # length of the weights at the very first gradient, where the cap is a fraction of it; else 0
    longest_norm: Scalar  # the longest that they have been since


class Seen(NamedTuple):
    """What a training step shows of the line at the current trial; every field a scalar."""

    slope: Scalar  # gᵀd
    gradient_norm: Scalar  # ‖g‖
    value: Scalar = 0.0  # loss of the batch, where a rule asks for it


class Decision(NamedTuple):
    """What a rule answers."""

    accept: Any  # a bool, or a boolean tensor
    search: SearchState  # its step_size: the next trial; after an acceptance the first one along the next direction


class DynamicRule(Protocol):
    """A line search on changing batches: one decision from one trial. A frozen dataclass: it prints and compares."""

    @property
    def needs_value(self) -> bool:
        """Whether the rule looks at the loss, and not at the slope alone."""

    def __call__(self, search: SearchState, seen: Seen, smallest_step: float) -> Decision:
        """Accept the trial or name the next one."""


@dataclass_transform(frozen_default=True)
def dynamic(cls: type[_T]) -> type[_T]:
    """Turn a class into a value; in a package of its own, because schedules have a `Maximum` too."""
    return value(cls, "keras_lr.line_search")


@dynamic
class Limits(Value):
    """What holds for every rule.

    Args:
        smallest_step: No trial is smaller, unless the cap is. 1e-8 and 1e7 are the range of Kafka and Wilke.
        largest_step: No trial is larger.
        max_trials: A search that took so many gradients accepts the trial at hand; the very first search, which
            may start many decades too low, is given twice as many.
        non_finite_shrink: Factor on the trial after a gradient that is not finite.
        max_non_finite: After so many such gradients in a row the weights return to the last accepted point and
            stay until a finite gradient comes.

    Raises:
        ValueError: An argument is out of its range.

    Example:
        >>> import keras
        >>> from keras_lr.line_search import Limits
        >>> from keras_lr.optimizers import GradientOnly, SteepestDescent
        >>> weight, limits = keras.Variable([1.0]), Limits(non_finite_shrink=0.5)
        >>> optimizer = GradientOnly(None, SteepestDescent(), max_update_norm=1.0, initial_step=0.5, limits=limits)
        >>> for gradient in (1.0, float("nan"), float("nan")):  # the trial comes back halfway, and halfway again
        ...     optimizer.apply([keras.ops.convert_to_tensor([gradient])], [weight])
        ...     print(float(weight.numpy()[0]), end=" ")
        0.5 0.75 0.875
    """

    smallest_step: Positive = 1e-8
    largest_step: Limit = 1e7
    max_trials: Natural = 30
    non_finite_shrink: Part = 0.1
    max_non_finite: Natural = 20

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self, "largest_step", least=self.smallest_step, below=None, remedy="The bound is smallest_step.")


def at_rest(initial_step: float) -> SearchState:
    """Return the state before the first gradient: no direction yet, weights at the origin."""
    return SearchState(*([0.0] * len(SearchState._fields)))._replace(step_size=initial_step)


def judge(
    rule: Callable[[SearchState, Seen, float], Decision], limits: Limits, search: SearchState, seen: Seen
) -> Decision:
    """Let the rule decide on a trial, behind the guards that hold for all rules.

    A gradient met at rest begins a search whatever its slope. A zero gradient says nothing and moves nothing. A
    gradient that is not finite shrinks the trial by `non_finite_shrink`, which becomes the cap, and starts again there.
    """
    finite = is_finite(seen.slope) & is_finite(seen.gradient_norm) & is_finite(seen.value)
    seen = Seen(*(where(finite, field, 0.0) for field in seen))
    moved = search.position == search.step_size
    tried = search._replace(trials=search.trials + 1.0, non_finite=0.0)

    decision = rule(tried, seen, limits.smallest_step)
    of_the_first = (search.accepts == 0.0) & (tried.trials < 2 * limits.max_trials)
    at_will = moved & (of_the_first | (tried.trials < limits.max_trials))
    accept = finite & (seen.gradient_norm > 0.0) & where(at_will, decision.accept, True)
    searched = _count(accept & moved, tried, select(at_will, decision.search, tried))

    silent = finite & (seen.gradient_norm == 0.0)
    unseen = select(silent, search._replace(non_finite=0.0), _draw_back(limits, search, moved))
    return Decision(accept, select(finite & (seen.gradient_norm > 0.0), searched, unseen))


def set_out(
    limits: Limits, search: SearchState, start_slope: Scalar, length: Scalar, max_update_norm: Scalar, value: Scalar
) -> SearchState:
    """Return the state at the first trial along a new direction, from an accepted search.

    The cap is the step size at which the update has length `max_update_norm`.
    """
    cap = max_update_norm / maximum(length, max_update_norm / limits.largest_step)
    step_size = clip(search.step_size, limits.smallest_step, cap)
    return search._replace(
        phase=FIRST,
        step_size=step_size,
        position=step_size,
        cap=cap,
        length=length,
        start_slope=start_slope,
        start_value=value,
        lower=0.0,
        lower_slope=start_slope,
        upper=0.0,
        upper_slope=0.0,
        trials=0.0,
    )


def _count(took: Any, tried: SearchState, chosen: SearchState) -> SearchState:
    return chosen._replace(
        position=chosen.step_size,
        accepts=where(took, tried.accepts + 1.0, tried.accepts),
        accepted_step_size=where(took, tried.step_size, tried.accepted_step_size),
        accepted_trials=where(took, tried.trials, tried.accepted_trials),
    )


def _draw_back(limits: Limits, search: SearchState, moved: Any) -> SearchState:
    count = search.non_finite + 1.0
    smaller = minimum(maximum(search.step_size * limits.non_finite_shrink, limits.smallest_step), search.step_size)
    step_size = where(moved, smaller, search.step_size)
    home = where(moved, count >= limits.max_non_finite, True)
    return search._replace(
        phase=FIRST,
        step_size=step_size,
        position=where(home, 0.0, step_size),
        cap=step_size,
        lower=0.0,
        lower_slope=search.start_slope,
        upper=0.0,
        upper_slope=0.0,
        trials=search.trials + 1.0,
        non_finite=count,
    )
