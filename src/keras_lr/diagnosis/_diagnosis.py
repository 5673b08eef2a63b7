"""What a diagnosis of a rate found."""

from dataclasses import dataclass

import numpy as np

from keras_lr.diagnosis._judgement import Judgement, Verdict, late_scores, rounded
from keras_lr.diagnosis._signals import Signal, Steps
from keras_lr.report import Chart, Facts, Line, Mark, Part, Points, Report, Shown, Span, Table, Text


@dataclass(frozen=True, eq=False, repr=False)
class Diagnosis(Shown):
    """What a rate does to a model; prints with the verdict first, plots, and saves as a page or as JSON.

    A *lane* is one short training at a constant rate, from the weights of the moment; all lanes see the same batches.

    Attributes:
        learning_rate: the rate that was judged.
        verdict: the judgement, the factor with its interval, and the reason.
        signals: what single steps at the rate showed.
        factors: the rates that were tried, over the rate that was judged, ascending, shape `(lanes,)`.
        losses: the loss of every batch before its update, shape `(lanes, steps)`; not finite after a divergence.
        still: the same without a rate, shape `(steps,)`.
        steps: the steps at the rate that were looked at closely, each on its own batch.
        is_scheduled: whether the optimizer follows a schedule; the rate is then the highest one to come.
        optimizer: the name of the optimizer's class.
        horizon_steps: the steps of the run that the rate is meant for.
        total_steps: the training steps that the diagnosis has cost.

    Example:
    >>> import keras, keras_lr, numpy as np
    >>> x = np.random.default_rng(0).normal(size=(512, 4)).astype("float32")
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    >>> model.compile(optimizer=keras.optimizers.SGD(1e-4), loss="mse")
    >>> found = keras_lr.diagnose(model, x, x.sum(1, keepdims=True))
    >>> found.judgement, 0.01 < found.suggested_learning_rate < 1
    (<Judgement.TOO_LOW: 'too low'>, True)
    >>> [signal.name for signal in found.signals]
    ['reach of a step', 'steps uphill', 'update to weight', 'rate over stability limit']
    """

    learning_rate: float
    verdict: Verdict
    signals: tuple[Signal, ...]
    factors: np.ndarray
    losses: np.ndarray
    still: np.ndarray
    steps: Steps
    is_scheduled: bool
    optimizer: str
    horizon_steps: int
    total_steps: int

    @property
    def judgement(self) -> Judgement:
        """Too high, right, too low, or undecided."""
        return self.verdict.judgement

    @property
    def factor(self) -> float | None:
        """By what the rate is to be multiplied; None where there is no telling."""
        return self.verdict.factor

    @property
    def suggested_learning_rate(self) -> float | None:
        """The rate times the factor; None where there is no telling."""
        return None if self.factor is None else self.learning_rate * self.factor

    @property
    def action(self) -> str:
        """What to do next, in a sentence."""
        rate, factor, verdict = self.suggested_learning_rate, self.factor, self.verdict
        if rate is None or factor is None or verdict.low is None or verdict.high is None:
            return "Leave the rate, and look at what the reason names."
        if verdict.judgement is Judgement.RIGHT:
            low, high = (rounded(end * self.learning_rate) for end in (verdict.low, verdict.high))
            return f"Keep it: the best rate is probably between {low} and {high}."
        least, most, way = verdict.low, verdict.high, "low"
        if factor < 1:
            factor, least, most, way = 1 / factor, 1 / most, 1 / least, "high"
        sure = "is" if least > 1 else "is probably"
        scaled = rounded(verdict.factor or 1.0)
        call = f"scale_learning_rate(model, {scaled})" if self.is_scheduled else f"set_learning_rate(model, {rate:.2g})"
        return (
            f"The rate {sure} about {rounded(factor)} times too {way} ({rounded(least)} to {rounded(most)}). Try "
            f"{rate:.2g}: keras_lr.{call}. Or call keras_lr.fit, which needs no rate."
        )

    def report(self) -> Report:
        """Describe the verdict, the signals and the lanes in facts, tables and charts."""
        verdict = self.verdict
        facts: dict[str, str | int | float | None] = {
            "verdict": verdict.judgement.value,
            "learning rate" + (" (highest to come)" if self.is_scheduled else ""): self.learning_rate,
            "multiply it by": "no telling" if verdict.factor is None else rounded(verdict.factor),
            "interval": _range(verdict.low, verdict.high),
            "suggested learning rate": "none" if self.suggested_learning_rate is None else self.suggested_learning_rate,
            "optimizer": self.optimizer,
            "steps of the diagnosis": self.total_steps,
            "steps of the run": self.horizon_steps,
        }
        parts: list[Part] = [Facts(facts), Text(self.action), Text(verdict.reason), self._signals(), self._lanes()]
        parts.append(self._lanes_chart())
        if len(self.steps):
            parts.append(self._step_chart())
        return Report("Diagnosis of the learning rate", parts)

    def _signals(self) -> Table:
        rows = [(s.name, s.value, s.interval, s.meaning) for s in self.signals]
        return Table("Steps at the rate", ("signal", "value", "interval", "what it means"), rows)

    def _lanes(self) -> Table:
        scores = late_scores(self.losses)
        words = ["best" if i == np.argmin(scores) else "" for i in range(len(scores))]
        rows = [
            (float(f * self.learning_rate), float(f), float(s), w if np.isfinite(s) else "diverged")
            for f, s, w in zip(self.factors, scores, words, strict=True)
        ]
        rows.insert(0, (0.0, 0.0, float(late_scores(self.still[None])[0]), "no step"))
        note = f"Mean loss of {self.losses.shape[1]} batches from the present weights, without the first quarter."
        return Table("Rates that were tried", ("rate", "times yours", "loss", ""), rows, note=note)

    def _lanes_chart(self) -> Chart:
        scores, still = late_scores(self.losses), float(late_scores(self.still[None])[0])
        # Far above the start the losses grow without bound and would press the rest of the curve flat.
        ceiling = still + max(still - float(np.min(scores)), 1e-3 * abs(still))
        shown = np.where(scores <= ceiling, scores, np.inf)
        rates = self.factors * self.learning_rate
        marks = [Mark("your rate", self.learning_rate)]
        spans = []
        verdict = self.verdict
        if self.suggested_learning_rate is not None and verdict.low is not None and verdict.high is not None:
            marks.append(Mark("suggested", self.suggested_learning_rate))
            spans.append(Span("interval", verdict.low * self.learning_rate, verdict.high * self.learning_rate))
        return Chart(
            "Loss after a few steps at each rate",
            "learning rate",
            "mean loss of the batches",
            lines=[
                Line("lanes", rates, shown),
                Line("without a step", rates[[0, -1]], np.array([still, still])),
            ],
            points=[Points("lanes", rates, shown)],
            marks=marks,
            spans=spans,
            log_x=True,
            note="A cross at the upper edge is a lane that diverged, or ended far above where it began.",
        )

    def _step_chart(self) -> Chart:
        loss, slope = float(np.mean(self.steps.loss)), float(np.mean(self.steps.slope))
        curvature = float(np.mean(self.steps.slope_after - self.steps.slope))
        lowest = -slope / curvature if curvature > 0 and slope < 0 else None
        end = 2.0 if lowest is None else float(np.clip(2 * lowest, 1.3, 1e4))
        along = np.linspace(0.0, end, 101)
        parabola = loss + slope * along + curvature * along**2 / 2
        measured = np.array([loss, float(np.mean(self.steps.loss_after))])
        return Chart(
            "Loss of a batch along the step that was made on it",
            "steps",
            "loss",
            lines=[Line("parabola by the slopes at both ends", along, parabola)],
            points=[Points("before and after", np.array([0.0, 1.0]), measured)],
            marks=[Mark("your step", 1.0)] + ([Mark("lowest", lowest)] if lowest and lowest <= end else []),
            note=f"The mean of {len(self.steps)} steps, each on its own batch.",
        )


def _range(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{rounded(low)} to {rounded(high)}"
