"""What the losses of a training say about divergence: pure, in units of the losses themselves."""

import enum
from dataclasses import dataclass, field

import numpy as np


class Trouble(enum.Enum):
    """What is wrong with a window of batch losses."""

    BAD_BATCH = "the loss of one batch is not finite (NaN in the data, or a logarithm of zero?)"
    NOT_FINITE = "the loss grew until it was not finite"
    EXPLODED = "the loss rose far above where training began"
    LOST = "the loss lost most of what training, or a trial before it, had won"
    DEAD = "the network answers every input alike"


@dataclass
class LossWatch:
    """Judges one window of batch losses after another.

    All limits are in units of what was seen: `start`, the loss of the first batch before any update; `best`, the lowest
    window median; `trial`, what a trial from the same weights has reached; and `noise`, the standard deviation of batch
    losses around their trend in the windows so far. So a loss may have any scale and any sign. `near_best` says whether
    the last window without trouble kept three quarters of what had been won, as far as the noise of its median lets
    see: whether its weights are worth going back to. `gained` says whether it was lower than all before, by twice the
    error of its median. Before `patience` windows nothing counts as lost.
    """

    start: float | None = None
    best: float = np.inf
    trial: float = np.inf
    noise: float = np.inf
    near_best: bool = True
    gained: bool = True
    patience: int = 2
    _windows: int = field(default=0, repr=False)
    _differences: np.ndarray = field(default_factory=lambda: np.empty(0), repr=False)

    def judge(self, losses: np.ndarray, weights_are_finite: bool = True) -> Trouble | None:
        """Return what is wrong with the losses of a window, shape `(steps,)`, or None.

        Losses may be finite where the weights at their end are not: an activation that turns NaN into 0, as
        TensorFlow's ReLU does, leaves a constant prediction, whose loss is about that from before the first update.
        """
        finite = np.isfinite(losses)
        if not finite.all():
            grew = self._rose(losses[: int(np.argmin(finite))][-3:], self.best)
            return Trouble.NOT_FINITE if grew else Trouble.BAD_BATCH
        if not weights_are_finite:
            return Trouble.NOT_FINITE if self._rose(losses, self.start) else Trouble.BAD_BATCH
        if self.start is None:
            self.start = float(losses[0])
        differences = np.concatenate([self._differences, np.diff(losses)])
        noise = _noise_of(differences)
        middle, end = float(np.median(losses)), float(np.median(losses[len(losses) // 2 :]))
        lowest = min(self.best, self.start)
        progress = self.start - lowest
        if end - self.start > 10 * max(progress, 3 * noise, abs(self.start) / 4):
            return Trouble.EXPLODED
        error = 1.25 * noise / len(losses) ** 0.5  # of a median
        reached = min(lowest, self.trial)
        won = self.start - reached
        # A gain within the noise may be lost again; more than that is not, beyond the error of the median.
        doubt = 5 * error if won > 3 * noise else 3 * noise
        if self._windows >= self.patience and middle - reached > max(won / 2, doubt):
            return Trouble.LOST
        self.near_best = middle - lowest <= max(progress / 4, 2.5 * error)
        self.gained = bool(lowest - middle > 2 * error)
        self._windows += 1
        self.noise, self.best = noise, min(self.best, middle)
        self._differences = differences[-200:]
        return None

    @property
    def has_won(self) -> bool:
        """Whether the loss has come down from where it began by more than the noise."""
        return self.start is not None and self.start - self.best > 3 * self.noise

    def _rose(self, losses: np.ndarray, usual: float | None) -> bool:
        """Return whether losses before one that is not finite were on their way up from what was usual."""
        if self.start is None or usual is None or not len(losses):
            return self.start is not None and self._windows < 1
        return bool(np.max(losses) - usual > max(10 * self.noise, abs(self.start - usual)))


def typical_noise(losses: np.ndarray) -> float:
    """Return the standard deviation of batch losses around their trend."""
    return _noise_of(np.diff(losses))


def _noise_of(differences: np.ndarray) -> float:
    # Differences of neighbours are free of the trend; a normal law makes their median 0.954 standard deviations. Those
    # between batches in which no row counts, and whose loss is 0, say nothing.
    sizes = np.abs(differences[differences != 0.0])
    if len(differences) < 2:
        return np.inf
    return float(np.median(sizes)) / 0.954 if len(sizes) else 0.0


def usual_window_steps(run_steps: int | None = None) -> int:
    """Return how many losses of a run are judged together: a twentieth of it, 4 to 50 steps; 50 where nobody knows."""
    return 50 if run_steps is None else min(50, max(4, run_steps // 20))
