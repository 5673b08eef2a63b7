"""A race of learning rates: short complete schedules from the same weights on the same batches."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_lr._backends.steps_interface import TrainingSteps
from keras_lr.finder import _choice, _ladder
from keras_lr.training._borrow import borrowed, prepare
from keras_lr.training._training_data import TrainingData

LANE_WARMUP_FRACTION = 0.1
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class RaceResult:
    """What a race of rates found.

    Attributes:
        learning_rate: the peak for the run to come.
        low, high: the interval in which the peak is as good as the race can tell.
        rates: the peaks that were raced, ascending, shape `(lanes,)`.
        losses: the loss of every batch before its update, shape `(lanes, lane_steps)`; not finite after a divergence.
        scores: the loss of each lane at its end, shape `(lanes,)`; infinite where the lane diverged.
        best_rate: the best peak for schedules as short as a lane, before the correction for the horizon.
        horizon_steps: the steps of the run to come.
        total_steps: the optimizer steps that the race has cost.
        optimizer: the name of the optimizer's class.
        reason: why this rate, a sentence.
    """

    learning_rate: float
    low: float
    high: float
    rates: np.ndarray
    losses: np.ndarray
    scores: np.ndarray
    best_rate: float
    horizon_steps: int
    total_steps: int
    optimizer: str
    reason: str


def run_race(
    model: keras.Model, data: TrainingData, horizon_steps: int, *, seed: int, progress: Progress | None = None
) -> RaceResult:
    """Race rates on a built model for a run of `horizon_steps`, and give the model back as it was."""
    accumulation = model.optimizer.gradient_accumulation_steps or 1
    updates = max(1, horizon_steps // accumulation)
    length = _ladder.lane_steps(updates) * accumulation
    with borrowed(model) as steps:
        lanes = _Lanes(steps, data.batches(steps, max(length, _ladder.PROBE_STEPS * accumulation), seed), accumulation)
        centre = _ladder.centre(lanes.movement)
        raced = _raced(lanes, _ladder.rungs(centre), length, progress) if length else {}
    rates = np.array(sorted(raced))
    losses = np.array([raced[rate] for rate in rates]).reshape(len(rates), length)
    choice = _choice.choose(rates, losses) if raced else _choice.unraced(centre)
    factor = _choice.horizon_factor(updates)
    return RaceResult(
        learning_rate=choice.rate * factor,
        low=choice.low * factor,
        high=choice.high * factor,
        rates=rates,
        losses=losses,
        scores=choice.scores,
        best_rate=choice.rate,
        horizon_steps=horizon_steps,
        total_steps=lanes.steps_run,
        optimizer=type(model.optimizer).__name__,
        reason=_choice.reason(choice, rates, factor, horizon_steps),
    )


def _raced(
    lanes: "_Lanes", ladder: np.ndarray, length: int, progress: Progress | None
) -> dict[float, np.ndarray]:
    """Run the lanes of a ladder, and further rungs while the best lane is the first or the last."""
    raced: dict[float, np.ndarray] = {}
    waiting = [float(rate) for rate in ladder]
    while waiting:
        rate = waiting.pop(0)
        raced[rate] = lanes.run(rate, length)
        if progress:
            progress(len(raced), len(raced) + len(waiting), f"racing the rate {rate:.2g}")
        if not waiting and len(raced) < 2 * len(ladder):
            rates = sorted(raced)
            best = int(np.argmin(_choice.lane_scores(np.stack([raced[r] for r in rates]))))
            if best == 0:
                waiting = [rates[0] / _ladder.RUNG]
            elif best == len(rates) - 1:
                waiting = [rates[-1] * _ladder.RUNG]
    return raced


def race(
    model: keras.Model,
    x: Any,
    y: Any = None,
    *,
    epochs: int = 1,
    batch_size: int | None = None,
    sample_weight: Any = None,
    class_weight: dict[int, float] | None = None,
    steps_per_epoch: int | None = None,
    validation_split: float = 0.0,
    seed: int = 0,
    progress: Progress | None = None,
) -> RaceResult:
    """Find the peak rate for a training to come, and leave the model as it was."""
    data = TrainingData(
        x,
        y,
        sample_weight=sample_weight,
        class_weight=class_weight,
        batch_size=batch_size,
        steps_per_epoch=steps_per_epoch,
        validation_split=validation_split,
    )
    prepare(model, data.example())
    return run_race(model, data, epochs * data.steps_per_epoch, seed=seed, progress=progress)


class _Lanes:
    """Runs short trainings from the borrowed model's weights, always over the same batches."""

    def __init__(self, steps: TrainingSteps, batches: list[Any], accumulation: int) -> None:
        self._steps = steps
        self._batches = batches
        self._accumulation = accumulation
        self._start = steps.copy()
        self.steps_run = 0

    def movement(self, rate: float) -> float:
        """Return `|w - w_0| / |w_0|` after a few steps at a constant rate."""
        self._train(np.full(_ladder.PROBE_STEPS * self._accumulation, rate))
        distance, length = self._steps.moved(self._start)
        return distance / length

    def run(self, peak: float, length: int) -> np.ndarray:
        """Train over one complete schedule; returns the batch losses, shape `(length,)`."""
        updates = length // self._accumulation
        factors = _ladder.shape(updates, LANE_WARMUP_FRACTION, LANE_WARMUP_FRACTION)
        return self._train(peak * np.repeat(factors, self._accumulation))

    def _train(self, rates: np.ndarray) -> np.ndarray:
        self._steps.put(self._start)
        losses = [self._steps.step(self._batches[k % len(self._batches)], rate) for k, rate in enumerate(rates)]
        self.steps_run += len(rates)
        return np.array([float(loss) for loss in losses])
