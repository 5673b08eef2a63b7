"""Gradient-only line searches: the sign of the slope decides, the loss is never asked for.

Along a descent direction the slope goes from negative to positive at a minimum of the trend. On a new mini-batch a
trial the sign flips over a whole interval; any step inside it will do.

Reference:
    Kafka and Wilke, arXiv:1903.09383 (inexact search), arXiv:2001.05113 (bisection, maximum and back).
    `SlopeTracking` is the sign-free limit that accepts every trial: hypergradient descent (Baydin et al.,
    arXiv:1703.04782) in logarithmic form.
"""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

from keras_lr._arguments import AboveOne, Part, Positive, number, or_none
from keras_lr._value import Value
from keras_lr.line_search._dynamic import FIRST, GROWING, REFINING, SHRINKING, Decision, SearchState, Seen, dynamic
from keras_lr.line_search._scalars import Scalar, exp, like, maximum, minimum, where


@dynamic
class Inexact(Value):
    """Accept a step that ends between the first sign change and a small overshoot (GOLS-I).

    The first trial is the last accepted step. It is accepted where 0 < s < ρ |s₀|, s being its slope and s₀ that of
    the gradient that made the direction. Where it still descends, the step doubles until the slope turns
    non-negative or the cap is near; where it overshot, the step halves until the slope turns negative.

    Args:
        growth: Factor of doubling and halving, above 1.
        overshoot: ρ, the largest slope that is accepted at once, as a fraction of |s₀|. 0.9 is the paper's and
            greedy; 3 lets steps bounce in steep directions, which trains better over a whole run.
        first_growth: Factor of growing in the very first search, whose start is a guess that may be many decades too
            small: 10 costs a gradient a decade, where 2 costs three. None, as in the paper: ``growth``.

    Raises:
        ValueError: an argument is out of its range.

    Example:
        >>> import keras
        >>> from keras_lr.line_search import Inexact
        >>> from keras_lr.optimizers import GradientOnly, SteepestDescent
        >>> weight = keras.Variable([1.0])
        >>> optimizer = GradientOnly(Inexact(), SteepestDescent(), max_update_norm=4.0, initial_step=0.3)
        >>> for _ in range(4):  # trials on the loss w^2 / 2, whose gradient is w
        ...     optimizer.apply([weight + 0.0], [weight])
        ...     print(round(float(weight.numpy()[0]), 3), end=" ")
        0.7 0.4 -0.2 0.04
    """

    growth: AboveOne = 2.0
    overshoot: Positive = 0.9
    first_growth: Annotated[float | None, or_none(number(above=1.0))] = None
    needs_value: ClassVar[bool] = False

    def __call__(self, search: SearchState, seen: Seen, smallest_step: float) -> Decision:
        small_overshoot = (seen.slope > 0.0) & (seen.slope < self.overshoot * abs(search.start_slope))
        growth = like(self.growth, seen.slope)
        if self.first_growth is not None:
            growth = where((search.accepts == 0.0) & (seen.slope < 0.0), self.first_growth, growth)
        decision = _grow_or_shrink(search, seen.slope, 0.0, growth, smallest_step)
        at_once = (search.phase == FIRST) & small_overshoot
        return Decision(
            decision.accept | at_once,
            decision.search._replace(step_size=where(at_once, search.step_size, decision.search.step_size)),
        )


@dynamic
class Maximum(Value):
    """Find a step about as long as its overshoot is still tolerated (GOLS-Max).

    From the last accepted step: where its slope is below ρ |s₀| the step doubles until it is not, or the cap is near;
    else it halves until it is. So a step that grew ends just past the tolerance, one that shrank within it.

    Args:
        growth: Factor of doubling and halving, above 1.
        overshoot: ρ, the tolerated slope as a fraction of |s₀|; positive.

    Raises:
        ValueError: an argument is out of its range.

    Example:
        >>> import keras
        >>> from keras_lr.line_search import Maximum
        >>> from keras_lr.optimizers import GradientOnly, SteepestDescent
        >>> weight = keras.Variable([1.0])
        >>> optimizer = GradientOnly(Maximum(), SteepestDescent(), max_update_norm=4.0, initial_step=0.3)
        >>> for _ in range(4):  # trials on the loss w^2 / 2, whose gradient is w
        ...     optimizer.apply([weight + 0.0], [weight])
        ...     print(round(float(weight.numpy()[0]), 3), end=" ")
        0.7 0.4 -0.2 -1.4
    """

    growth: AboveOne = 2.0
    overshoot: Positive = 0.9
    needs_value: ClassVar[bool] = False

    def __call__(self, search: SearchState, seen: Seen, smallest_step: float) -> Decision:
        tolerated = self.overshoot * abs(search.start_slope)
        return _grow_or_shrink(search, seen.slope, tolerated, self.growth, smallest_step)


@dynamic
class Back(Value):
    """Start every search at the cap and halve until the step no longer overshoots (GOLS-Back).

    The step at the cap is accepted where it descends, a smaller one where its slope is at most ρ |s₀|.

    Args:
        growth: Factor of halving, above 1.
        overshoot: ρ, the tolerated slope as a fraction of |s₀|; positive.

    Raises:
        ValueError: an argument is out of its range.

    Example:
        >>> import keras
        >>> from keras_lr.line_search import Back
        >>> from keras_lr.optimizers import GradientOnly, SteepestDescent
        >>> weight = keras.Variable([1.0])
        >>> optimizer = GradientOnly(Back(), SteepestDescent(), max_update_norm=3.0, initial_step=3.0)
        >>> for _ in range(4):  # trials on the loss w^2 / 2, whose gradient is w
        ...     optimizer.apply([weight + 0.0], [weight])
        ...     print(round(float(weight.numpy()[0]), 3), end=" ")
        -2.0 -0.5 2.5 1.0
    """

    growth: AboveOne = 2.0
    overshoot: Positive = 0.9
    needs_value: ClassVar[bool] = False

    def __call__(self, search: SearchState, seen: Seen, smallest_step: float) -> Decision:
        first = search.phase == FIRST
        tolerated = where(first, 0.0, self.overshoot * abs(search.start_slope))
        good = where(first, seen.slope < tolerated, seen.slope <= tolerated)
        accept = good | (search.step_size < smallest_step * self.growth)
        step_size = where(accept, math.inf, search.step_size / self.growth)
        return Decision(accept, search._replace(phase=SHRINKING, step_size=step_size))


@dynamic
class Bisection(Value):
    """Bracket the sign change and bisect it (GOLS-B).

    From the last accepted step the trial doubles while the slope is negative; then the bracket is halved by the
    sign of the slope at its middle. With batches of one data set this finds the sign change to full precision, at
    ten and more gradients a step: a measure for other rules rather than a way to train.

    Args:
        growth: Factor of doubling, above 1.
        precision: Width of the bracket, as a fraction of its upper end, at which the middle is accepted.

    Raises:
        ValueError: an argument is out of its range.

    Example:
        >>> import keras
        >>> from keras_lr.line_search import Bisection
        >>> from keras_lr.optimizers import GradientOnly, SteepestDescent
        >>> weight = keras.Variable([1.0])
        >>> optimizer = GradientOnly(Bisection(), SteepestDescent(), max_update_norm=4.0, initial_step=0.3)
        >>> for _ in range(6):  # trials on the loss w^2 / 2, whose gradient is w
        ...     optimizer.apply([weight + 0.0], [weight])
        ...     print(round(float(weight.numpy()[0]), 3), end=" ")
        0.7 0.4 -0.2 0.1 -0.05 0.025
    """

    growth: AboveOne = 2.0
    precision: Part = 1e-3
    needs_value: ClassVar[bool] = False

    def __call__(self, search: SearchState, seen: Seen, smallest_step: float) -> Decision:
        search = _narrowed(search, seen.slope)
        open_ended = search.upper == 0.0
        step_size = where(
            open_ended,
            minimum(search.step_size * self.growth, search.cap),
            maximum(0.5 * (search.lower + search.upper), smallest_step),
        )
        width = search.upper - search.lower
        narrowed = (width <= self.precision * search.upper) | (search.upper <= smallest_step)
        accept = where(open_ended, search.step_size >= search.cap, narrowed)
        return Decision(
            accept,
            search._replace(
                phase=where(open_ended, GROWING, REFINING), step_size=where(accept, search.step_size, step_size)
            ),
        )


@dynamic
class SlopeTracking(Value):
    """Accept every trial and let the step follow the slope it ended on.

    log α falls by k cos(g, d): it grows while steps end short of the sign change and falls when they overshoot.
    One gradient a step, no search.

    Args:
        gain: k, the change of log α per step at the most. 0.02 takes about 115 steps for a decade.

    Raises:
        ValueError: an argument is out of its range.

    Example:
        >>> import keras
        >>> from keras_lr.line_search import SlopeTracking
        >>> from keras_lr.optimizers import GradientOnly, SteepestDescent
        >>> weight = keras.Variable([1.0])
        >>> optimizer = GradientOnly(SlopeTracking(gain=0.5), SteepestDescent(), max_update_norm=4.0, initial_step=0.1)
        >>> for _ in range(4):  # steps on the loss w^2 / 2, whose gradient is w
        ...     optimizer.apply([weight + 0.0], [weight])
        ...     print(round(float(weight.numpy()[0]), 3), end=" ")
        0.9 0.752 0.547 0.302
    """

    gain: Annotated[float, number(above=0.0, most=1.0)] = 0.02
    needs_value: ClassVar[bool] = False

    def __call__(self, search: SearchState, seen: Seen, smallest_step: float) -> Decision:
        lengths = seen.gradient_norm * search.length
        cosine = seen.slope / maximum(lengths, 1e-30)
        return Decision(True, search._replace(step_size=search.step_size * exp(-self.gain * cosine)))


def _grow_or_shrink(
    search: SearchState, slope: Scalar, threshold: Scalar, growth: Scalar, smallest_step: float
) -> Decision:
    step_size, first = search.step_size, search.phase == FIRST
    below = slope < threshold
    may_grow = where(first, step_size < search.cap, (search.phase == GROWING) & (step_size <= search.cap / growth))
    may_shrink = where(
        first, step_size > smallest_step, (search.phase == SHRINKING) & (step_size >= smallest_step * growth)
    )
    grow, shrink = below & may_grow, (slope >= threshold) & may_shrink
    larger = minimum(step_size * growth, search.cap)
    smaller = maximum(step_size / growth, smallest_step)
    return Decision(
        where(grow | shrink, False, True),
        search._replace(
            phase=where(below, GROWING, SHRINKING),
            step_size=where(grow, larger, where(shrink, smaller, step_size)),
        ),
    )


def _narrowed(search: SearchState, slope: Scalar) -> SearchState:
    """Return the search with one end of the bracket at the trial: the lower end where it descends, else the upper."""
    descends = slope < 0.0
    return search._replace(
        lower=where(descends, search.step_size, search.lower),
        lower_slope=where(descends, slope, search.lower_slope),
        upper=where(descends, search.upper, search.step_size),
        upper_slope=where(descends, search.upper_slope, slope),
    )
