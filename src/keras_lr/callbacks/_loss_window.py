"""The losses that are judged together."""

import math
from typing import Any

import numpy as np

from keras_lr.callbacks._batch_losses import BatchLosses


class LossWindow:
    """Collects the losses of `length` batches, from the running means that Keras reports.

    Attributes:
        length: how many losses fill it.
        start_loss: the first loss of the last window that was judged; NaN before.
    """

    def __init__(self, length: int) -> None:
        self.length = length
        self.start_loss = math.nan
        self._reported, self._read = BatchLosses(), np.empty(0)

    def begin_mean(self) -> None:
        """Say that Keras begins a new mean: an epoch begins, or the metrics were reset."""
        self._reported.begin_mean()

    @property
    def count(self) -> int:
        """How many batches have been reported since the mean began."""
        return self._reported.count

    def take_as_they_are(self) -> None:
        """Say that what is reported are the losses of the batches themselves, and no mean."""
        self._reported.of_batches = True

    def add(self, mean: Any) -> None:
        """Collect the mean reported after one more batch, without waiting for the device."""
        self._reported.add(mean)

    def read(self) -> np.ndarray:
        """Wait for the device; returns the losses so far, shape `(batches,)`."""
        self._read = np.concatenate([self._read, self._reported.read()])
        return self._read

    def is_full(self) -> bool:
        """Return whether there is something to judge: as many losses as it holds, or one, read, that is not finite."""
        return len(self._read) + len(self._reported) >= self.length or not np.all(np.isfinite(self._read))

    def take(self) -> np.ndarray:
        """Return the losses, and begin the next window."""
        losses = self.read()
        self._read = np.empty(0)
        return losses

    def state(self) -> list[Any]:
        """Return what `go_on` needs."""
        return [self.start_loss, list(self.read())]

    def go_on(self, state: list[Any]) -> None:
        """Go on from what `state` returned."""
        self.start_loss, losses = state
        self._read = np.asarray(losses, np.float64)
