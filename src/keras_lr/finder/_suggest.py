"""The suggestion rules of other libraries, each by its exact formula: pure functions of rates and batch losses.

Every rule is one pipeline, `smooth -> end where the library would stop -> cut both ends -> pick a rate`, with the
library's own numbers in it. Read from fastai 2.8.12, pytorch-lightning 2.5.2 and 2.6.6, torch-lr-finder 0.2.2,
pytorch-ignite 0.5.5 and ktrain 0.41.4; `tests/oracles/record_suggestions.py` runs the libraries themselves.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from keras_lr.finder._smoothing import anchored_average, debiased_average, lightning_average

Cut = Callable[[int, int], tuple[int, int]]
Pick = Callable[[np.ndarray, np.ndarray], float]


class NoAnswer(ValueError):
    """A rule has no answer on a curve; the message says why."""


@dataclass(frozen=True)
class Rule:
    """A library's way from the batch losses of one sweep to a learning rate.

    Args:
        library: where the rule is from.
        smooth: the library's average of the losses.
        stop_factor: the library ends its sweep where the average exceeds this many times the smallest one so far.
        cut: which of the recorded steps are looked at: `(recorded steps, planned steps) -> (first, end)`.
        pick: the formula: `(rates, averages) -> rate`.
        ends_at_non_finite: whether the curve ends at its first NaN, or the NaN are taken out.

    Example:
    >>> import numpy as np
    >>> from keras_lr.finder import RULES
    >>> rates = 1e-4 * 10 ** (np.arange(100) / 25)
    >>> losses = 2.0 - 1.5 / (1.0 + (0.01 / rates) ** 2) + (rates / 0.3) ** 4
    >>> f"{RULES['minimum'](rates, losses):.3f}"
    '0.025'
    """

    library: str
    smooth: Callable[[np.ndarray], np.ndarray]
    stop_factor: float
    cut: Cut
    pick: Pick
    ends_at_non_finite: bool = True

    def __call__(self, rates: np.ndarray, losses: np.ndarray, planned_steps: int | None = None) -> float:
        """Return the suggested rate.

        Args:
            rates: of the steps taken, shape `(n,)`, rising.
            losses: of the batch at each step before its update, shape `(n,)`.
            planned_steps: how many steps the sweep would have had without stopping. Default: `n`.

        Raises:
            NoAnswer: the formula has no value here.
        """
        rates, losses = np.asarray(rates, np.float64), np.asarray(losses, np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            averages = self.smooth(losses)
            recorded = _recorded_steps(averages, self.stop_factor)
        first, end = self.cut(recorded, planned_steps or len(rates))
        end = max(first, end)
        rates, averages = rates[first:end], averages[first:end]
        finite = np.isfinite(averages)
        if self.ends_at_non_finite and not finite.all():
            finite[int(np.argmin(finite)) :] = False
        rates, averages = rates[finite], averages[finite]
        if len(rates) < 2:
            raise NoAnswer(
                f"{self.library}'s rule leaves {len(rates)} of {recorded} recorded steps after its cuts; "
                "let the test take more steps."
            )
        return float(self.pick(rates, averages))


def valley(rates: np.ndarray, averages: np.ndarray) -> float:
    """Pick about the middle of the longest falling subsequence that ends at `e` with length `L`.

    `b = e - L`, then the index `b + floor((e - b) / 3) + floor(floor((e - b) / 3) / 2)` up to the library's rounding.
    """
    lengths = np.ones(len(averages), int)
    for i in range(1, len(averages)):
        lengths[i] += np.max(lengths[:i][averages[:i] > averages[i]], initial=0)
    end = int(np.argmax(lengths))
    length = int(lengths[end]) if end else 0
    return rates[end - length + length // 3 + length // 6]


def slide(rates: np.ndarray, averages: np.ndarray) -> float:
    """Move a window of 15 steps left from the end while the slopes per step at its ends differ by more than 0.005."""
    width = 15
    if len(averages) <= width:
        raise NoAnswer(f"The window of {width} steps does not fit into a curve of {len(averages)}.")
    slope = np.gradient(averages)
    left = len(averages) - 1 - width
    found = rates[left]
    while left >= 0 and abs(slope[left + width] - slope[left]) > 0.005:
        found = rates[left]
        left -= 1
    return found


def tenth_of_minimum(rates: np.ndarray, averages: np.ndarray) -> float:
    """Pick a tenth of the rate at the smallest average."""
    return rates[np.argmin(averages)] / 10


def steepest_difference(rates: np.ndarray, averages: np.ndarray) -> float:
    """Pick the rate before the smallest of `(s[i+1] - s[i]) / (ln rate[i+1] - ln rate[i])`."""
    return rates[np.argmin(np.diff(averages) / np.diff(np.log(rates)))]


def steepest_per_step(rates: np.ndarray, averages: np.ndarray) -> float:
    """Pick the rate at the smallest second-order difference quotient per step."""
    return rates[np.argmin(np.gradient(averages))]


def steepest_per_rate(rates: np.ndarray, averages: np.ndarray) -> float:
    """Pick the rate at the smallest slope over the rate itself, which on a rising sweep is one of the first."""
    return rates[np.argmin(np.gradient(averages, rates))]


def steepest_before_minimum(rates: np.ndarray, averages: np.ndarray) -> float:
    """Pick the rate at the smallest central difference left of the smallest average."""
    falling = averages[: int(np.argmin(averages)) + 1]
    if len(falling) < 3:
        raise NoAnswer("The smallest average is one of the first two: there is no descent to find a slope on.")
    return rates[1 + int(np.argmin(falling[2:] - falling[:-2]))]


def steepest_with_lost_offset(rates: np.ndarray, averages: np.ndarray) -> float:
    """Pick by the smallest slope from step 32 to the minimum, but count its index from step 0, as ktrain does."""
    falling = averages[32 : int(np.argmin(averages))]
    if len(falling) < 2:
        raise NoAnswer("ktrain looks between step 32 and the smallest average, and there is nothing there.")
    return rates[np.argmin(np.gradient(falling))]


def _recorded_steps(averages: np.ndarray, stop_factor: float) -> int:
    best = math.inf
    for step, average in enumerate(averages):
        best = min(best, average)
        if average > stop_factor * best:
            return step + 1
    return len(averages)


def _fastai_cut(recorded: int, planned: int) -> tuple[int, int]:
    return planned // 10, recorded - 5


def _without(first: int, last: int) -> Cut:
    """Return the cut that leaves out so many steps at the beginning and at the end."""
    return lambda recorded, planned: (first, recorded - last)


RULES: dict[str, Rule] = {
    "valley": Rule("fastai", debiased_average, 4, _fastai_cut, valley),
    "slide": Rule("fastai", debiased_average, 4, _fastai_cut, slide),
    "minimum": Rule("fastai", debiased_average, 4, _fastai_cut, tenth_of_minimum),
    "steep": Rule("fastai", debiased_average, 4, _fastai_cut, steepest_difference),
    "lightning": Rule("Lightning", lightning_average, 4, _without(10, 1), steepest_per_rate, False),
    "lightning_2_5_2": Rule("Lightning", lightning_average, 4, _without(10, 1), steepest_per_step, False),
    "torch_lr_finder": Rule("torch-lr-finder", anchored_average, 5, _without(10, 5), steepest_per_step),
    "ignite": Rule("ignite", anchored_average, 5, _without(0, 0), steepest_before_minimum),
    "ktrain_valley": Rule("ktrain", debiased_average, 4, _without(0, 0), valley),
    "ktrain_minimum": Rule("ktrain", debiased_average, 4, _without(0, 0), tenth_of_minimum),
    "ktrain_steepest": Rule("ktrain", debiased_average, 4, _without(0, 0), steepest_with_lost_offset),
}
