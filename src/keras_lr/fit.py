"""The main job: train a model without giving a learning rate."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_lr.callbacks._guard import Event, Guard
from keras_lr.finder import _ladder
from keras_lr.finder._race import Progress, RaceResult, run_race
from keras_lr.training._borrow import prepare
from keras_lr.training._training_data import TrainingData

WARMUP_FRACTION = 0.05
HOLD_FRACTION = 0.7


@dataclass(frozen=True)
class FitResult:
    """What a training without a given learning rate did.

    Attributes:
        history: what each epoch reported, as `model.fit(...).history`, and `learning_rate`, the rate of its last step.
        learning_rate: the peak that was chosen.
        rates: the rate of every step of the run, shape `(horizon_steps,)`.
        race: how the peak was found.
        events: what happened besides the plan: a schedule replaced, a return to good weights, an interruption.
        total_steps: all optimizer steps, the race's included.
        completed: whether the run came to its end.
    """

    history: dict[str, list[float]]
    learning_rate: float
    rates: np.ndarray
    race: RaceResult
    events: tuple[Event, ...]
    total_steps: int
    completed: bool


def fit(
    model: keras.Model,
    x: Any = None,
    y: Any = None,
    *,
    batch_size: int | None = None,
    epochs: int = 1,
    verbose: str | int = "auto",
    callbacks: Sequence[keras.callbacks.Callback] | None = None,
    validation_split: float = 0.0,
    validation_data: Any = None,
    shuffle: bool = True,
    class_weight: dict[int, float] | None = None,
    sample_weight: Any = None,
    initial_epoch: int = 0,
    steps_per_epoch: int | None = None,
    validation_steps: int | None = None,
    validation_batch_size: int | None = None,
    validation_freq: int = 1,
    seed: int = 0,
    progress: Progress | None = None,
) -> FitResult:
    """Find the rate, schedule it, guard it, train, and show why."""
    data = TrainingData(
        x,
        y,
        sample_weight=sample_weight,
        class_weight=class_weight,
        batch_size=batch_size,
        steps_per_epoch=steps_per_epoch,
        shuffle=shuffle,
        validation_split=validation_split,
    )
    prepare(model, data.example())
    horizon = (epochs - initial_epoch) * data.steps_per_epoch
    race = run_race(model, data, horizon, seed=seed, progress=progress)
    rates = race.learning_rate * _ladder.shape(horizon, WARMUP_FRACTION, HOLD_FRACTION)
    guard = Guard(rates, probation=False)
    completed = True
    try:
        history = model.fit(
            data.x,
            data.y,
            batch_size=batch_size,
            epochs=epochs,
            verbose=verbose,
            callbacks=[guard, *(callbacks or ())],
            validation_split=validation_split,
            validation_data=validation_data,
            shuffle=shuffle,
            class_weight=class_weight,
            sample_weight=sample_weight,
            initial_epoch=initial_epoch,
            steps_per_epoch=steps_per_epoch,
            validation_steps=validation_steps,
            validation_batch_size=validation_batch_size,
            validation_freq=validation_freq,
        )
    except KeyboardInterrupt:
        completed = False
        history = model.history
    finally:
        guard.close()
    return FitResult(
        history=history.history,
        learning_rate=race.learning_rate,
        rates=rates,
        race=race,
        events=tuple(guard.events),
        total_steps=race.total_steps + horizon,
        completed=completed,
    )
