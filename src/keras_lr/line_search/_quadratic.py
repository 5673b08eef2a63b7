"""Quadratic approximations along a line: from two slopes, or from values and slopes in other mixtures.

With q(α) = k₁ α² + k₂ α + k₃ any three of f(0), f(a), f(2a), f′(0), f′(a) fix the step at which q is least. On new
mini-batches the mixtures differ in noise: slopes alone give a curvature of variance 2σ_s²/a², values give σ_f²/a⁴,
which is far larger for short trials. That is the case for the gradient-only surrogate.

Reference:
    Chae and Wilke, "Empirical study towards understanding line search approximations for training neural
    networks", arXiv:1909.06893. The list of mixtures and the safeguards are ours.
"""

from __future__ import annotations

import enum
from typing import Annotated

from keras_lr._arguments import AboveOne, member
from keras_lr._value import Value
from keras_lr.line_search._dynamic import FIRST, GROWING, REFINING, Decision, SearchState, Seen, dynamic
from keras_lr.line_search._scalars import Scalar, clip, maximum, minimum, where


class Enforced(enum.StrEnum):
    """What a quadratic is made to match; f is the loss of a batch, ′ a slope, 0 the origin, 1 and 2 the trials.

    Example:
        >>> from keras_lr.line_search import Enforced, Quadratic
        >>> [enforced.name for enforced in Enforced if Quadratic(enforced).needs_value]  # so attach(model)
        ['START_SLOPE', 'TRIAL_SLOPE', 'VALUES', 'LEAST_SQUARES']
    """

    SLOPES = "f0' f1'"
    START_SLOPE = "f0 f0' f1"
    TRIAL_SLOPE = "f0 f1 f1'"
    VALUES = "f0 f1 f2"
    LEAST_SQUARES = "f0 f0' f1 f1'"


@dynamic
class Quadratic(Value):
    """Try the last step, put a quadratic through what was seen, move to its minimum and accept.

    With `Enforced.SLOPES` this is the secant or gradient-only surrogate: α* = a s₀ / (s₀ - s₁). Two gradients a
    step, three for `Enforced.VALUES`. Where the curvature is not positive the step grows by `growth`.

    Args:
        enforced: What the quadratic matches. All but the slopes need the loss of the batch, so `attach(model)`.
        growth: Factor on the trial where no minimum is in sight, and the most by which α* may exceed the trial or
            fall short of it; above 1.

    Raises:
        ValueError: `growth` is not above 1, or `enforced` is no `Enforced`.

    Example:
        >>> import keras
        >>> from keras_lr.line_search import Quadratic
        >>> from keras_lr.optimizers import GradientOnly, SteepestDescent
        >>> weight = keras.Variable([1.0])
        >>> optimizer = GradientOnly(Quadratic(), SteepestDescent(), max_update_norm=4.0, initial_step=0.3)
        >>> for _ in range(2):  # trials on the loss w^2 / 2, whose gradient is w: the second is its minimum
        ...     optimizer.apply([weight + 0.0], [weight])
        ...     print(round(abs(float(weight.numpy()[0])), 3), end=" ")
        0.7 0.0
    """

    enforced: Annotated[Enforced, member(Enforced)] = Enforced.SLOPES
    growth: AboveOne = 10.0

    @property
    def needs_value(self) -> bool:
        """Whether the loss of the batch has to be known."""
        return self.enforced is not Enforced.SLOPES

    def __call__(self, search: SearchState, seen: Seen, smallest_step: float) -> Decision:
        if self.enforced is Enforced.VALUES:
            return self._from_three_values(search, seen)
        slope, curvature = _model(self.enforced, search, seen)
        final = search.phase == REFINING
        step_size = where(final, search.step_size, self._least(search, search.step_size, slope, curvature))
        return Decision(final, search._replace(phase=REFINING, step_size=step_size))

    def _from_three_values(self, search: SearchState, seen: Seen) -> Decision:
        """The first trial a is kept in `lower`, its value in `lower_slope`; the second is at 2a or at a/2."""
        first, final = search.phase == FIRST, search.phase == REFINING
        step_size, value = search.step_size, seen.value
        falls = value < search.start_value
        second = where(falls, minimum(2.0 * step_size, search.cap), 0.5 * step_size)
        near, far = minimum(search.lower, step_size), maximum(search.lower, step_size)
        swapped = search.lower > step_size
        value_near, value_far = where(swapped, value, search.lower_slope), where(swapped, search.lower_slope, value)
        slope, curvature = _through_values(search.start_value, near, value_near, far, value_far)
        vertex = self._least(search, far, slope, curvature)
        return Decision(
            final | (first & (second == step_size)),
            search._replace(
                phase=where(first, GROWING, REFINING),
                step_size=where(first, second, where(final, step_size, vertex)),
                lower=where(first, step_size, search.lower),
                lower_slope=where(first, value, search.lower_slope),
            ),
        )

    def _least(self, search: SearchState, trial: Scalar, slope: Scalar, curvature: Scalar) -> Scalar:
        """Return the minimum of slope · α + ½ curvature · α², kept near the trial and under the cap."""
        good = (curvature > 0.0) & (slope < 0.0)
        steepest = where(curvature > 0.0, curvature, 1.0)
        wanted = where(good, -slope / steepest, where(slope < 0.0, trial * self.growth, trial / self.growth))
        return minimum(clip(wanted, trial / self.growth, trial * self.growth), search.cap)


def _model(enforced: Enforced, search: SearchState, seen: Seen) -> tuple[Scalar, Scalar]:
    """Return slope at the origin and curvature of the quadratic; α is the trial."""
    step_size = where(search.step_size > 0.0, search.step_size, 1.0)
    rise = (seen.value - search.start_value) / step_size
    between_slopes = (seen.slope - search.start_slope) / step_size
    match enforced:
        case Enforced.SLOPES:
            return search.start_slope, between_slopes
        case Enforced.START_SLOPE:
            return search.start_slope, 2.0 * (rise - search.start_slope) / step_size
        case Enforced.TRIAL_SLOPE:
            curvature = 2.0 * (seen.slope - rise) / step_size
            return seen.slope - curvature * step_size, curvature
        case Enforced.LEAST_SQUARES:
            # Four equations for three unknowns, in units of the trial. The misfit is orthogonal to what the quadratic
            # can reach and changes both slopes alike, so the curvature is that of the secant.
            misfit = 0.2 * (rise - 0.5 * (search.start_slope + seen.slope))
            return search.start_slope + misfit, between_slopes
        case _:
            raise ValueError(f"Expected a mixture of two points; received {enforced!r}.")


def _through_values(
    start: Scalar, near: Scalar, value_near: Scalar, far: Scalar, value_far: Scalar
) -> tuple[Scalar, Scalar]:
    near, far = where(near > 0.0, near, 1.0), where(far > near, far, 2.0 * near + 1.0)
    to_near, to_far = (value_near - start) / near, (value_far - start) / far
    curvature = 2.0 * (to_far - to_near) / (far - near)
    return to_near - 0.5 * curvature * near, curvature
