"""Follows one training: what was monitored at the end of every epoch, and whether the loss stayed finite."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras

from keras_lr._backends.nan_predicted import is_of_a_nan_predicted
from keras_lr.trials._counted import StepCounter
from keras_lr.trials._outcome import Outcome


class Course(keras.callbacks.Callback):
    """Note the monitored value of every epoch, and end the training when the loss is not finite.

    Args:
        monitor: a name in the logs of `fit`.
        counter: counts the steps of the model that is trained. Default `None`: they are not counted.
        began: the moment from which seconds are counted. Default `None`: now.
        ends: whether a training is ended when its loss is not finite. Default `True`.
    """

    async_safe = True  # on JAX the losses are then looked at beside the training and not between its steps

    def __init__(
        self,
        monitor: str,
        counter: StepCounter | None = None,
        began: float | None = None,
        *,
        ends: bool = True,
    ) -> None:
        super().__init__()
        self._monitor = monitor
        self._counter = counter
        self._began = time.perf_counter() if began is None else began
        self._ends = ends
        self._curve: list[float] = []
        self._steps: list[int] = []
        self._seconds: list[float] = []
        self._diverged = False

    @property
    def epochs(self) -> int:
        """How many epochs have been followed."""
        return len(self._curve)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Say how many steps there are to count."""
        if self._counter is not None:
            self._counter.begin_epoch((self.params or {}).get("steps"))

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """End a training that cannot come back: the mean loss of the epoch stays what it is."""
        if self._ends and logs and not math.isfinite(logs.get("loss", 0.0)):
            self._diverged = True
            self._model.stop_training = True  # `self.model` would hand over all weights on JAX

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Note what is monitored."""
        logs = logs or {}
        if self._monitor not in logs:
            raise ValueError(
                f"monitor={self._monitor!r} is not among what this training reports: {', '.join(logs)}. "
                "Monitor one of these, or compile the model with the metric."
            )
        self._note(math.nan if self._diverged else float(logs[self._monitor]))

    @contextmanager
    def followed(self) -> Iterator[None]:
        """Be around the training: predictions of NaN, over which PyTorch breaks it off, are a divergence."""
        try:
            yield
        except RuntimeError as error:
            if not is_of_a_nan_predicted(error):
                raise
            self._diverged = True
            self._note(math.nan)

    def outcome(self) -> Outcome:
        """Return what the training came to."""
        diverged = self._diverged or not math.isfinite(self._curve[-1])
        return Outcome(tuple(self._curve), diverged, tuple(self._steps), tuple(self._seconds))

    def _note(self, value: float) -> None:
        self._curve.append(value)
        self._seconds.append(time.perf_counter() - self._began)
        if self._counter is not None:
            self._counter.end_epoch()
            self._steps.append(self._counter.steps)
