"""What a sweep of learning rates found."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from keras_lr.report import Chart, Facts, Line, Mark, Part, Points, Report, Shown, Span, Table, Text
from keras_lr.trials._axis import NOTE, is_wide, without_exploded
from keras_lr.trials._outcome import said_of_equal_seeds
from keras_lr.trials._u_curve import UCurve, u_curve


@dataclass(frozen=True, eq=False, repr=False)
class SweepResult(Shown):
    """What a sweep of learning rates found; prints as a table, plots the U-curve, and saves as a page or as JSON.

    Attributes:
        rates: the rates, or the peaks of the schedules, that were tried, ascending, shape `(rates,)`.
        seeds: the seeds that each was tried with.
        values: what was monitored at the end of each run, shape `(rates, seeds)`; infinitely bad after a divergence.
        curves: what was monitored at the end of each epoch, shape `(rates, seeds, epochs)`; NaN from a divergence on.
        monitor: what was monitored.
        higher_is_better: whether a higher value is better.
        optimizer: the name of the optimizer's class.
        steps: the training steps of one run.
        widened: how many rates (rungs of the ladder) were added to the grid.

    Example:
    >>> import keras, numpy as np, keras_lr
    >>> def build():
    ...     model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    ...     model.compile(optimizer="sgd", loss="mse")
    ...     return model
    >>> x = np.random.default_rng(0).normal(size=(64, 2)).astype("float32")
    >>> task = keras_lr.Task(build, x, x.sum(1, keepdims=True), epochs=2)
    >>> result = keras_lr.sweep(task, [0.003, 0.03, 0.3, 3.0], seeds=2)
    >>> result.values.shape, result.low <= result.learning_rate <= result.high, result.at_border
    ((4, 2), True, False)
    """

    rates: np.ndarray
    seeds: tuple[int, ...]
    values: np.ndarray
    curves: np.ndarray
    monitor: str
    higher_is_better: bool
    optimizer: str
    steps: int
    widened: int = 0

    @property
    def learning_rate(self) -> float:
        """The best one: the vertex of a parabola in log rate through the best one tried and its neighbours.

        Where there is no parabola, because the best one tried is at a border, it is that rate. Best by the median over
        the seeds, among the rates at which no seed diverged.
        """
        return self._curve.best

    @property
    def low(self) -> float:
        """The low end of the interval of rates that the seeds cannot tell from the best."""
        return self._curve.low

    @property
    def high(self) -> float:
        """The high end of the interval of rates that the seeds cannot tell from the best."""
        return self._curve.high

    @property
    def edge(self) -> float | None:
        """The edge of stability: the lowest rate at which a seed diverged; None where none did."""
        return self._curve.edge

    @property
    def at_border(self) -> bool:
        """Whether the best rate tried is the lowest or the highest one, so that a better one may lie beyond."""
        return self._curve.at_border

    @property
    def reason(self) -> str:
        """Why this rate, in a few sentences."""
        curve, count = self._curve, len(self.seeds)
        tried = float(self.rates[curve.index])
        median = float(np.median(self.values[curve.index]))
        parts = [
            f"Of {len(self.rates)} rates from {self.rates[0]:.2g} to {self.rates[-1]:.2g}, {tried:.2g} ended with the "
            f"best {self.monitor}, {_of_seeds(count)} {median:.4g}"
            + (
                "."
                if curve.best == tried
                else f"; the parabola through it and its neighbours has its vertex at {curve.best:.2g}."
            )
        ]
        if curve.at_border:
            side = "lowest" if curve.index == 0 else "highest"
            added = f", also after {self.widened} further rungs" if self.widened else ""
            parts.append(f"It is the {side} rate that was tried{added}: a better one may lie beyond.")
        if equal := said_of_equal_seeds(self.values):
            parts.append(equal)
        elif count > 1:
            parts.append(
                f"From {curve.low:.2g} to {curve.high:.2g} the {count} seeds cannot tell the rates apart (paired t "
                "test at 5 %)."
            )
        else:
            parts.append("One seed cannot tell how much of this is chance: the interval is that of the grid.")
        if curve.edge is not None:
            parts.append(f"From {curve.edge:.2g} on runs diverge.")
        return " ".join(parts)

    def report(self) -> Report:
        """Describe the sweep in facts, a table, the U-curve and the learning curves."""
        facts: dict[str, str | int | float | None] = {
            "best learning rate": self.learning_rate,
            "interval": f"{self.low:.2g} to {self.high:.2g}",
            "edge of stability": "not reached" if self.edge is None else self.edge,
            "judged by": f"{self.monitor} at the end, {'higher' if self.higher_is_better else 'lower'} is better",
            "optimizer": self.optimizer,
            "runs": self.values.size,
            "steps of a run": self.steps,
        }
        parts: list[Part] = [Facts(facts), Text(self.reason), self._table(), self._u_chart(), self._learning_chart()]
        return Report("Sweep of learning rates", parts)

    @cached_property
    def _curve(self) -> UCurve:
        return u_curve(self.rates, -self.values if self.higher_is_better else self.values)

    def _table(self) -> Table:
        rows = []
        for i, (rate, values) in enumerate(zip(self.rates, self.values, strict=True)):
            finite = values[np.isfinite(values)]
            lost = len(values) - len(finite)
            note = f"{lost} of {len(values)} diverged" if lost else ""
            if i == self._curve.index:
                note = "best"
            elif self._curve.alike[i]:
                note = "as good"
            median = float(np.median(values))
            ends = (float(finite.min()), float(finite.max())) if len(finite) else (None, None)
            rows.append((float(rate), median, *ends, note))
        return Table("Rates", ("learning rate", f"median {self.monitor}", "lowest", "highest", ""), rows)

    def _u_chart(self) -> Chart:
        shown = without_exploded(self.values, self.values)
        line = Line("median", self.rates, without_exploded(np.median(self.values, axis=1), self.values))
        marks = [Mark("best", self.learning_rate)]
        if self.edge is not None:
            marks.append(Mark("first divergence", self.edge))
        every = Points("seeds", np.repeat(self.rates, len(self.seeds)), shown.ravel())
        return Chart(
            f"{self.monitor} at the end of whole runs",
            "learning rate",
            self.monitor,
            lines=[line],
            points=[every],
            marks=marks,
            spans=[Span("as good as the best", self.low, self.high)],
            log_x=True,
            log_y=is_wide(shown),
            note=_note(shown),
        )

    def _learning_chart(self) -> Chart:
        epochs = np.arange(1, self.curves.shape[2] + 1)
        lines = [
            Line(f"{rate:.2g}", epochs, without_exploded(np.median(curves, axis=0), self.curves))
            for rate, curves in zip(self.rates, self.curves, strict=True)
        ]
        title = f"{self.monitor} of each rate, median over the seeds"
        shown = without_exploded(self.curves, self.curves)
        log = is_wide(shown)
        return Chart(title, "epoch", self.monitor, lines=lines, log_y=log, ordered=True, note=_note(shown))


def _note(shown: np.ndarray) -> str:
    return NOTE if np.any(np.isnan(shown)) else ""


def _of_seeds(count: int) -> str:
    return "with one seed" if count == 1 else f"over {count} seeds a median of"
