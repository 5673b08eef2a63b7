"""From the losses of short lanes to a judgement, a factor, an interval and the reason in a sentence: pure.

The evidence is an experiment: from the weights of the moment, over the same batches, a few steps at the rate in
question, at rates above and below it, and without any rate. A *good* rate is one whose lane comes as far down as the
best lane, but for a tenth of its descent. The *edge*, the highest good rate, is in the middle of the tasks of
`benchmarks/diagnose_on_tasks.py` the best rate for the rest of a training under way and the best peak of a schedule
that decays to zero, whatever the optimizer. A constant rate for untrained weights is best at 0.37 of it: later the loss
bends more than in the first steps. Weights count as untrained where all updates so far, at the rate in question, went
less far than a single one at the edge.

Lanes see only rows that are new to them. A run that sees its rows E times soon fits them where a lane wins much, and
then a high rate ends above a lower one on rows that are held out. So the factor is multiplied by `E^(-0.6 w)` for a
peak, as in `keras_lr.fit`, and by `E^(-0.3 w)` for a constant rate, w being the share of its first loss that the best
lane has won (`benchmarks/diagnose_over_epochs.py`).

Nor do they see how steps add up that do not shrink where gradients disagree, as those of Lamb, Lion and Muon. For a run
of T updates with one of them the factor is multiplied by `clip(100 / T, 0.1, 1)`. Nor how often the run moves weights
that a batch seldom moves, as rows of an embedding of words; with Adam and its kin the factor is lowered as that of a
race (`keras_lr.race`).
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

TOLERANCE = 0.1  # of the descent: lanes that differ by less are as good as each other
LEFT_OUT = 0.25  # of a lane: in its first steps the rates have not yet made a difference
STEP_BACK = 10**-0.43  # from the edge to the best constant rate for untrained weights
PEAK_PASSES_EXPONENT, CONSTANT_PASSES_EXPONENT = 0.6, 0.3  # of a task whose loss is won as soon as a lane ends
FULL_LENGTH_UPDATES, LEAST_FULL_LENGTH = 100, 0.1
BELOW, ABOVE = 0.9, 0.6  # decades from the factor to the ends of the interval
NEAR = 3.0  # a rate within this factor of the best one is right
SURE = 2.0  # standard errors


class Judgement(enum.Enum):
    """What is said of a rate.

    Example:
    >>> from keras_lr.diagnosis import Judgement
    >>> [judgement.value for judgement in Judgement]
    ['too high', 'right', 'too low', 'undecided']
    """

    TOO_HIGH = "too high"
    RIGHT = "right"
    TOO_LOW = "too low"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Verdict:
    """What the evidence says of a rate.

    Attributes:
        judgement: too high, right, too low, or undecided.
        reason: why, in a sentence or two.
        factor: by what the rate is to be multiplied; None where there is no telling.
        low, high: the interval of that factor; times the rate, that of the best rate.

    Example:
    >>> from keras_lr.diagnosis import Judgement, Verdict
    >>> verdict = Verdict(Judgement.TOO_LOW, "Ten times the rate comes down further.", factor=10.0, low=1.3, high=40.0)
    >>> verdict.factor * 1e-3
    0.01
    """

    judgement: Judgement
    reason: str
    factor: float | None = None
    low: float | None = None
    high: float | None = None


def judge(
    factors: np.ndarray,
    losses: np.ndarray,
    still: np.ndarray,
    *,
    stays: bool,
    updates: float = 0,
    passes: float = 1.0,
    full_length_updates: float = 0,
    constant: float = np.inf,
    seldom_moved: Callable[[float], float] | None = None,
) -> Verdict:
    """Judge a rate by lanes that saw the same batches.

    Args:
        factors: the rate of each lane over the rate in question, ascending, shape `(lanes,)`.
        losses: the batch losses before each update, shape `(lanes, steps)`; not finite after a divergence.
        still: the same of a lane with the rate zero, shape `(steps,)`.
        stays: whether the rate is to stay for the run to come; else it is the peak of a schedule that decays.
        updates: how many the optimizer has made. Default 0.
        passes: E, how often the run to come sees each row. Default 1.
        full_length_updates: T, those of the run to come, with an optimizer whose steps have the same length whether
            gradients agree or not, as Lamb's, Lion's and Muon's: lanes hardly see how that adds up, and the factor is
            multiplied by `clip(100 / T, 0.1, 1)`. Default 0: with another optimizer.
        constant: the loss of a constant answer; what is won by coming down to it counts for nothing. Default infinity:
            unknown.
        seldom_moved: where a batch moves few of some variables' weights, by what a factor is multiplied for that.

    Returns:
        The verdict. It does not change when all losses are multiplied by a constant or, with one pass, when a constant
        is added to all.
    """
    seen = _Seen(factors, losses, still)
    if not np.any(np.isfinite(seen.scores)):
        return Verdict(Judgement.UNDECIDED, _NEVER_FINITE.format(rounded(1 / factors[0])))
    if not seen.anything_gained:
        return _of_harm(seen)
    lowest, edge = seen.good
    step_back = stays and updates < edge
    exponent = CONSTANT_PASSES_EXPONENT if stays else PEAK_PASSES_EXPONENT
    again = passes ** (-exponent * share_won(losses[seen.best], constant))
    steady = min(1.0, max(LEAST_FULL_LENGTH, FULL_LENGTH_UPDATES / (full_length_updates or FULL_LENGTH_UPDATES)))
    factor = edge * (STEP_BACK if step_back else 1.0) * again * steady
    fewer = seldom_moved(factor) if seldom_moved else 1.0
    factor *= fewer
    interval = factor / 10**BELOW, factor * 10**ABOVE
    reason = _reason(seen, lowest, edge, step_back, passes, again)
    if steady < 1:
        reason += f" Steps of this optimizer do not shrink where gradients disagree: take {steady:.2g} of that."
    if fewer < 1:
        reason += (
            " A batch moves few rows of an embedding, or of other weights whose inputs are mostly 0; the run moves "
            f"them more often than a lane: take {fewer:.2g} of that."
        )
    return Verdict(_named(factor), reason, factor, *interval)


def rung_to_try(factors: np.ndarray, losses: np.ndarray, still: np.ndarray) -> int:
    """Return 1 or -1 where a lane above or below all others can still change the verdict, else 0; as for `judge`."""
    seen = _Seen(factors, losses, still)
    if not np.any(np.isfinite(seen.scores)):
        return -1
    if seen.good[1] == factors[-1]:
        return 1
    return -1 if seen.best == 0 and (seen.anything_gained or seen.harms(0)) else 0


def rounded(number: float) -> str:
    """Return a number with two digits and no exponent."""
    return np.format_float_positional(float(f"{number:.1e}"), trim="-")


def share_won(losses: np.ndarray, constant: float = np.inf) -> float:
    """Return the share of its first loss, from 0 to 1, that a lane has won by its second half.

    Args:
        losses: of the lane, shape `(steps,)`.
        constant: the loss of a constant answer, from which on is counted where it is below the first.
    """
    first = min(float(losses[0]), constant)
    won = first - np.mean(losses[len(losses) // 2 :])
    return float(np.clip(won / abs(first), 0.0, 1.0)) if first else 0.0


def late_scores(losses: np.ndarray) -> np.ndarray:
    """Return the mean loss of each lane but for its first quarter; infinite where a loss is not finite."""
    finite = np.all(np.isfinite(losses), axis=1)
    late = np.where(finite[:, None], losses, 0.0)[:, _first(losses.shape[1]) :]
    return np.where(finite, np.mean(late, axis=1), np.inf)


class _Seen:
    """What the lanes show."""

    def __init__(self, factors: np.ndarray, losses: np.ndarray, still: np.ndarray) -> None:
        self.factors, self._losses, self._still = factors, losses, still
        self.scores = late_scores(losses)
        self.still_score = float(late_scores(still[None])[0])
        self.best = int(np.argmin(self.scores))

    @property
    def anything_gained(self) -> bool:
        """Whether the best lane ends below where the loss is without a step, by more than the noise."""
        return self.still_score - self.scores[self.best] > SURE * self._error(self.best)

    @property
    def good(self) -> tuple[float, float]:
        """The lowest and the highest good rate around the best one, between lanes on the line that joins them."""
        height = self.scores[self.best] + TOLERANCE * max(self.still_score - self.scores[self.best], 0.0)
        return self._crossing(-1, height), self._crossing(1, height)

    def harms(self, lane: int) -> bool:
        """Return whether a lane ends above the loss without a step, by more than the noise or on every batch."""
        difference = self._difference(lane)
        above = self.scores[lane] - self.still_score
        # A lane that explodes varies as much as it rises.
        return not above <= SURE * self._error(lane) or bool(np.all(difference > 0))

    def _crossing(self, way: int, height: float) -> float:
        logs, scores, i = np.log10(self.factors), self.scores, self.best
        while 0 <= i + way < len(scores) and scores[i + way] <= height:
            i += way
        if not 0 <= i + way < len(scores):
            return float(self.factors[i])
        share = (height - scores[i]) / (scores[i + way] - scores[i])  # 0 beside a lane that diverged
        return float(10 ** (logs[i] + share * (logs[i + way] - logs[i])))

    def _difference(self, lane: int) -> np.ndarray:
        """Return by how much each late loss of a lane is above that without a step, on the same batch."""
        return (self._losses[lane] - self._still)[_first(len(self._still)) :]

    def _error(self, lane: int) -> float:
        """Return the standard error of the mean difference; 0 where it is not finite or of a single batch."""
        difference = self._difference(lane)
        if len(difference) < 2 or not np.all(np.isfinite(difference)):
            return 0.0
        with np.errstate(over="ignore"):
            return float(np.std(difference, ddof=1) / np.sqrt(len(difference)))


def _first(steps: int) -> int:
    return int(LEFT_OUT * steps)


def _named(factor: float) -> Judgement:
    if factor > NEAR:
        return Judgement.TOO_LOW
    return Judgement.TOO_HIGH if factor < 1 / NEAR else Judgement.RIGHT


def _of_harm(seen: _Seen) -> Verdict:
    """Judge where no rate brings the loss down: a rate can still be too high, which is all that can be said."""
    factors = seen.factors
    own = int(np.argmin(np.abs(np.log10(factors))))
    if not seen.harms(own):
        return Verdict(Judgement.UNDECIDED, _NOTHING_GAINED.format(rounded(factors[0]), rounded(factors[-1])))
    harmless = [float(factors[i]) for i in range(own) if not seen.harms(i)]
    if not harmless:
        return Verdict(Judgement.UNDECIDED, _ONLY_HARM.format(rounded(1 / factors[0])))
    return Verdict(Judgement.TOO_HIGH, _HARM.format(rounded(harmless[-1])), harmless[-1], harmless[0], harmless[-1])


def _reason(seen: _Seen, lowest: float, edge: float, step_back: bool, passes: float, again: float) -> str:
    factors = seen.factors
    diverged = int(np.sum(~np.isfinite(seen.scores)))
    parts = [
        f"{len(factors)} rates from {rounded(factors[0])} to {rounded(factors[-1])} times yours were tried from the "
        "present weights over the same batches"
        + (f" ({diverged} diverged)" if diverged else "")
        + f"; those from {rounded(lowest)} to {rounded(edge)} times yours bring the loss down furthest."
    ]
    if edge == factors[-1]:
        parts.append("The highest of them is the highest that was tried, so the factor may be larger still.")
    if step_back:
        parts.append(f"A constant rate from untrained weights on is best at {STEP_BACK:.2g} of the highest of these.")
    else:
        parts.append("The highest of these is the one to have.")
    if passes >= 1.1:
        parts.append(f"For a run that sees the same rows {passes:.2g} times, take {again:.2g} of that.")
    return " ".join(parts)


_NEVER_FINITE = (
    "The loss is not finite at any rate down to a {}th of yours, though it is without a step: the rate is not the "
    "cause. Look for a logarithm or a root of zero in the loss or the model, or for overflow in reduced precision."
)
_NOTHING_GAINED = (
    "No rate from {} to {} times yours brings the loss below where it is without a step by more than its "
    "noise, and yours does no harm: either the model has learnt what these batches hold, or nothing reaches it."
)
_ONLY_HARM = (
    "Every rate down to a {}th of yours raises the loss above where it is without a step: the steps do not go "
    "downhill. Look at the momentum that the optimizer has gathered, and at the data."
)
_HARM = (
    "At your rate the loss rises above where it is without a step, and no rate brings it down by more than its noise; "
    "{} times yours does no harm."
)
