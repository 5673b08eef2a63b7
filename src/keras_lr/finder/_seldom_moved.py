"""Weights that a batch seldom moves, as most rows of an embedding of words, and what lanes of a few steps say of them.

In a lane such a weight moves once or not at all, and the best lane is one at which that is enough. In the run it moves
again and again, and of Adam and Nadam farther each time than in a lane, for their mean of squares has come down to what
it was without a gradient, while their first steps are corrected for that mean's beginning at zero.
"""

from collections.abc import Sequence

import keras
import numpy as np

MOVED = 0.01  # of the longest way in a variable: weight decay, which moves all of them, moves them less
FEW = 0.5  # of a variable's weights
OTHERS = 1.5  # times as many moved by a probe as by one update: that one moved few is not for inputs that are always 0
LEAST_FACTOR = 1 / 16
LEAST_PEAK = 0.001  # the default rate of these optimizers, in Keras and in their papers

_EXPONENTS = {
    keras.optimizers.Adam: 1.0,
    keras.optimizers.Nadam: 1.0,
    keras.optimizers.Adamax: 0.5,
    keras.optimizers.RMSprop: 0.5,
    keras.optimizers.Lion: 0.5,
}


def exponent_of(optimizer: keras.optimizers.Optimizer) -> float:
    """Return how much `step_back` matters for an optimizer; 0 for those whose steps do not keep their length."""
    return next((exponent for kind, exponent in _EXPONENTS.items() if isinstance(optimizer, kind)), 0.0)


def step_back(peak: float, lane_steps: int, updates: int, passes: float, exponent: float) -> float:
    """Return the factor for the peak of the lanes: `max((lane_steps / T)^(p (1 - 2 / (3 E))), 1 / 16)`.

    Or what brings the peak to 0.001, where that is more; 1 for a peak below it. The moves of a run that sees the same
    rows again and again add up; those for rows that are new partly undo each other. Exponents and least factor were
    chosen on texts and flights, with runs of 57 to 2,000 steps (`docs/fit_figures.md`).

    Args:
        peak: what the lanes say of the run.
        lane_steps: updates of a lane.
        updates: T, of the run.
        passes: E, how often the run sees each row of the data.
        exponent: p, see `exponent_of`.
    """
    factor = (lane_steps / updates) ** (exponent * (1 - 2 / (3 * passes)))
    return max(factor, LEAST_FACTOR, min(LEAST_PEAK / peak, 1.0))


def shares_moved(weights: Sequence[np.ndarray], start: Sequence[np.ndarray]) -> np.ndarray:
    """Return which share of its weights each variable has moved, shape `(variables,)`; 1 for one without weights."""
    ways = [np.abs(after - before) for after, before in zip(weights, start, strict=True)]
    return np.array([np.mean(way > MOVED * np.max(way)) if way.size else 1.0 for way in ways])


def are_seldom_moved(by_one: np.ndarray, by_probe: np.ndarray) -> np.ndarray:
    """Return of which variables an update moves few weights, and the next one others; shape `(variables,)`.

    Args:
        by_one: the share of each variable that an update moves, shape `(variables,)`.
        by_probe: the share of each that a few updates move, shape `(variables,)`.
    """
    return (by_probe < FEW) & (by_probe > OTHERS * by_one)
