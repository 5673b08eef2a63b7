"""What `fit` plans once the race has found a peak: the rate of every update, and how far the run is behind the race."""

import keras
import numpy as np

from keras_lr import schedules
from keras_lr._backends.wrapped_optimizers import innermost
from keras_lr.finder import RaceResult, _ladder

WARMUP_FRACTION = 0.05
DECAY_FRACTION = 0.3


def plan_of_run(
    optimizer: keras.optimizers.Optimizer, peak: float, updates_made: int, updates: int
) -> schedules.Schedule:
    """Return the plan of a run: the schedule of `run_schedule`, or the optimizer's own."""
    own = getattr(innermost(optimizer), "schedule_over_run", None)
    return own(peak, updates_made, updates) if own else run_schedule(peak, updates)


def run_schedule(peak: float, steps: int) -> schedules.Schedule:
    """Return the schedule of a run: 5 % of warm-up, a hold until 70 % of the steps, a linear decay to zero."""
    warmup, decay = max(1, round(WARMUP_FRACTION * steps)), steps - round((1 - DECAY_FRACTION) * steps)
    if decay < 1:
        return schedules.Constant(peak)
    return schedules.WSD(peak, steps, warmup_steps=warmup, decay_steps=decay, shape=schedules.shapes.Linear())


def updates_as_far_as(race: RaceResult, schedule: schedules.Schedule, updates: int) -> int:
    """Return after how many updates the rates of the run add up to those of the best lane."""
    if not len(race.rates):
        return 0
    length = _ladder.lane_steps(updates)
    lane = _ladder.lane_schedule(float(race.rates[np.argmin(race.scores)]), length)
    rates = schedule.values(np.arange(updates))
    return int(np.searchsorted(np.cumsum(rates), np.sum(lane.values(np.arange(length)))))
