"""What a training without a given learning rate did."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_lr import schedules
from keras_lr.callbacks import Event
from keras_lr.finder import RaceResult
from keras_lr.report import Chart, Facts, Line, Mark, Part, Report, Shown, Table, Text


def by_epoch(
    history: dict[str, list[Any]], name: str, initial_epoch: int, validation_freq: int | list[int]
) -> dict[int, Any]:
    """Return the values of a name by the epoch that they are of, counted from 1."""
    every, often = range(initial_epoch + 1, last_epoch(history, initial_epoch) + 1), validation_freq
    evaluated = [e for e in every if (e in often if isinstance(often, list) else e % often == 0)]
    values = history.get(name, [])
    return dict(zip(evaluated if len(evaluated) == len(values) else every, values, strict=False))


def last_epoch(history: dict[str, list[Any]], initial_epoch: int) -> int:
    """Return the last epoch of a history, counted from 1."""
    return initial_epoch + max(map(len, history.values()), default=0)


@dataclass(frozen=True, eq=False, repr=False)
class FitResult(Shown):
    """What `keras_lr.fit` did; prints as a table, plots, and saves as a page or as JSON.

    Attributes:
        history: what every epoch reported, as `model.fit(...).history`, with `learning_rate`, that of its last step
            (the one that was found, where the optimizer finds it); of a metric with several values, a list of them.
        learning_rate: the peak that was chosen.
        schedule: the plan, a function of the optimizer update.
        race: how the peak was found.
        events: what happened besides the plan: a schedule set aside, a return to good weights, an interruption.
        steps: the steps of the run.
        completed: whether the run came to its end.
        initial_epoch, validation_freq: as they were given, by which a value of `history` has its epoch.
        gradient_accumulation_steps: how many steps make one optimizer update.

    Example:
    >>> import keras, keras_lr, numpy as np
    >>> x = np.random.default_rng(0).normal(size=(512, 4)).astype("float32")
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    >>> model.compile(optimizer="sgd", loss="mse")
    >>> result = keras_lr.fit(model, x, x.sum(1, keepdims=True), epochs=20, verbose=0)
    >>> result.completed, result.steps, len(result.history["loss"]), result.events
    (True, 320, 20, ())
    >>> result.learning_rate == result.race.learning_rate == float(max(result.schedule.values(range(320))))
    True
    """

    history: dict[str, list[Any]]
    learning_rate: float
    schedule: schedules.Schedule
    race: RaceResult
    events: tuple[Event, ...]
    steps: int
    completed: bool
    initial_epoch: int = 0
    validation_freq: int | list[int] = 1
    gradient_accumulation_steps: int = 1

    @property
    def epoch(self) -> list[int]:
        """The epochs of the run, counted from 0, as `model.fit(...).epoch`."""
        return list(range(self.initial_epoch, self._last_epoch))

    @property
    def total_steps(self) -> int:
        """All optimizer steps that were spent, the race's included."""
        return self.steps + self.race.total_steps

    def report(self) -> Report:
        """Describe race, schedule, loss and events in facts, tables and charts."""
        facts: dict[str, str | int | float | None] = {
            **self._rate(),
            "optimizer": self.race.optimizer,
            "steps": self.steps,
            "steps of the race": self.race.total_steps,
        }
        last = {name: values[-1] for name, values in self.history.items() if values and name != "learning_rate"}
        facts |= {
            f"{name}, {self._last(name)}": value for name, value in last.items() if isinstance(value, int | float)
        }
        if not self.completed:
            facts["completed"] = "no"
        parts: list[Part] = [Facts(facts), Text(self.race.reason)]
        if self.events:
            rows = [(event.step, event.factor, event.text) for event in self.events]
            parts.append(Table("Events", ("step", "rate times", "what happened"), rows))
        parts += [self._loss_chart(), self._schedule_chart()]
        if self.race.optimizer_finds_rate:
            parts.append(self._found_chart())
        parts += self.race.report().parts[2:]  # without its facts and its reason
        return Report("Training without a given learning rate", parts)

    def _rate(self) -> dict[str, str | float]:
        if not self.race.optimizer_finds_rate:
            interval = f"{self.race.low:.2g} to {self.race.high:.2g}"
            return {"learning rate (peak)": self.learning_rate, "interval": interval}
        found = self.history.get("learning_rate", ())
        highest = {"learning rate (highest of an epoch's end)": max(found)} if found else {}
        return {**highest, "factor on the rate (peak)": self.learning_rate}

    def _loss_chart(self) -> Chart:
        losses = {name: values for name, values in self.history.items() if name in ("loss", "val_loss")}
        lines = [Line(name, self._epochs(name), values) for name, values in losses.items()]
        return Chart("Loss", "epoch", "loss", lines=lines)

    def _epochs(self, name: str) -> list[int]:
        return list(by_epoch(self.history, name, self.initial_epoch, self.validation_freq))

    @property
    def _last_epoch(self) -> int:
        return last_epoch(self.history, self.initial_epoch)

    def _last(self, name: str) -> str:
        """Return in words of which epoch the last value of a name is."""
        epoch = self._epochs(name)[-1]
        return "last epoch" if epoch == self._last_epoch else f"epoch {epoch}"

    def _schedule_chart(self) -> Chart:
        accumulation = self.gradient_accumulation_steps
        length = max(1, self.schedule.end_step or self.steps // accumulation)
        updates = np.unique(np.linspace(0, length - 1, 400).astype(int))
        line = Line("plan", updates, self.schedule.values(updates))
        marks = [Mark(f"rate times {e.factor:.2g}", e.step // accumulation) for e in self.events if e.factor < 1]
        rate = "factor on the learning rate" if self.race.optimizer_finds_rate else "learning rate"
        return Chart("Schedule", "optimizer update", rate, lines=[line], marks=marks)

    def _found_chart(self) -> Chart:
        rates = self.history.get("learning_rate", [])
        line = Line("epoch's end", self._epochs("learning_rate"), rates)
        return Chart("Learning rate that was found", "epoch", "learning rate", lines=[line])
