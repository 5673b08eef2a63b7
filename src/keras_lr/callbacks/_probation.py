"""A rate on probation: one window of steps at the rate, one from the same weights at a tenth of it."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_lr.callbacks._divergence import typical_noise


@dataclass
class Probation:
    """The best window of steps so far, while a tenth of its rate is being tried.

    Attributes:
        losses: the window's batch losses; None before the first.
        values: the weights and the optimizer's state at its end.
    """

    losses: np.ndarray | None = None
    values: Any = None


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
