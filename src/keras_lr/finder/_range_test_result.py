"""What a range test found: the losses of its sweeps over the rate, and what every rule makes of them."""

import math
from dataclasses import dataclass, replace

import numpy as np

from keras_lr.finder import _own_rule
from keras_lr.finder._own_rule import Kind, Observed, Use
from keras_lr.finder._smoothing import moving_quantiles
from keras_lr.finder._suggest import RULES, NoAnswer, Rule
from keras_lr.report import Band, Chart, Facts, Line, Mark, Report, Shown, Span, Table, Text


@dataclass(frozen=True)
class Suggestion:
    """A learning rate, how sure it is, and why.

    Attributes:
        learning_rate: the rate, or None where there is no answer.
        low, high: the interval around it, or None.
        reason: a sentence: how the rate came about, or why there is none.

    Example:
    >>> from keras_lr.finder import Suggestion
    >>> found = Suggestion(0.01, 0.003, 0.04, "The loss fell fastest there.")
    >>> float(found), str(found)
    (0.01, '0.01 (0.003 to 0.04). The loss fell fastest there.')
    >>> print(Suggestion(None, None, None, "The loss never fell."))
    The loss never fell.
    """

    learning_rate: float | None
    low: float | None
    high: float | None
    reason: str

    def __str__(self) -> str:
        if self.learning_rate is None or self.low is None or self.high is None:
            return self.reason
        return f"{self.learning_rate:.3g} ({self.low:.2g} to {self.high:.2g}). {self.reason}"

    def __float__(self) -> float:
        if self.learning_rate is None:
            raise ValueError(f"The range test has no answer: {self.reason}")
        return self.learning_rate


@dataclass(frozen=True, eq=False, repr=False)
class RangeTestResult(Shown):
    """The curve of a range test.

    Attributes:
        rates: learning rate of each step, shape `(steps,)`.
        sweeps: loss at each step of each sweep, shape `(sweeps, steps)`; NaN after the divergence.
        kind: how the optimizer's best rate lies to what the test observed.
        moving_rate: the rate at which four steps move all weights by a third of their length, or None.
        optimizer: name of its class.
        is_validation: whether the losses are of validation data instead of the training batches.
        total_steps: the training steps that the test has cost, those of the probe included.
        seldom_moved: whether a batch moves few rows of an embedding, or of other weights whose inputs are mostly 0, by
            steps of Adam or its kin.

    Example:
    >>> import keras, keras_lr, numpy as np
    >>> x = np.random.default_rng(0).normal(size=(512, 4)).astype("float32")
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    >>> model.compile(optimizer=keras.optimizers.SGD(), loss="mse")
    >>> test = keras_lr.range_test(model, x, x.sum(1, keepdims=True), low=1e-3, high=10.0, steps=50)
    >>> len(test.rates), len(test.losses), 0.03 < float(test.suggest()) < 3
    (50, 50, True)
    """

    rates: np.ndarray
    sweeps: np.ndarray
    kind: Kind = _own_rule.ADAPTIVE
    moving_rate: float | None = None
    optimizer: str = "Adam"
    is_validation: bool = False
    total_steps: int = 0
    seldom_moved: bool = False

    @property
    def losses(self) -> np.ndarray:
        """The pooled curve: median over all sweeps and neighbouring rates, infinite beyond divergence; `(steps,)`."""
        return self._quantiles(0.5)[0]

    @property
    def band(self) -> tuple[np.ndarray, np.ndarray]:
        """The losses between which the middle two thirds lie, each of shape `(steps,)`."""
        low, high = self._quantiles(1 / 6, 5 / 6)
        return low, high

    def suggest(self, rule: str | Rule | None = None, *, use: Use = Use.CONSTANT) -> Suggestion:
        """Suggest a learning rate.

        Args:
            rule: the name of another library's rule, one of `keras_lr.finder.RULES`, which is applied to every sweep;
                the answer is the median, the interval the extremes. Default: our own rule.
            use: what the rate is for, a constant rate or the peak of a schedule to come; only our rule asks.

        Returns:
            A rate with an interval and a reason, or no rate and the reason.

        Raises:
            ValueError: there is no rule of this name.

        Example:
        >>> import numpy as np
        >>> from keras_lr.finder import RangeTestResult
        >>> rates = np.geomspace(1e-6, 100, 100)
        >>> losses = 2 - 1.5 / (1 + (0.01 / rates) ** 2) + (rates / 0.3) ** 4
        >>> test = RangeTestResult(rates, losses[None], moving_rate=0.02)
        >>> f"{test.suggest().learning_rate:.2g}, {test.suggest('valley').learning_rate:.2g}"
        '0.01, 0.00098'
        """
        if not isinstance(use, Use):
            raise ValueError(f"use={use!r}: give keras_lr.finder.Use.CONSTANT or Use.PEAK.")
        if rule is None:
            return self._own_suggestion(use)
        known = RULES.get(rule) if isinstance(rule, str) else rule
        if not isinstance(known, Rule):
            raise ValueError(f"rule={rule!r} is not known; there are {', '.join(RULES)}.")
        return self._peer_suggestion(known)

    def _own_suggestion(self, use: Use) -> Suggestion:
        try:
            seen = self._observed(self.sweeps)
        except NoAnswer as why:
            return Suggestion(None, None, None, str(why))
        log_rate = _own_rule.log_rate(seen, self.kind, use)
        spread = self._spread()
        return Suggestion(
            float(10**log_rate),
            float(10 ** (log_rate - np.hypot(self.kind.below, spread))),
            float(10 ** (log_rate + np.hypot(self.kind.above, spread))),
            self._reason(seen, 10**log_rate, use),
        )

    def _observed(self, sweeps: np.ndarray) -> Observed:
        last_edge = _own_rule.LAST_EDGE * self.moving_rate if self.moving_rate else math.inf
        seen = _own_rule.observe(self.rates, sweeps, last_edge)
        # Losses of validation data say nothing about the noise of a batch.
        return replace(seen, noise=_own_rule.TYPICAL_NOISE) if self.is_validation else seen

    def _reason(self, seen: Observed, rate: float, use: Use) -> str:
        edge = (
            "was half of the way back to its start at the rate" if seen.has_climbed else "was still low up to the rate"
        )
        found = (
            f"The loss had fallen by half when the rates summed up to {10**seen.fall:.2g}, and {edge} "
            f"{10**seen.edge:.2g}; with {self.kind.name} the best rate as {use.value} lies near {rate:.2g}."
        )
        return found + (_SELDOM_MOVED if self.seldom_moved else "")

    def _peer_suggestion(self, rule: Rule) -> Suggestion:
        answers: list[float] = []
        reason = "No loss is finite."
        for losses in self.sweeps[np.isfinite(self.sweeps).any(axis=1)]:
            taken = len(losses) - int(np.argmax(np.isfinite(losses[::-1])))
            try:
                answers.append(rule(self.rates[:taken], losses[:taken], len(losses)))
            except NoAnswer as why:
                reason = str(why)
        if not answers:
            return Suggestion(None, None, None, reason)
        many = f"the median of {_counted(len(answers))}"
        return Suggestion(
            float(np.exp(np.median(np.log(answers)))),
            min(answers),
            max(answers),
            f"{rule.library}'s rule '{rule.pick.__name__}', {many}.",
        )

    def _spread(self) -> float:
        """Return the standard error of the rate in decades, from the sweeps one by one."""
        found = []
        for losses in self.sweeps:
            try:
                found.append(_own_rule.log_rate(self._observed(losses[None]), self.kind, Use.CONSTANT))
            except NoAnswer:
                continue
        return float(np.std(found, ddof=1) / np.sqrt(len(found))) if len(found) > 1 else 0.0

    def _quantiles(self, *quantiles: float) -> np.ndarray:
        losses = np.where(np.isfinite(self.sweeps), self.sweeps, np.inf)
        return moving_quantiles(np.log10(self.rates), losses, quantiles)

    def report(self) -> Report:
        """Describe the curve and the suggestions in facts, a table and a chart."""
        constant, peak = (self.suggest(use=use) for use in Use)
        facts: dict[str, str | int | float | None] = {
            "learning rate, constant": constant.learning_rate or "no answer",
            "interval": _interval(constant),
            "learning rate, peak of a schedule": peak.learning_rate or "no answer",
            "interval of the peak": _interval(peak),
            "optimizer": self.optimizer,
            "steps of the test": self.total_steps,
        }
        found = [("constant", "keras-lr", constant), ("peak", "keras-lr", peak)]
        found += [(name, rule.library, self.suggest(rule)) for name, rule in RULES.items()]
        rows = [(name, library, s.learning_rate, s.low, s.high) for name, library, s in found]
        return Report(
            "Learning rate range test",
            [
                Facts(facts),
                Text(constant.reason),
                Table("Suggestions", ("rule", "library", "learning rate", "low", "high"), rows, note=_TABLE_NOTE),
                self._chart(constant),
            ],
        )

    def _chart(self, suggestion: Suggestion) -> Chart:
        low, high = self.band
        start = float(self.losses[0])
        # Beyond divergence the losses grow without bound and would press the rest of the curve flat.
        depth, width = start - float(np.min(self.losses)), float(high[0]) - float(low[0])
        ceiling = start + 1.5 * max(depth, width, 1e-6 * abs(start))
        shown = self.losses <= ceiling
        return Chart(
            "Loss over the learning rate",
            "learning rate",
            "validation loss" if self.is_validation else "loss of the batch",
            lines=[Line("pooled loss", self.rates[shown], self.losses[shown])],
            bands=[Band("pooled loss", self.rates[shown], low[shown], np.minimum(high[shown], ceiling))],
            marks=[Mark("suggested", suggestion.learning_rate)] if suggestion.learning_rate else [],
            spans=[Span("interval", suggestion.low, suggestion.high)] if suggestion.low and suggestion.high else [],
            log_x=True,
            note=f"{_counted(len(self.sweeps))} pooled; the band holds the middle two thirds of the losses.",
        )


_TABLE_NOTE = "The interval of keras-lr comes from tuned runs, that of another library is the extremes of the sweeps."


def _counted(sweeps: int) -> str:
    return "1 sweep" if sweeps == 1 else f"{sweeps} sweeps"


def _interval(suggestion: Suggestion) -> str:
    if suggestion.low is None or suggestion.high is None:
        return "none"
    return f"{suggestion.low:.2g} to {suggestion.high:.2g}"


_SELDOM_MOVED = (
    " But a batch moves few rows of an embedding, or of other weights whose inputs are mostly 0, and a training moves "
    "them far more often than this test: the rate may be ten times too high. keras_lr.race makes up for that."
)
