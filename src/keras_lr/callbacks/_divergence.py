"""What the losses of a training say about divergence: pure, in units of the losses themselves."""

import enum
from dataclasses import dataclass, field

import numpy as np


class Trouble(enum.Enum):
    """What is wrong with a window of batch losses."""

    NOT_FINITE = "the loss is not finite"
    EXPLODED = "the loss rose far above where training began"
    LOST = "the loss stays above that of the untrained model"


@dataclass
class LossWatch:
    """Judges one window of batch losses after another.

    All limits are in units of what was seen: `start`, the loss of the first batch before any update; the best window
    mean `best`; and the noise, the typical difference of neighbouring batch losses. So a loss may be scaled, and may be
    negative.
    """

    start: float | None = None
    best: float = np.inf
    noise: float = np.inf
    _windows: int = field(default=0, repr=False)

    def judge(self, losses: np.ndarray) -> Trouble | None:
        """Return what is wrong with the losses of a window, shape `(steps,)`, or None."""
        if not np.all(np.isfinite(losses)):
            return Trouble.NOT_FINITE
        if self.start is None:
            self.start = float(losses[0])
        noise = min(self.noise, typical_noise(losses))
        end = float(np.median(losses[len(losses) // 2 :]))
        risen = end - self.start
        progress = max(self.start - min(self.best, self.start), 0.0)
        if risen > 10 * max(progress, 3 * noise, abs(self.start) / 4):
            return Trouble.EXPLODED
        if self._windows >= 2 and float(np.median(losses)) - self.start > max(2 * noise, progress):
            return Trouble.LOST
        self._windows += 1
        self.noise = noise
        self.best = min(self.best, float(np.mean(losses)))
        return None


def typical_noise(losses: np.ndarray) -> float:
    """Return the standard deviation of batch losses around their trend."""
    # Differences of neighbours are free of the trend; a normal law makes their median 0.954 standard deviations.
    return float(np.median(np.abs(np.diff(losses)))) / 0.954 if len(losses) > 2 else np.inf
