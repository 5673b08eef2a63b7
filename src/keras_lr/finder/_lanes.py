"""Lanes: short trainings from the same weights over the same batches, on a borrowed model."""

import math
from collections.abc import Callable
from functools import cached_property
from typing import Any

import keras
import numpy as np

from keras_lr._backends.steps_interface import TrainingSteps
from keras_lr.finder import _ladder, _seldom_moved
from keras_lr.schedules import Schedule
from keras_lr.training._dead_network import is_dead, most_telling
from keras_lr.training._loss_scale import settled

LOOK_STEPS = 4  # that `Lanes.died` takes at most

Step = Callable[[Any, float], Any]  # trains on a batch at a rate, returns the loss before the update


class Lanes:
    """Trains the borrowed model again and again from where it stood.

    Args:
        steps: the borrowed training step, as `borrowed(model)` lends it.
        batches: what every lane is trained on, in this order, again from the first when they are used up.
        accumulation: batches whose gradients make one update.
        decay: of a mean of squared gradients that begins at zero and is not corrected for it, as RMSprop's is. Without
            that, step `t` is `1 / sqrt(1 - decay^t)` times as long as later ones at the same rate, which a warm-up
            takes out of a run but not out of a dozen steps; so the rates are lowered by it. 0 for other optimizers.

    Attributes:
        accumulation: as given.
        steps_run: the steps that have been run in all.
    """

    def __init__(self, steps: TrainingSteps, batches: list[Any], accumulation: int, decay: float = 0.0) -> None:
        self._steps = steps
        self._batches = batches
        self.accumulation = accumulation
        self._decay = decay
        self._start, self.steps_run = settled(steps, batches)
        self._unmoved = self._start

    def centre(self, usual_length: float = 0.0) -> float:
        """Return the rate of `_ladder.centre`, at which a few steps move the weights by a typical share.

        What moves them at any rate, as a constraint does that the first weights break, is left out of account.

        Raises:
            NoRateMoves: no rate moves the weights.
        """
        try:
            return _ladder.centre(lambda rate: self.movement(rate, usual_length))
        except _ladder.NoRateMoves:
            self.train(np.zeros(_ladder.PROBE_STEPS * self.accumulation))
            self._unmoved = self._steps.copy()
            return _ladder.centre(lambda rate: self.movement(rate, usual_length))

    def full_step_centre(self, weights: int) -> float:
        """Return the rate at which a few steps, each of so many weights going as far as the rate, do the same."""
        _, length = self._steps.moved(self._start)
        length = length or _ladder.USUAL_LENGTH
        return _ladder.TYPICAL_MOVEMENT * length / (_ladder.PROBE_STEPS * math.sqrt(weights))

    def movement(self, rate: float, usual_length: float = 0.0) -> float:
        """Return `|w - w_0| / |w_0|` after `PROBE_STEPS` updates at a constant rate; infinite if they diverge.

        Weights that are all zero, as a linear model may begin with, count as `usual_length` long; where that is 0, the
        movement is infinite.

        Methods such as rectified Adam stand still in their first steps: those get four times as many.
        """
        for updates in (_ladder.PROBE_STEPS, 4 * _ladder.PROBE_STEPS):
            if not np.all(np.isfinite(self.train(np.full(updates * self.accumulation, rate)))):
                return np.inf
            distance, length = self._steps.moved(self._unmoved)
            if distance:
                break
        length = length or usual_length
        return distance / length if length else np.inf

    def any_seldom_moved(self, rate: float) -> bool:
        """Return whether there is a variable of which an update moves few weights, and the next one others.

        Is asked of the lane just made, `PROBE_STEPS` updates at this or another constant rate, as the last of `centre`.
        Costs: an update, where that lane has moved few weights of any variable.
        """
        start = [keras.ops.convert_to_numpy(weight) for weight in self._steps.parts(self._unmoved).weights]
        by_probe = _seldom_moved.shares_moved(self._steps.weights(), start)
        if np.all(by_probe >= _seldom_moved.FEW):
            return False
        self.train(np.full(self.accumulation, rate))
        by_one = _seldom_moved.shares_moved(self._steps.weights(), start)
        return bool(np.any(_seldom_moved.are_seldom_moved(by_one, by_probe)))

    def run(self, schedule: Schedule) -> np.ndarray:
        """Train over one complete schedule; returns the batch losses before each update, shape `(steps,)`."""
        rates = schedule.values(np.arange(int(schedule.end_step or 0)))
        return self.train(np.repeat(rates, self.accumulation))

    def untouched(self, lane_steps: int, count: int) -> np.ndarray:
        """Return the losses of untouched weights on the batches of a lane's last `count` steps, shape `(count,)`."""
        self._steps.put(self._start)
        places = range(lane_steps - count, lane_steps)
        reported = [self._steps.step(self._batches[k % len(self._batches)], 0.0) for k in places]
        self.steps_run += count
        return np.array([float(loss) for loss in reported])

    def died(self) -> bool:
        """Return whether the last lane left a network that answers every input alike, and did not before.

        Costs: 2 steps, or `LOOK_STEPS`; the lane is lost.
        """
        return self._is_dead() and not self._begins_dead

    def _is_dead(self) -> bool:
        self.steps_run += 2
        return is_dead(self._steps, most_telling(reversed(self._batches)))

    @cached_property
    def _begins_dead(self) -> bool:
        self._steps.put(self._start)
        return self._is_dead()

    def train(self, rates: np.ndarray, step: Step | None = None) -> np.ndarray:
        """Train from the start with one rate a step; returns the batch losses, shape `(steps,)`.

        A batch whose loss or gradient is not finite even while the weights are untouched is left out, here and from now
        on. Where a lane ends with weights that are not finite, its last loss is NaN.

        Args:
            rates: the rate of each step, shape `(steps,)`.
            step: makes a step and may look at it; default the borrowed training step.

        Raises:
            ValueError: no batch has a finite loss.
        """
        step = step or self._steps.step
        self._steps.put(self._start)
        updates = np.arange(len(rates)) // self.accumulation + 1
        corrected = rates * np.sqrt(1 - self._decay**updates)
        reported = [step(self._batches[k % len(self._batches)], float(rate)) for k, rate in enumerate(corrected)]
        self.steps_run += len(rates)
        losses = np.array([float(loss) for loss in reported])
        broken = np.flatnonzero(~np.isfinite(losses))
        # An activation that turns NaN into 0, as TensorFlow's ReLU does, hides dead weights.
        dead = not len(broken) and not self._steps.finite()
        suspected = dead or (len(broken) and not self.is_sound(self._batches[broken[0] % len(self._batches)]))
        if suspected and self._leave_out_bad_batches():
            return self.train(rates, step)
        if dead:
            losses[-1] = np.nan
        return losses

    def is_sound(self, batch: Any) -> bool:
        """Return whether the loss and the gradient of untouched weights on a batch are finite; costs a step."""
        return bool(np.isfinite(self._untouched_loss(batch)))

    def _leave_out_bad_batches(self) -> bool:
        """Leave out the batches that no rate can train on; returns whether there were any."""
        losses = [self._untouched_loss(batch) for batch in self._batches]
        sound = [batch for batch, loss in zip(self._batches, losses, strict=True) if np.isfinite(loss)]
        if not sound:
            self._steps.put(self._start)
            if np.isfinite(float(self._steps.step(self._batches[0], 0.0))):
                raise ValueError(
                    "The loss is finite, but one step of the optimizer makes the weights NaN at any rate, even 0. Look "
                    "for NaN and infinity in the inputs, which a ReLU can hide from the loss. Keras' Adafactor does "
                    "the same where an input is always zero: leave such inputs out, or compile with another "
                    "optimizer. The model's weights are as they were."
                )
            raise ValueError(
                f"The loss is {losses[0]} on the first {len(losses)} batches before any update, so no learning "
                "rate can help. Check data and labels for NaN and infinity, labels for values outside the range of the "
                "loss, and the loss for logarithms of zero. The model's weights are as they were."
            )
        some = len(sound) < len(self._batches)
        self._batches = sound
        return some

    def _untouched_loss(self, batch: Any) -> float:
        self._steps.put(self._start)
        self.steps_run += 1
        loss = float(self._steps.step(batch, 0.0))
        return loss if self._steps.finite() else np.nan  # a rate of 0 times a gradient of NaN is NaN
