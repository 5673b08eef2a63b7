"""Averages of noisy losses: those that other libraries' rules look at, and the moving median of our own."""

import numpy as np

KEEP = 0.98  # of fastai and Lightning
WINDOW = 0.4  # decades: five steps of a sweep of 100 steps over 8 decades


def debiased_average(losses: np.ndarray) -> np.ndarray:
    """Exponential average `a <- keep * a + (1 - keep) * loss`, divided by `1 - keep^(k+1)` at step `k`."""
    return _exponential(losses, KEEP, 0.0) / (1 - KEEP ** np.arange(1, len(losses) + 1))


def lightning_average(losses: np.ndarray) -> np.ndarray:
    """Lightning's average: as `debiased_average`, but divided by `1 - keep^(k+2)`: the first is half of the loss."""
    return _exponential(losses, KEEP, 0.0) / (1 - KEEP ** np.arange(2, len(losses) + 2))


def anchored_average(losses: np.ndarray) -> np.ndarray:
    """Exponential average that starts at the first loss."""
    return _exponential(losses, 0.95, losses[0])


def _exponential(losses: np.ndarray, keep: float, start: float) -> np.ndarray:
    averages = np.empty(len(losses))
    average = start
    for step, loss in enumerate(losses):
        average = keep * average + (1 - keep) * loss
        averages[step] = average
    return averages


def moving_quantiles(logs: np.ndarray, sweeps: np.ndarray, quantiles: tuple[float, ...]) -> np.ndarray:
    """Return quantiles of the losses of all sweeps in a window of log rates, `WINDOW` wide, around each rate.

    Args:
        logs: decimal logarithms of the rates, shape `(n,)`.
        sweeps: losses, shape `(sweeps, n)`; infinite where a sweep has diverged.
        quantiles: which ones, from 0 to 1: the lowest loss that so large a share of the losses does not exceed.

    Returns:
        Shape `(quantiles, n)`.
    """
    shares = np.asarray(quantiles)

    def around(log: float) -> np.ndarray:
        losses = np.sort(sweeps[:, np.abs(logs - log) <= WINDOW / 2], axis=None)
        return losses[np.maximum(0, np.ceil(shares * losses.size - 1)).astype(int)]

    return np.stack([around(log) for log in logs], axis=1)
