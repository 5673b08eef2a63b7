"""What one whole training came to."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Outcome:
    """What one whole training came to.

    Attributes:
        curve: the monitored value at the end of every epoch; NaN from a divergence on.
        diverged: whether the loss, or the last monitored value, was not finite.
        steps: the training steps that had been run by the end of every epoch, those before the training included;
            empty where they were not counted.
        seconds: the time from the beginning to the end of every epoch.
    """

    curve: tuple[float, ...]
    diverged: bool
    steps: tuple[int, ...] = ()
    seconds: tuple[float, ...] = ()

    def value(self, higher_is_better: bool) -> float:
        """Return the monitored value at the end of the run, infinitely bad after a divergence."""
        if self.diverged:
            return -math.inf if higher_is_better else math.inf
        return self.curve[-1]


def said_of_equal_seeds(values: np.ndarray) -> str:
    """Return what is to be said where all seeds gave the same numbers, shape `(..., seeds)`; else nothing."""
    count = values.shape[-1]
    if count < 2 or not np.any(np.isfinite(values)) or np.any(values != values[..., :1]):
        return ""
    return (
        f"All {count} seeds gave the same numbers, so nothing is known of chance. If build() sets a seed, as "
        "keras.utils.set_random_seed does, leave that out: every run is given its own."
    )


def filled(values: Sequence[float], epochs: int) -> list[float]:
    """Return the values of so many epochs, NaN where a run had ended before."""
    return [*values, *[math.nan] * (epochs - len(values))]
