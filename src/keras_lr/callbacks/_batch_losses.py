"""The loss of every batch, recovered from the running mean that Keras reports, without waiting for the device."""

from typing import Any

import numpy as np

ROUNDING = 2.0**-21  # of a sum in single precision, to which one more loss was added


class BatchLosses:
    """Collects the running means `m_n` of an epoch and gives back the losses `n m_n - (n - 1) m_{n-1}`.

    The means stay where they are (on the device) until `read`, so collecting costs nothing. Where Keras reports once in
    several steps (`steps_per_execution`), what is recovered is the mean loss of those.

    Attributes:
        of_batches: set where a step of the model's own reports the loss of its batch and no mean, to take it as it is.
    """

    def __init__(self) -> None:
        self.of_batches = False
        self._means: list[tuple[int, Any]] = []  # (how many reports the mean is of, the mean)
        self._count = 0
        self._last = (0, 0.0)

    def begin_mean(self) -> None:
        """Say that Keras begins a new mean: an epoch begins, or the metrics were reset."""
        self._count = 0

    @property
    def count(self) -> int:
        """How many batches have been reported since the mean began."""
        return self._count

    def add(self, mean: Any) -> None:
        """Collect the mean reported after one more batch."""
        self._count += 1
        self._means.append((self._count, mean))

    def __len__(self) -> int:
        return len(self._means)

    def read(self) -> np.ndarray:
        """Return the losses collected since the last `read`, shape `(batches,)`."""
        losses = []
        for count, mean in self._means:
            value = float(mean)
            before, mean_before = self._last if count > 1 else (0, 0.0)
            added = count * value - before * mean_before
            if abs(added) <= ROUNDING * abs(count * value):
                added = 0.0
            losses.append(value if self.of_batches else added)
            self._last = (count, value)
        self._means = []
        return np.asarray(losses)
