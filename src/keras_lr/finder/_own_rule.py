"""Our own suggestion: a fixed distance, in decades, below the edge where a sweep has lost again all that it had won.

The edge is where the pooled loss climbs back to what it was at the start. It is blind to the scale of the loss and to a
constant added to it, it is found on the steep side of the curve, where noise moves it least, and one number for each
kind of optimizer leads from it to the best rate: `rate = edge / 10^distance`.

How good that is, `benchmarks/range_test_study.py` says, and only in sample: the distances were fitted on four of its
eight small tasks, but the levels of the edge were set with the scores of all eight in view, so no task was unseen. On
the four others the rate is within a factor 3 of the best in 80 % of the cases with a mean excess loss of 0.007
(constant), and in 93 % with 0.044 (peak of a schedule). On the eight larger workloads it is in 25 to 50 %, with an
excess of 0.15 to 0.25, where a tenth of the rate at the minimum has the lower excess.
"""

import enum
import math
from dataclasses import dataclass

import numpy as np

from keras_lr.finder._smoothing import WINDOW, moving_quantiles
from keras_lr.finder._suggest import NoAnswer


class Use(enum.Enum):
    """What the rate is for."""

    CONSTANT = "a constant rate"
    PEAK = "the peak of a warm-up and a decay to zero"


@dataclass(frozen=True)
class Kind:
    """How an optimizer's best rate lies to the edge of its sweep.

    Args:
        name: what such an optimizer is called in a sentence.
        constant, peak: the distance from the edge down to the best rate, in decades, at `PACE`.
        pace: by how much the distance grows with the root of the sweep's decades per step.
        horizon: by how much the best constant rate falls per decade of the run's steps beyond `HORIZON`.
    """

    name: str
    constant: float
    peak: float
    pace: float
    horizon: float = 0.0


# Fitted on digits_linear, digits_6, diabetes and moons of benchmarks/range_test_study.py; the levels in `find_edge`
# were set with all eight of its small tasks in view.
PLAIN = Kind("SGD without momentum", constant=0.8, peak=0.65, pace=0.9)
HEAVY_BALL = Kind("SGD with momentum 0.9", constant=1.35, peak=0.95, pace=1.1)
ADAPTIVE = Kind("Adam", constant=1.5, peak=0.95, pace=-0.4, horizon=0.3)
PACE = 8 / 99
HORIZON = 500
SPREAD = 0.75  # half of the interval, in decades, when the sweeps agree


@dataclass(frozen=True)
class Edge:
    """Where the pooled loss is back at its start.

    Args:
        log_rate: decimal logarithm of the edge.
        pace: decades a step of the sweep there.
        level: the share of the descent that is lost there: 1, or 0.5 on a curve that never climbs back all the way.
    """

    log_rate: float
    pace: float
    level: float


def kind_of(optimizer: object) -> Kind:
    """Return how an optimizer's best rate lies to the edge; with any momentum, on the line from 0 to 0.9."""
    momentum = getattr(optimizer, "momentum", None)
    if type(optimizer).__name__ != "SGD":
        return ADAPTIVE
    # 1 / (1 - momentum) is by how much a momentum lengthens the steps.
    decades = -math.log10(1 - min(float(momentum or 0.0), 0.999))
    if not decades:
        return PLAIN
    return Kind(
        f"SGD with momentum {momentum:g}",
        *(
            getattr(PLAIN, name) + decades * (getattr(HEAVY_BALL, name) - getattr(PLAIN, name))
            for name in ("constant", "peak", "pace")
        ),
    )


def distance(edge: Edge, kind: Kind, use: Use, horizon: int | None) -> float:
    """Return how many decades below the edge the best rate lies."""
    decades = kind.constant if use is Use.CONSTANT else kind.peak
    decades += kind.pace * (math.sqrt(edge.pace) - math.sqrt(PACE))
    if use is Use.CONSTANT and horizon:
        decades += kind.horizon * math.log10(np.clip(horizon, 100, 100_000) / HORIZON)
    return decades - 0.1 * (edge.level < 1)


def find_edge(rates: np.ndarray, sweeps: np.ndarray) -> Edge:
    """Find where the pooled loss has climbed back to its start.

    Args:
        rates: shape `(n,)`, rising.
        sweeps: losses, shape `(sweeps, n)`; what is not finite counts as diverged.

    Raises:
        NoAnswer: the loss never fell, fell to the end, or never climbed back by half.
    """
    logs = np.log10(rates)
    losses = np.where(np.isfinite(sweeps), sweeps, np.inf)
    pooled = moving_quantiles(logs, losses, (0.5,))[0]
    first = losses[:, : max(2, len(rates) // 8)]
    start = float(np.median(first))
    lowest = int(np.argmin(pooled))
    within = losses.size * WINDOW / (logs[-1] - logs[0])
    _check_descent(rates, first, start, float(pooled[lowest]), lowest, max(1.0, within))
    for level in (1.0, 0.5):
        height = pooled[lowest] + level * (start - pooled[lowest])
        above = np.flatnonzero(pooled[lowest:] >= height)
        if len(above):
            step = lowest + int(above[0])
            return Edge(_crossing(logs, pooled, step, height), float(logs[step] - logs[step - 1]), level)
    raise NoAnswer(
        f"the loss fell and did not climb back by half up to the highest rate of {rates[-1]:.3g}: the edge lies "
        f"beyond it. Repeat the test with high={100 * rates[-1]:.0g}."
    )


def _check_descent(
    rates: np.ndarray, first: np.ndarray, start: float, smallest: float, lowest: int, pooled: float
) -> None:
    if not np.isfinite(start):
        raise NoAnswer(
            f"the loss is not finite at the lowest rates, from {rates[0]:.3g} on. Look at the data and the model: "
            f"model.evaluate must give a number; then repeat the test with low={rates[0] / 1000:.0g}."
        )
    noise = float(np.median(np.abs(first - start)))
    # The lowest of a hundred medians of nothing but noise lies about 4 / sqrt(number) of such deviations down,
    # and more at the two ends, where a window holds half as many.
    if start - smallest <= 8 * noise / math.sqrt(pooled) + 1e-6 * abs(start):
        raise NoAnswer(
            f"the loss never fell below its start of {start:.4g} by more than its noise of {noise:.2g}: either no "
            f"rate from {rates[0]:.3g} to {rates[-1]:.3g} trains this model, or it is trained already."
        )
    if lowest == 0:
        raise NoAnswer(
            f"the loss only rose from the lowest rate of {rates[0]:.3g} on. Repeat the test with "
            f"low={rates[0] / 1000:.0g}."
        )


def _crossing(logs: np.ndarray, pooled: np.ndarray, step: int, height: float) -> float:
    below, above = pooled[step - 1], pooled[step]
    share = (height - below) / (above - below) if np.isfinite(above) else 1.0
    return float(logs[step - 1] + share * (logs[step] - logs[step - 1]))
