"""What a probabilistic search notes of its line, and the trial that it proposes next.

All in units of the line: places t in first trials, values in first trials times first slopes, slopes in first slopes.

Reference:
    Mahsereci and Hennig, "Probabilistic Line Searches for Stochastic Optimization", arXiv:1703.10034, section 3. That
    only the newest trial may be accepted is from the authors' later implementation.
"""

from typing import Any, NamedTuple

from keras import ops

from keras_lr.line_search._gaussian_process import Posterior, posterior
from keras_lr.line_search._probabilistic import Wolfe, expected_improvement, minima_between, probability_of_wolfe

_FAR = 1e6  # where rows stand that hold no observation
_TINY = 1e-18  # floor of steps and slopes, so that their product is not 0 in float32
_MOST_NOISE = 1e20  # scaled variances beyond this say no less than this, and stay finite in float32
_HOPELESS_FRACTION = 0.01  # of the first cell: where to go when the mean ascends from the origin on


class Notes(NamedTuple):
    """What is known of a line beside the observations; every field a scalar tensor."""

    first_step: Any  # the unit of t
    steepness: Any  # the unit of slopes, |f'(0)|
    value_variance: Any  # of an observed value, scaled
    slope_variance: Any  # of an observed slope, scaled
    mean_step: Any  # running mean of the accepted steps; 0 before the first
    reach: Any  # how far beyond the farthest trial an extrapolation goes
    used: Any  # how many rows hold an observation
    value_misfit: Any  # half the squared difference of two batches, running means; 0 before the first
    slope_misfit: Any


NO_LINE = Notes(1.0, 1.0, *[0.0] * (len(Notes._fields) - 2))
"""The notes before the first line."""


class Proposal(NamedTuple):
    """What the process says about the newest trial."""

    accept: Any  # whether the Wolfe conditions hold there with enough probability
    place: Any  # t of the next trial otherwise
    beyond: Any  # whether that is farther than all trials before
    last: Any  # whether it is to be accepted as it is


def set_out_line(old: Notes, first_step: Any, steepness: Any, variances: tuple[Any, Any], mean_step: Any) -> Notes:
    """Return the notes at the origin of a new line; the variances are of the mean loss and the mean slope there."""
    first_step, steepness = ops.maximum(first_step, _TINY), ops.maximum(steepness, _TINY)
    # Divided twice, as a square would underflow near a minimum.
    value_variance = ops.minimum(variances[0] / (first_step * steepness) / (first_step * steepness), _MOST_NOISE)
    slope_variance = ops.minimum(variances[1] / steepness / steepness, _MOST_NOISE)
    one = ops.ones_like(first_step)
    return old._replace(
        first_step=first_step,
        steepness=steepness,
        value_variance=value_variance,
        slope_variance=slope_variance,
        mean_step=mean_step,
        reach=one,
        used=one,
    )


def at_origin(rows: int, dtype: str) -> Any:
    """Return the observations of a new line, shape (rows, 3): t, value and slope. The first is (0, 0, -1)."""
    row = ops.cast(ops.arange(rows) > 0, dtype)
    return ops.stack([row * _FAR, 0.0 * row, row - 1.0], axis=1)


def observe(observed: Any, notes: Notes, place: Any, rise: Any, slope: Any) -> Any:
    """Return the observations with one more: the value above that at the origin, and the slope, both unscaled."""
    new = ops.stack([place, rise / (notes.first_step * notes.steepness), slope / notes.steepness])
    row = ops.cast(ops.arange(observed.shape[0]), observed.dtype)
    return ops.where((row == notes.used)[:, None], new[None, :], observed)


def propose(conditions: Wolfe, observed: Any, notes: Notes, place: Any) -> Proposal:
    """Judge the trial at ``place``, the newest, and name the best candidate.

    Candidates are the minima of the mean between neighbours and one place beyond the farthest trial; the best has the
    largest product of expected improvement and probability of Wolfe.
    """
    seen = observed[:, 0] < _FAR
    rows, values, slopes = ops.unstack(observed, axis=1)
    weights = ops.cast(seen, observed.dtype)

    def posterior_at(asked: Any) -> Posterior:
        return posterior(rows, values, slopes, weights, notes.value_variance, notes.slope_variance, asked)

    places = ops.sort(observed[:, 0])
    there = places < _FAR
    at_places = posterior_at(ops.where(there, places, 0.0))
    minima, exist = minima_between(places, ops.cast(there, places.dtype), at_places)
    beyond = ops.max(ops.where(seen, observed[:, 0], 0.0)) + notes.reach
    asked = ops.concatenate([ops.stack([place, beyond]), ops.where(exist, minima, beyond)])
    found = posterior_at(asked)
    wolfe = probability_of_wolfe(conditions, asked, found)
    lowest = ops.min(ops.where(there, at_places.mean, float("inf")))
    utility = expected_improvement(lowest, found.mean, found.variance) * wolfe
    best = ops.take(asked[1:], ops.argmax(utility[1:]))
    # The mean already ascends at the origin and has no minimum in the first cell: a small step, taken as it is.
    hopeless = (found.origin[0][1] > 0.0) & ops.logical_not(exist[0])
    return Proposal(
        accept=wolfe[0] > conditions.probability,
        place=ops.where(hopeless, _HOPELESS_FRACTION * places[1], best),
        beyond=(best == beyond) & ops.logical_not(hopeless),
        last=hopeless,
    )


def mean_step(conditions: Wolfe, old: Any, step: Any) -> Any:
    """Return the running mean of accepted steps with one more."""
    return ops.where(old > 0.0, conditions.memory * old + (1.0 - conditions.memory) * step, step)


def next_first_step(conditions: Wolfe, step: Any, mean: Any) -> Any:
    """Return the first trial of the next line: the accepted step expanded, or the mean where that is far off."""
    wanted = conditions.expansion * step
    off = (wanted > conditions.reset * mean) | (wanted < mean / conditions.reset)
    return ops.where(off, mean, wanted)


def follow_misfits(conditions: Wolfe, notes: Notes, step: Any, rise: Any, slope: Any) -> Notes:
    """Note the squared misfit between two batches at the first trial of a line: half of it is the variance."""
    of_value = 0.5 * (rise - 0.5 * step * (slope - notes.steepness)) ** 2
    of_slope = 0.5 * (slope / notes.steepness + 1.0) ** 2

    def followed(old: Any, new: Any) -> Any:
        kept = ops.where(old > 0.0, conditions.memory * ops.ones_like(old), 0.0)
        return ops.where(notes.used == 1.0, kept * old + (1.0 - kept) * new, old)

    return notes._replace(
        value_misfit=followed(notes.value_misfit, of_value), slope_misfit=followed(notes.slope_misfit, of_slope)
    )
