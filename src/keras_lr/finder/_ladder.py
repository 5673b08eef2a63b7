"""Which rates to race, and for how long: a ladder centred on the rate that moves the weights by a typical share."""

from collections.abc import Callable

import numpy as np

from keras_lr import schedules

PROBE_STEPS = 4
TYPICAL_MOVEMENT = 10**-0.45
USUAL_LENGTH = 1.0  # of the weights of a small linear model as they usually begin; a race corrects what it is off by
RUNG = 10**0.5
LANES = 3  # to begin with: mostly the best is in the middle, or one more lane brings it there
MOST_LANES = 15
LANE_STEPS = 12
LEAST_LANE_STEPS = 3
LEAST_UNTOUCHED_STEPS = 4  # that tell whether a lane has won or lost anything

# The relative movement within which a probe is both linear in the rate and well above the rounding of float32.
_LEAST_MOVEMENT, _MOST_MOVEMENT = 1e-5, 2e-2


class NoRateMoves(ValueError):
    """No rate moves the weights by a share that can be measured."""


def centre(movement_at: Callable[[float], float]) -> float:
    """Return the rate at which four steps move all weights together by about a third of their length.

    A rate has the unit of its optimizer and, for SGD, of the loss; the movement `|w_4 - w_0| / |w_0|` has none. The
    best peak of a short schedule lies within half a decade of this rate for SGD, within a decade for Adam, whatever
    the model, the scale of the loss and the kind of optimizer.

    Args:
        movement_at: the relative movement of the weights after `PROBE_STEPS` steps at a constant rate.

    Raises:
        NoRateMoves: none between 1e-12 and 1e12 does.
    """
    rate = 1e-4
    for _ in range(12):
        movement = movement_at(rate)
        if np.isfinite(movement) and _LEAST_MOVEMENT <= movement <= _MOST_MOVEMENT:
            return rate * TYPICAL_MOVEMENT / movement
        if not np.isfinite(movement):
            rate *= 1e-4
        elif movement == 0.0:
            rate *= 100.0
        else:
            rate *= float(np.clip(1e-3 / movement, 1e-4, 1e4))
        if not 1e-12 < rate < 1e12:
            break
    raise NoRateMoves(
        "No learning rate between 1e-12 and 1e12 moves the weights by a measurable share: the gradients are zero, as "
        "where the loss is at its lowest already, or not finite, or the optimizer replaces the weights instead of "
        "moving them. Check that a loss was compiled and depends on the trainable weights, that the sample weights are "
        "not all zero, that the inputs are scaled (large ones saturate a sigmoid or softmax, behind which the gradient "
        "is zero), that data and labels are what they should be, and that the weights are not of half precision, in "
        "which Adam's beta_2=0.999 is 1 (the policy 'mixed_bfloat16' keeps them in float32)."
    )


def rungs(centre: float, lanes: int = LANES) -> np.ndarray:
    """Return `lanes` rates, half a decade apart, around a centre, shape `(lanes,)`, ascending."""
    return centre * RUNG ** (np.arange(lanes) - lanes // 2)


def lane_steps(horizon_steps: int) -> int:
    """Return how many steps one lane may have for a run of `horizon_steps`; 0 where there is no room for a race.

    Lanes of 8 to 20 steps rank rates as well as longer ones do, also for runs of thousands of steps. Shorter runs have
    shorter lanes, so that one probe and a ladder of three to four lanes stay below 0.3 of the run. Long lanes are worth
    more than many: within 4 steps momentum has hardly built up, and rates look good that fail in 10.
    """
    steps = int((0.3 * horizon_steps - PROBE_STEPS) // (LANES + 0.5))
    return min(LANE_STEPS, steps) if steps >= LEAST_LANE_STEPS else 0


def most_steps(horizon_steps: int) -> int:
    """Return how many steps a race may take in all: 100, but at most 0.3 of the run; or a tenth of a long run."""
    return int(max(0.1 * horizon_steps, min(0.3 * horizon_steps, 100)))


def lane_schedule(peak: float, steps: int) -> schedules.WSD:
    """Return the complete schedule of a lane: a tenth of warm-up, then linear decay to zero."""
    warmup = max(1, round(0.1 * steps))
    return schedules.WSD(peak, steps, warmup_steps=warmup, decay_steps=steps - warmup, shape=schedules.shapes.Linear())
