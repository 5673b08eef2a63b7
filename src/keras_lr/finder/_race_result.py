"""What a race of rates found."""

from dataclasses import dataclass

import numpy as np

from keras_lr.report import Chart, Facts, Line, Mark, Part, Points, Report, Shown, Span, Table, Text


@dataclass(frozen=True, eq=False, repr=False)
class RaceResult(Shown):
    """What a race of rates found; prints as a table, plots, and saves as a page or as JSON.

    A *lane* is one short training over a complete schedule, from the model's own weights; all see the same batches.

    Attributes:
        learning_rate: the peak for the run to come.
        low, high: the interval of peaks between which the race cannot tell.
        rates: the peaks that were raced, ascending, shape `(lanes,)`; empty for a run with no room for a race.
        losses: the loss of every batch before its update, shape `(lanes, lane_steps)`; not finite after a divergence.
        scores: the mean loss of each lane, shape `(lanes,)`; infinite where the lane diverged or died.
        best_rate: the best peak of a schedule as short as a lane, before the correction for the horizon.
        horizon_steps: the steps of the run to come.
        total_steps: the optimizer steps that the race has cost.
        optimizer: the name of the optimizer's class.
        reason: why this rate, in a sentence or two.

    Example:
    >>> import keras, keras_lr, numpy as np
    >>> x = np.random.default_rng(0).normal(size=(512, 4)).astype("float32")
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    >>> model.compile(optimizer=keras.optimizers.SGD(), loss="mse")
    >>> result = keras_lr.race(model, x, x.sum(1, keepdims=True), epochs=20)
    >>> bool(result.rates[0] < result.learning_rate < result.rates[-1]), len(result.losses) == len(result.rates)
    (True, True)
    >>> result.total_steps <= 0.3 * result.horizon_steps
    True
    """

    learning_rate: float
    low: float
    high: float
    rates: np.ndarray
    losses: np.ndarray
    scores: np.ndarray
    best_rate: float
    horizon_steps: int
    total_steps: int
    optimizer: str
    reason: str

    @property
    def best_loss(self) -> float:
        """The median loss of the best lane over its second half; infinite for a run with no room for a race."""
        if not len(self.rates):
            return np.inf
        best = self.losses[int(np.argmin(self.scores))]
        return float(np.median(best[len(best) // 2 :]))

    @property
    def optimizer_finds_rate(self) -> bool:
        """Whether nothing was raced, for the optimizer finds the rate and takes a factor on it."""
        return self.total_steps == 0

    @property
    def sentence(self) -> str:
        """The result in a line."""
        if self.optimizer_finds_rate:
            return f"{self.optimizer} finds the learning rate itself"
        return f"learning rate {self.learning_rate:.3g} ({self.low:.2g} to {self.high:.2g}) for {self.optimizer}"

    def report(self) -> Report:
        """Describe the race in facts, a table and charts."""
        rate: dict[str, str | float] = {
            "learning rate": self.learning_rate,
            "interval": f"{self.low:.2g} to {self.high:.2g}",
        }
        facts: dict[str, str | int | float | None] = {
            **({"factor on the rate": self.learning_rate} if self.optimizer_finds_rate else rate),
            "optimizer": self.optimizer,
            "steps of the race": self.total_steps,
            "steps of the run": self.horizon_steps,
        }
        parts: list[Part] = [Facts(facts), Text(self.reason)]
        if len(self.rates):
            parts += [self._table(), self._scores_chart(), self._losses_chart()]
        return Report("Race of learning rates", parts)

    def _table(self) -> Table:
        best = int(np.argmin(self.scores))
        rows = [
            (float(rate), float(score), "best" if i == best else ("" if np.isfinite(score) else "diverged or died"))
            for i, (rate, score) in enumerate(zip(self.rates, self.scores, strict=True))
        ]
        note = (
            f"Mean loss of {self.losses.shape[1] - 1} batches, each before its update. The peaks of the interval are "
            "those that the race cannot tell apart."
        )
        return Table("Lanes", ("peak rate", "mean loss", ""), rows, note=note)

    def _scores_chart(self) -> Chart:
        return Chart(
            "Mean loss of short complete schedules",
            "peak learning rate",
            "mean loss of a lane",
            points=[Points("lanes", self.rates, self.scores)],
            marks=[
                Mark("best of a lane", self.best_rate),
                Mark("chosen for the run", self.learning_rate),
            ],
            spans=[Span("interval", self.low, self.high)],
            log_x=True,
        )

    def _losses_chart(self) -> Chart:
        steps = np.arange(self.losses.shape[1])
        lines = [Line(f"{rate:.2g}", steps, losses) for rate, losses in zip(self.rates, self.losses, strict=True)]
        return Chart("The lanes", "step", "batch loss", lines=lines, ordered=True)
