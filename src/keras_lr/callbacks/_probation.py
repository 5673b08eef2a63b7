"""A rate on probation: one window of steps at the rate, one from the same weights at a tenth of it."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_lr.callbacks._divergence import typical_noise


@dataclass
class Probation:
    """The best window of steps so far, while a tenth of its rate is being tried.

    Attributes:
        last_start: the last step of the run at which there is room for both windows.
        losses: the window's batch losses; None before the first.
        values: the weights and the optimizer's state at its end.
        attempts: how often the first may be made once more.
    """

    last_start: float
    losses: np.ndarray | None = None
    values: Any = None
    attempts: int = 2

    def begins_anew(self, losses: np.ndarray, step: int) -> bool:
        """Return whether the first window is to be made again, where one bad batch may have broken it off."""
        anew = self.losses is None and step <= self.last_start and not np.all(np.isfinite(losses))
        self.attempts -= anew
        return anew and self.attempts >= 0


def ends_lower(losses: np.ndarray, than: np.ndarray) -> bool:
    """Return whether the second half of one window lies below that of another by more than the noise.

    The fewer losses there are, the less is known of their noise, and the more they must lie below.
    """
    if not np.all(np.isfinite(losses)):
        return False
    if not np.all(np.isfinite(than)):
        return True
    half = len(losses) // 2
    count = len(losses) - half
    error = typical_noise(losses) * np.sqrt(2 / count) * (1 + 2 / count)
    return bool(np.mean(losses[half:]) < np.mean(than[half:]) - error)
