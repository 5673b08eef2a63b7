"""How long an update of a search across batches may be: a cap that falls with the steps, a fraction of the weights."""

import math
from typing import Any

import numpy as np

from keras_lr.schedules import Constant, Schedule, Table

STEPS_AT_THE_START = 10.0
"""After so many steps a cap that falls without a horizon, as 1/√(1 + t/10), begins to be short; by experiment."""


def default_ratio(decay_steps: float | None) -> float:
    """Return the cap at the start, as a fraction of the weights; the constants are by experiment.

    With a known number of steps T the best length of a subgradient step is as 1/√T; 0.15 at the most keeps the units
    of deep nets alive.
    """
    return 0.1 if decay_steps is None else min(0.15, 2.5 / math.sqrt(decay_steps))


def schedule_over_run(optimizer: Any, factor: float, made: int, updates: int) -> Schedule:
    """Return the factors on the cap of a search that make it fall linearly to 0 over a run, as `decay_steps` does.

    A search that has a horizon or a schedule of its cap keeps it.

    Args:
        optimizer: an `AcrossBatches`.
        factor: of the user's on top, as the optimizer's learning rate is.
        made: the updates before the run, from which a cap without a horizon counts.
        updates: those of the run.
    """
    ratio, norm = optimizer.max_update_ratio, optimizer.max_update_norm
    if optimizer.decay_steps is not None or callable(ratio) or callable(norm):
        return Constant(factor)
    steps = np.arange(updates)
    factors = factor * (1.0 - steps / updates)
    if norm is None:
        factors *= np.sqrt(1.0 + (made + steps) / STEPS_AT_THE_START)
        factors *= 1.0 if ratio is not None else default_ratio(updates) / default_ratio(None)
    return Table.from_values(factors)
