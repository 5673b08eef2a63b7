"""Whole trainings that differ in rate and seed, on one model that is compiled once."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_lr._backends.steps import TrainingSteps
from keras_lr._backends.wrapped_optimizers import accumulated_batches, innermost, optimizers_in
from keras_lr.callbacks._plan import own_plan, plan, resolve, resolve_hyperparameters
from keras_lr.finder._race import run_race
from keras_lr.schedules import Schedule
from keras_lr.task import Task
from keras_lr.training import set_learning_rate
from keras_lr.training._borrow import prepare, put_rate_variable, scope
from keras_lr.training._executed_together import Epoch
from keras_lr.training._first_fit import first_fit_to_come
from keras_lr.training._random_state import random_state, set_random_state
from keras_lr.training._validation_data import checked_validation_data
from keras_lr.trials._arguments import refuse_known, training_data
from keras_lr.trials._course import Course
from keras_lr.trials._outcome import Outcome

ScheduleOf = Callable[[float, int], Any]  # (peak, total steps) -> a schedule


class Trainer:
    """Trains the model of a task again and again, each time from where `task.model(seed)` would begin.

    The new model of every training is only built. Its values (weights, statistics, seeds, the optimizer's slots and
    counters) and the random generators go into the one model whose step is compiled, so nothing is compiled twice.

    Args:
        task: what is trained.
        schedule: a function `(peak, total_steps) -> schedule`. Default `None`: a constant rate or, where the model was
            compiled with a schedule, that one, scaled.
        seed: of the model that is built first.

    Attributes:
        model: the one model, built.
        total_steps: the training steps of one run.
    """

    def __init__(self, task: Task, schedule: ScheduleOf | None, seed: int) -> None:
        self._task, self._schedule = task, schedule
        self.model = task.model(seed)
        self._data = training_data(task, self.model)
        self.total_steps = self._data.horizon(task.epochs)
        self._resolve_lengths()
        self._own_plan = self._planned()
        self._put_variable(self.model)
        prepare(self.model, self._data.example())
        checked_validation_data(self.model, task.validation_data, task.batch_size)

    @property
    def updates(self) -> int:
        """The optimizer updates of one run."""
        return max(1, self.total_steps // self._accumulation)

    def race(self) -> float:
        """Return the peak that a race finds for a run; the model is as it was."""
        return run_race(self.model, self._data, self.total_steps, seed=0).learning_rate

    def shape(self) -> str:
        """Return the rates of a run as shares of its peak, at nine steps from the first to the last, as a text."""
        follow = self._plan(1.0)
        steps = np.linspace(0, self.total_steps - 1, 9).astype(int)
        return " ".join("1" if follow is None else f"{follow(step):.3g}" for step in steps.tolist())

    def run(self, rate: float, seed: int, course: Course) -> Outcome:
        """Train once."""
        self._begin_as(seed)
        callbacks: list[keras.callbacks.Callback] = [course]
        follow = self._plan(rate)
        if follow is None:
            set_learning_rate(self.model, rate)
        else:
            callbacks.append(_Follow(follow))
        arguments = self._task.fit_arguments() | {"steps_per_epoch": self._data.steps_given}
        with course.followed():
            self.model.fit(**arguments, verbose=0, callbacks=callbacks)
        return course.outcome()

    def _begin_as(self, seed: int) -> None:
        new = self._task.model(seed)
        refuse_known(new, self.model)
        begun = random_state()
        self._put_variable(new)
        with scope(new):
            if not all(layer.built for layer in new._flatten_layers()):
                new._symbolic_build(data_batch=self._data.example())
            if not new.optimizer.built:
                new.optimizer.build(new.trainable_variables)
        mine, theirs = _variables(self.model), _variables(new)
        if [v.shape for v in mine] != [v.shape for v in theirs]:
            raise ValueError(
                f"build() returned {new.name!r} with other variables than its first model had. The trials of a sweep "
                "share one compiled model: let build() return the same network and optimizer at every call."
            )
        for variable, value in zip(mine, theirs, strict=True):
            variable.assign(value)
        self.model.reset_metrics()
        first_fit_to_come(self.model)
        set_random_state(begun)

    @property
    def _accumulation(self) -> int:
        return accumulated_batches(self.model.optimizer)

    @property
    def _numbers(self) -> dict[str, float]:
        """What makes steps of epochs and fractions of a run."""
        return {
            "steps_per_epoch": self._data.steps_per_epoch / self._accumulation,
            "total_steps": self.updates,
        }

    def _resolve_lengths(self) -> None:
        for part in optimizers_in(self.model.optimizer):
            resolve(part, self._numbers)
        resolve_hyperparameters(self.model.optimizer, self._numbers)

    def _planned(self) -> Callable[[int], float] | None:
        """Return the compiled schedule as shares of its peak, a function of the step; None for a constant rate."""
        optimizer = innermost(self.model.optimizer)
        if self._schedule is not None or isinstance(getattr(optimizer, "_learning_rate", None), keras.Variable | None):
            return None
        own = own_plan(optimizer)
        peak = max(own(step) for step in range(self.total_steps))
        if not peak > 0:
            raise ValueError(
                f"The schedule that the model was compiled with is never above 0 in the {self.total_steps} steps of "
                "this run, so it has no peak to scale. Compile the model with another rate."
            )
        return lambda step: own(step) / peak

    def _plan(self, rate: float) -> Callable[[int], float] | None:
        """Return the rate of every step of a run with this peak; None for a constant rate."""
        if self._schedule is not None:
            given = self._schedule(rate, self.updates)
            if isinstance(given, Schedule):
                given = given.resolved(**self._numbers)
            return plan(given, self._accumulation, f"schedule({rate:.3g}, {self.updates})")
        own = self._own_plan
        return None if own is None else lambda step: rate * own(step)

    def _put_variable(self, model: keras.Model) -> None:
        optimizer = innermost(model.optimizer)
        if not isinstance(getattr(optimizer, "_learning_rate", None), keras.Variable | None):
            with scope(model):
                put_rate_variable(optimizer)


def _variables(model: keras.Model) -> list[keras.Variable]:
    return [*model.variables, *model.optimizer.variables]


class _Follow(keras.callbacks.Callback):
    """Gives every step its own rate, as a value of the compiled step."""

    def __init__(self, follow: Callable[[int], float]) -> None:
        super().__init__()
        self._rate_at = follow
        self._step = 0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Take the compiled step in hand."""
        self._steps = TrainingSteps(self.model)
        self._steps.steer(self._before, self._after)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Begin to count the steps of an epoch."""
        self._epoch = Epoch(self._model, self.params.get("steps"))

    def _before(self) -> None:
        # Steps that Keras executes together share one rate: that of their middle.
        self._steps.set_learning_rate(self._rate_at(self._step + self._epoch.middle))

    def _after(self, logs: dict[str, Any]) -> None:
        self._step += self._epoch.call()
