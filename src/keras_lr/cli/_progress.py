"""How far a race and a training have come, and how long they will still take."""

import time
from numbers import Real
from types import TracebackType
from typing import Any

import keras
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from keras_lr.training._executed_together import executed_together
from keras_lr.training._progress import duration


class Watched:
    """Shows bars on the error stream while it is open; where that is no terminal, one line an epoch.

    Example:
    >>> from keras_lr.cli._progress import Watched
    >>> with Watched() as watched:
    ...     watched.race(1, 9, "racing the rate 0.001")
    """

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        terminal = self._console.is_terminal
        self._progress = Progress(*columns, console=self._console, transient=True, disable=not terminal)
        self._race: TaskID | None = None
        self._trials: TaskID | None = None

    def __enter__(self) -> "Watched":
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def race(self, done: int, total: int, text: str) -> None:
        """Follow a race: what `keras_lr.race` and `keras_lr.fit` take as `progress`."""
        if self._race is None:
            self._race = self._progress.add_task(text, total=total)
        self._progress.update(self._race, completed=done, total=total, description=text)
        if done == total:
            self._progress.remove_task(self._race)
            self._race = None

    def trials(self, done: int, total: int, text: str) -> None:
        """Follow whole trainings, one line each: what `keras_lr.sweep` and `keras_lr.compare` take as `progress`."""
        if self._trials is None:
            self._trials = self._progress.add_task(text, total=total)
            self._began, self._done_before, self._told = time.monotonic(), done, done
        self._progress.update(self._trials, completed=done, total=total, description=text)
        if done > self._told:
            left = (time.monotonic() - self._began) / (done - self._done_before) * (total - done)
            line = f"{done}/{total}  {text}  {duration(left)} left"
            self._console.print(line, highlight=False, markup=False, soft_wrap=True)
            self._told = done
        if done == total:
            self._progress.remove_task(self._trials)
            self._trials = None

    def training(self, name: str = "training") -> keras.callbacks.Callback:
        """Return a callback that follows a training."""
        return _Training(self._progress, self._console, name)


class _Training(keras.callbacks.Callback):
    def __init__(self, progress: Progress, console: Console, name: str) -> None:
        super().__init__()
        self._progress, self._console, self._name = progress, console, name

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        steps = self.params.get("steps")
        self._bar = self._progress.add_task(self._name, total=steps and steps * self.params["epochs"])
        self._begun = False

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._first, self._begun, self._began = not self._begun, True, time.monotonic()
        if self._first:  # a run that goes on has some epochs behind it
            self._progress.update(self._bar, completed=epoch * (self.params.get("steps") or 0))

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        # Counted at the beginning: at its end, Keras would wait for the device to hand over the losses.
        if self._first and batch == 1:
            self._began = time.monotonic()  # the first batch compiles
        self._progress.update(self._bar, advance=executed_together(self._model))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        epochs = self.params["epochs"]
        left = (time.monotonic() - self._began) * (epochs - epoch - 1)
        numbers = {name: value for name, value in (logs or {}).items() if isinstance(value, Real)}
        values = "  ".join(f"{name} {value:.4g}" for name, value in numbers.items())
        line = f"{self._name}  epoch {epoch + 1}/{epochs}  {values}  {duration(left)} left"
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self._progress.remove_task(self._bar)
