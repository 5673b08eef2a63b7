"""From the final values of trials to one rate and an interval: pure. A *rung* is one of the rates that were tried."""

from dataclasses import dataclass

import numpy as np

from keras_lr.finder._parabola import parabola

SIGNIFICANCE = 0.05
CLIFF = 20.0  # times as high above the best rung as its other neighbour


@dataclass(frozen=True)
class UCurve:
    """What the final values of trials say about the rate.

    Attributes:
        best: the vertex of the parabola in log rate through the best rung and its neighbours, or the best rung.
        low, high: the ends of the rates that the seeds cannot tell from the best.
        index: the best rung.
        scores: the median over the seeds, shape `(rates,)`; infinite where any seed diverged.
        alike: which rungs the seeds cannot tell from the best one, next to each other, shape `(rates,)`.
        edge: the lowest rate at which a seed diverged, or None.
    """

    best: float
    low: float
    high: float
    index: int
    scores: np.ndarray
    alike: np.ndarray
    edge: float | None

    @property
    def at_border(self) -> bool:
        """Whether the best rung is the lowest or the highest of all."""
        return self.index in (0, len(self.scores) - 1)


def u_curve(rates: np.ndarray, losses: np.ndarray) -> UCurve:
    """Read a U-curve.

    A rung in which one seed diverged is none to train at, so it is best only where every rung has one. A rung is told
    from the best where its losses are higher at 5 % in a one-sided t test of the differences between the same seeds,
    which share weights and batches; the interval ends halfway (in log rate) between the last rung that is not told and
    the first that is, or at the last rate tried. With one seed there is no chance to measure: all other rungs are told.

    Args:
        rates: ascending, shape `(rates,)`.
        losses: lower is better, not finite after a divergence, shape `(rates, seeds)`.

    Raises:
        ValueError: every run diverged.
    """
    diverged = ~np.isfinite(losses)
    if np.all(diverged):
        raise ValueError(
            f"Every run diverged, at all rates from {rates[0]:.2g} to {rates[-1]:.2g}. Give lower rates; where these "
            "are low, the rate is not the cause: look for NaN in the data, for a logarithm or a root of zero in the "
            "loss or the model, or clip the gradients."
        )
    scores = np.where(np.any(diverged, axis=1), np.inf, np.median(losses, axis=1))
    ranked = scores if np.any(np.isfinite(scores)) else _mean_of_finite(losses)
    index = int(np.argmin(ranked))
    best = float(10 ** parabola(np.log10(rates), _with_cliffs(ranked, index), index)[0])
    alike = _alike(losses, index)
    first, last = np.flatnonzero(alike)[[0, -1]]
    low = rates[0] if first == 0 else np.sqrt(rates[first] * rates[first - 1])
    high = rates[-1] if last == len(rates) - 1 else np.sqrt(rates[last] * rates[last + 1])
    edge = float(rates[np.any(diverged, axis=1)][0]) if np.any(diverged) else None
    return UCurve(best, float(min(low, best)), float(max(high, best)), index, scores, alike, edge)


def _with_cliffs(scores: np.ndarray, index: int) -> np.ndarray:
    """Return the scores with a neighbour of the best rung that is no part of a parabola counted as diverged.

    A loss that has exploded and is still finite would pull the vertex halfway to the other neighbour, whatever that is.
    """
    seen = scores.copy()
    if 0 < index < len(scores) - 1:
        neighbours = np.array([index - 1, index + 1])
        heights = scores[neighbours] - scores[index]
        seen[neighbours[heights > CLIFF * heights.min()]] = np.inf
    return seen


def _mean_of_finite(losses: np.ndarray) -> np.ndarray:
    """Return the mean of the runs that did not diverge, only among the rungs with the most of them."""
    finite = np.isfinite(losses)
    count = finite.sum(1)
    mean = np.where(finite, losses, 0.0).sum(1) / np.maximum(count, 1)
    return np.where(count == count.max(), mean, np.inf)


def _alike(losses: np.ndarray, index: int) -> np.ndarray:
    alike = np.zeros(len(losses), bool)
    alike[index] = True
    for direction in (-1, 1):
        rung = index + direction
        while 0 <= rung < len(losses) and not is_worse(losses[rung], losses[index]):
            alike[rung] = True
            rung += direction
    return alike


def is_worse(losses: np.ndarray, best: np.ndarray) -> bool:
    """Return whether losses are higher than the best rung's, seed by seed, beyond chance.

    Args:
        losses, best: of the same seeds, shape `(seeds,)`.
    """
    if not np.all(np.isfinite(losses)):
        return True
    differences = (losses - best)[np.isfinite(best)]
    if len(differences) < 2:
        return True
    mean, deviation = np.mean(differences), np.std(differences, ddof=1)
    if deviation == 0:
        return bool(mean > 0)
    return chance(float(mean / deviation) * len(differences) ** 0.5, len(differences) - 1) < SIGNIFICANCE


def chance(t: float, degrees: int) -> float:
    """Return how likely Student's t with some degrees of freedom exceeds a value, `P(T > t)`.

    With `t = sqrt(degrees) tan(angle)` the density is the power `degrees - 1` of the angle's cosine.
    """
    return _area(np.arctan(t / degrees**0.5), degrees) / _area(-np.pi / 2, degrees)


def _area(start: float, degrees: int) -> float:
    width = (np.pi / 2 - start) / 2000
    angles = start + width * (np.arange(2000) + 0.5)
    return float(width * np.sum(np.cos(angles) ** (degrees - 1)))
