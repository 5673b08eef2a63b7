"""From the losses of a few short lanes to one rate, an interval, and the reason in a sentence: pure."""

from dataclasses import dataclass

import numpy as np

from keras_lr.finder._parabola import parabola

# Beyond this horizon the best peak falls with the length of the run, for the noise of the gradients adds up.
SHORT_HORIZON_STEPS = 250
HORIZON_EXPONENT = 0.6
LEAST_FACTOR = 0.4

# One rung of the ladder, where the next one up undoes the training or nobody has tried it.
EDGE_FACTOR = 10**-0.5


@dataclass(frozen=True)
class Choice:
    """What the lanes say.

    Attributes:
        rate: the peak at which a schedule as short as a lane does best.
        low, high: the peaks between which the lanes cannot tell.
        scores: the mean loss of each lane, shape `(lanes,)`; infinite where the lane diverged.
        best: the index of the best lane.
        near_edge: whether the rung above the best lane diverged or, among short lanes, undid half of what the best won.
    """

    rate: float
    low: float
    high: float
    scores: np.ndarray
    best: int
    near_edge: bool


def choose(rates: np.ndarray, losses: np.ndarray, *, short: bool = False) -> Choice:
    """Choose between lanes that saw the same batches.

    A lane's score is the mean of its batch losses, each measured before the update, so on a batch that was not trained
    on; the first, which all lanes share, is left out. The peak is the vertex of the parabola through the best lane and
    its neighbours. The interval holds the peaks whose parabola stays within one standard error of the best, where the
    error is that of the differences between lanes on the same batches.

    Args:
        rates: the peaks of the lanes, ascending, shape `(lanes,)`.
        losses: the batch losses, shape `(lanes, steps)`.
        short: whether the lanes are too short to see where training is undone. Momentum has then hardly built up, and
            the loss surface has not yet become steep; so a rung above that loses counts as one that diverges.
    """
    scores = lane_scores(losses)
    best = int(np.argmin(scores))
    logs = np.log10(rates)
    vertex, curvature = parabola(logs, scores, best)
    error = _error_of_differences(losses, best)
    reach = float(np.clip(np.sqrt(error / curvature), 0.1, 0.5)) if curvature > 0 else 0.5
    near_edge = False
    if best + 1 < len(scores):
        near_edge = not np.isfinite(scores[best + 1]) or (short and _undoes(losses[best + 1], losses[best]))
    return Choice(10**vertex, 10 ** (vertex - reach), 10 ** (vertex + reach), scores, best, near_edge)


def lane_scores(losses: np.ndarray) -> np.ndarray:
    """Return the mean loss of each lane but for the first batch; infinite where a loss is not finite."""
    finite = np.all(np.isfinite(losses), axis=1)
    return np.where(finite, np.mean(np.where(finite[:, None], losses, 0.0)[:, 1:], axis=1), np.inf)


def unraced(centre: float) -> Choice:
    """Return the choice for a run with no room for lanes: the centre of the ladder that was not raced."""
    return Choice(centre, centre / 10**0.5, centre * 10**0.5, np.empty(0), -1, near_edge=True)


def reason(choice: Choice, rates: np.ndarray, factor: float, horizon_steps: int, *, sees_edge: bool = True) -> str:
    """Return in a sentence or two why this peak."""
    if not len(rates):
        return (
            f"A run of {horizon_steps} steps has no room for a race; {choice.rate:.2g} moves the weights by a third of "
            f"their length in four steps, and {factor:.2g} of that is a peak that seldom fails."
        )
    diverged = int(np.sum(~np.isfinite(choice.scores)))
    parts = [
        f"Of {len(rates)} rates from {rates[0]:.2g} to {rates[-1]:.2g}, {rates[choice.best]:.2g} had the lowest loss "
        f"in a short complete schedule"
        + (f" ({diverged} diverged)" if diverged else "")
        + f", and the parabola through it and its neighbours has its vertex at {choice.rate:.2g}."
    ]
    if choice.best in (0, len(rates) - 1):
        parts.append("It is the end of the ladder: the loss still fell there, so the best rate may lie beyond.")
    if choice.near_edge:
        parts.append(f"Half a decade higher training is undone, so the peak is {factor:.2g} of that.")
    elif not sees_edge:
        parts.append(
            f"Momentum builds up too slowly for lanes this short to show where training is undone, so the peak is "
            f"{factor:.2g} of that."
        )
    elif factor < 1:
        parts.append(f"For a run of {horizon_steps} steps the peak is {factor:.2g} of that.")
    return " ".join(parts)


def step_back(horizon_steps: int, near_edge: bool = False) -> float:
    """Return by what the best peak of a lane is multiplied for a run of `horizon_steps`.

    `clip((250 / T)^0.6, 0.4, 1)`: a step back from the edge of divergence, which lanes of a few steps see too far away;
    one rung at any length where the edge was seen on the next rung, where momentum does not build up within a lane, or
    where there was no room for lanes. It saturates: runs of 1,000 and of 20,000 steps have nearly the same best peak in
    `benchmarks/`, where the square root law of convex theory (arXiv 2501.18965) would have them differ by 4.5.
    """
    if near_edge:
        return EDGE_FACTOR
    return float(np.clip((SHORT_HORIZON_STEPS / horizon_steps) ** HORIZON_EXPONENT, LEAST_FACTOR, 1.0))


def _undoes(losses: np.ndarray, best: np.ndarray) -> bool:
    """Return whether a lane, over its second half, is behind by half of what the best lane has won by then."""
    late, late_best = (float(np.median(lane[len(lane) // 2 :])) for lane in (losses, best))
    return late - late_best > (float(best[0]) - late_best) / 2


def _error_of_differences(losses: np.ndarray, best: int) -> float:
    neighbours = [i for i in (best - 1, best + 1) if 0 <= i < len(losses) and np.all(np.isfinite(losses[i]))]
    differences = [losses[i, 1:] - losses[best, 1:] for i in neighbours]
    if not differences or losses.shape[1] < 3:
        return 0.0
    return float(np.mean([np.std(d, ddof=1) / np.sqrt(len(d)) for d in differences]))
