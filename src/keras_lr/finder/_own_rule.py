"""Our own suggestion: a fixed distance, in decades, below a mean of two rates that a curve shows.

The *edge* is the rate at which the pooled loss has climbed half of the way back to its start: there the steps are too
long for the curvature. The *fall* is the sum of the rates up to the step where the loss had fallen by half: how
much learning the descent took, whatever the pace of the sweep. SGD goes by the edge, and by the noise: the more the
losses of single batches differ, measured by the descent, the lower its best rate. Adam, whose steps are as long as its
rate whatever the gradient is, goes as much by the fall and not by the noise. Lion and Muon, whose steps do not even
shrink where gradients disagree, go by the edge alone:

    log10(rate) = (1 - share) log10(edge) + share log10(fall) - exponent log10((noise + 0.03) / 0.08) - distance

Nothing in it depends on the unit of the loss or on a constant added to it. Shares, exponents and distances were fitted
on the tasks of `benchmarks/range_test_study.py`; what such constants reach on tasks that did not fit them,
`benchmarks/range_test_fit.py` and `docs/range_test.md` tell.
"""

import enum
import math
from dataclasses import dataclass

import numpy as np

from keras_lr.finder._smoothing import WINDOW, moving_quantiles
from keras_lr.finder._suggest import NoAnswer


class Use(enum.Enum):
    """What the rate is for.

    Example:
    >>> import numpy as np
    >>> from keras_lr.finder import RangeTestResult, Use
    >>> rates = np.geomspace(1e-6, 100, 100)
    >>> losses = 2 - 1.5 / (1 + (0.01 / rates) ** 2) + (rates / 0.3) ** 4
    >>> test = RangeTestResult(rates, losses[None], moving_rate=0.02)
    >>> [f"{test.suggest(use=use).learning_rate:.2g} as {use.value}" for use in Use]
    ['0.01 as a constant rate', '0.023 as the peak of a warm-up and a decay to zero']
    """

    CONSTANT = "a constant rate"
    PEAK = "the peak of a warm-up and a decay to zero"


@dataclass(frozen=True)
class Kind:
    """How an optimizer's best rate lies to what a test observes.

    Args:
        name: what such an optimizer is called in a sentence.
        share: of the fall in the mean of the logarithms; the rest is the edge's.
        exponent: of the noise.
        constant, peak: the distance from that mean down to the rate, in decades.
        below, above: how far the interval reaches from the rate, in decades.
    """

    name: str
    share: float
    exponent: float
    constant: float
    peak: float
    below: float
    above: float


@dataclass(frozen=True)
class Observed:
    """What a curve shows.

    Args:
        edge: decimal logarithm of the rate at which the loss has climbed half of the way back.
        fall: decimal logarithm of the sum of the rates up to the step where the loss had fallen by half.
        noise: median deviation of the first losses from their median, over the descent.
        has_climbed: whether the loss came back at the edge; else the sweep ended there.
    """

    edge: float
    fall: float
    noise: float
    has_climbed: bool = True


# Gradient descent: fitted on benchmarks/small_tasks.py and workloads.py; Adam: on these and other_workloads.py.
PLAIN = Kind("SGD without momentum", share=0.1, exponent=0.4, constant=0.5, peak=0.3, below=0.4, above=1.0)
HEAVY_BALL = Kind("SGD with momentum 0.9", share=0.1, exponent=0.4, constant=0.95, peak=0.55, below=0.5, above=1.0)
ADAPTIVE = Kind("Adam", share=0.5, exponent=0.0, constant=0.95, peak=0.6, below=0.9, above=0.9)
# On benchmarks/small_tasks.py alone.
FULL_LENGTH = Kind("Lamb, Lion or Muon", share=0.0, exponent=0.0, constant=1.5, peak=0.85, below=0.9, above=1.1)
LEVEL = 0.5  # of the way back to the start; a dead network, which predicts a constant, may never climb higher
LAG = 3  # steps that a loss takes to show that it diverges
TYPICAL_NOISE, SLIGHT_NOISE = 0.05, 0.03
LAST_EDGE = 50.0  # times the moving rate: a loss that has not climbed by then may never do, and this is high enough


def kind_of(optimizer: object) -> Kind:
    """Return how an optimizer's best rate lies; with any momentum, on the line from 0 to 0.9."""
    if any(base.__name__ in ("Lamb", "Lion", "Muon") for base in type(optimizer).__mro__):
        return FULL_LENGTH
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
            for name in ("share", "exponent", "constant", "peak", "below", "above")
        ),
    )


def log_rate(seen: Observed, kind: Kind, use: Use) -> float:
    """Return the decimal logarithm of the suggested rate."""
    distance = kind.constant if use is Use.CONSTANT else kind.peak
    noise = math.log10((seen.noise + SLIGHT_NOISE) / (TYPICAL_NOISE + SLIGHT_NOISE))
    return (1 - kind.share) * seen.edge + kind.share * seen.fall - kind.exponent * noise - distance


def observe(rates: np.ndarray, sweeps: np.ndarray, last_edge: float = math.inf) -> Observed:
    """Return what the pooled curve shows.

    Args:
        rates: shape `(n,)`, rising.
        sweeps: losses, shape `(sweeps, n)`; what is not finite counts as diverged.
        last_edge: the rate from which on the end of a sweep counts as the edge where the loss never climbs.

    Raises:
        NoAnswer: the loss never fell, fell to the end, or never climbed back.
    """
    logs = np.log10(rates)
    losses = np.where(np.isfinite(sweeps), sweeps, np.inf)
    pooled = moving_quantiles(logs, losses, (0.5,))[0]
    first = losses[:, : max(2, len(rates) // 8)]
    start = float(np.median(first))
    lowest = int(np.argmin(pooled))
    _check_descent(rates, first, losses[:, np.abs(logs - logs[lowest]) <= WINDOW / 2], lowest)
    descent = start - float(pooled[lowest])
    noise = float(np.median(np.abs(first - start)))
    height = start - (1 - LEVEL) * descent
    edge = _edge(logs, pooled, lowest, height, last_edge)
    still_high = np.flatnonzero(pooled[:lowest] >= start - descent / 2)
    fallen = int(still_high[-1]) + 1 if len(still_high) else 1
    has_climbed = bool(np.any(pooled[lowest:] >= height))
    return Observed(edge, math.log10(float(np.sum(rates[:fallen]))), noise / descent, has_climbed)


def _edge(logs: np.ndarray, pooled: np.ndarray, lowest: int, height: float, last_edge: float) -> float:
    above = np.flatnonzero(pooled[lowest:] >= height)
    if len(above):
        step = lowest + int(above[0])
        return _crossing(logs, pooled, step, height) - LAG * float(logs[step] - logs[step - 1])
    if logs[-1] >= math.log10(last_edge):
        return float(logs[-1] - LAG * (logs[-1] - logs[-2]))
    highest = 10 ** logs[-1]
    raise NoAnswer(
        f"the loss fell and did not climb back up to the highest rate of {highest:.3g}: the edge lies "
        f"beyond it. Repeat the test with high={100 * highest:.0g}."
    )


def _check_descent(rates: np.ndarray, first: np.ndarray, last: np.ndarray, lowest: int) -> None:
    """Raise `NoAnswer` where the losses around the lowest one may be the first ones over again."""
    start, smallest = float(np.median(first)), float(np.quantile(last, 0.5, method="inverted_cdf"))
    if not np.isfinite(start):
        raise NoAnswer(
            f"the loss is not finite at the lowest rates, from {rates[0]:.3g} on. Look at the data and the model: "
            f"model.evaluate must give a number; then repeat the test with low={rates[0] / 1000:.0g}."
        )
    # The lowest of a hundred medians of nothing but noise lies about 4 / sqrt(number) of such deviations down, and
    # more at the two ends, where a window holds half as many. Both count, for noise may shrink with the loss.
    deviations = np.concatenate([np.abs(first - start).ravel(), np.abs(last - smallest).ravel()])
    noise = float(np.median(deviations))
    if start - smallest <= 10 * noise / math.sqrt(last.size) + 1e-6 * abs(start):
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
