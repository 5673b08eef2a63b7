"""The losses that are judged together."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from keras_lr.callbacks._batch_losses import BatchLosses

LOOKS = 3  # at what a train_step of the model's own reports
SHORTEST = 4  # losses of fewer steps say little


class LossWindow:
    """Collects the losses of `length` batches, from the running means that Keras reports.

    Args:
        length: how many losses fill it, until one of them is bad.
        means: for a `train_step` of the model's own, which may report a mean or the loss of the batch alone: returns
            the means that the model keeps, by which the two are told apart.

    Attributes:
        length: how many losses fill it now.
        start_loss: the first loss of the last window that was judged; NaN before.
    """

    def __init__(self, length: int, means: Callable[[], list[float]] | None = None) -> None:
        self.length = self._longest = length
        self._means, self._looks_left = means, LOOKS
        self.start_loss = math.nan
        self._reported, self._read = BatchLosses(), np.empty(0)

    def begin_mean(self) -> None:
        """Say that Keras begins a new mean: an epoch begins, or the metrics were reset."""
        self._reported.begin_mean()

    @property
    def count(self) -> int:
        """How many batches have been reported since the mean began."""
        return self._reported.count

    def add(self, reported: Any) -> None:
        """Collect what is reported after one more batch, without waiting for the device once that is known."""
        self._reported.add(reported)
        # The first of an epoch is its own mean.
        if self._means and self._looks_left and self.count > 1 and math.isfinite(reported):
            self._looks_left -= 1
            if not any(math.isclose(reported, mean, rel_tol=1e-6) for mean in self._means()):
                self._reported.of_batches, self._looks_left = True, 0

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

    def limit(self, length: int) -> None:
        """Make it no longer than this, from now on."""
        self.length = self._longest = max(SHORTEST, min(self._longest, length))

    def shorten(self) -> None:
        """Halve the window: of each that holds a bad batch all steps are lost, and bad rows come again every epoch."""
        self.length = max(SHORTEST, self.length // 2)

    def lengthen(self) -> None:
        """Make the window one longer, as no batch was bad, until it is as long as at first."""
        self.length = min(self._longest, self.length + 1)

    def state(self) -> list[Any]:
        """Return what `go_on` needs."""
        return [self.length, self.start_loss, list(self.read())]

    def go_on(self, state: list[Any]) -> None:
        """Go on from what `state` returned."""
        self.length, self.start_loss, losses = state
        self._read = np.asarray(losses, np.float64)
