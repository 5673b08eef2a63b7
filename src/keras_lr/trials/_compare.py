"""Methods side by side: whole trainings of the same tasks from the same seeds, and how soon each reaches a target."""

import math
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras.src.trainers.data_adapters import get_data_adapter

from keras_lr._arguments import within
from keras_lr.task import Task
from keras_lr.training._borrow import prepare
from keras_lr.training._described import described
from keras_lr.training._progress import Progress, checked_progress
from keras_lr.training._random_state import kept_random_state
from keras_lr.training._training_data import TrainingData
from keras_lr.training._validation_data import checked_validation_data
from keras_lr.trials._arguments import (
    checked_n_jobs,
    checked_seeds,
    checked_task,
    parts_of,
    refuse_known,
    takes_a_task,
    training_data,
)
from keras_lr.trials._carry_out import carry_out
from keras_lr.trials._compare_result import CompareResult
from keras_lr.trials._counted import StepCounter
from keras_lr.trials._course import Course
from keras_lr.trials._measure import Measure, measure_of
from keras_lr.trials._methods import Method, checked_methods, described_method, is_function, train
from keras_lr.trials._open_storage import Storage, check_storage
from keras_lr.trials._outcome import Outcome, filled
from keras_lr.trials._record import InMemory, Record
from keras_lr.trials._study import InStorage

UNTRAINED = "(untrained)"


@dataclass(frozen=True)
class Run:
    """One training of a comparison."""

    task: str
    method: str
    seed: int

    def __str__(self) -> str:
        return ", ".join([*([self.task] if self.task else []), self.method, f"seed {self.seed}"])


class Comparing:
    """See `Work`: what the runs of a comparison have in common."""

    def __init__(self, tasks: dict[str, Task], methods: dict[str, Method], monitors: dict[str, Measure]) -> None:
        self._tasks, self._methods, self._monitors = tasks, methods, monitors
        self._last: Callable[[], keras.Model | None] = lambda: None  # the model of the run before, while it lives

    def __reduce__(self) -> tuple[Any, ...]:
        return Comparing, (self._tasks, self._methods, self._monitors)

    def run(self, trial: Run) -> Outcome:
        task, monitor = self._tasks[trial.task], self._monitors[trial.task]
        began = time.perf_counter()
        model = task.model(trial.seed)
        refuse_known(model, self._last())
        self._last = weakref.ref(model)
        if trial.method == UNTRAINED:
            return _untrained(model, task, monitor)
        method = self._methods[trial.method]
        # A function may still bring a training back that has lost its loss.
        course = Course(monitor.name, StepCounter(model), began, ends=not is_function(method))
        with course.followed():
            train(method, model, _fit_arguments(task, model) | {"verbose": 0, "callbacks": [course]})
        if not course.epochs:
            raise ValueError(
                f"methods[{trial.method!r}] has trained no epoch that could be followed. It must hand the callbacks "
                "that it is given on to model.fit: def train(model, **arguments): return model.fit(**arguments)."
            )
        return course.outcome()

    def parts(self) -> dict[str, Any]:
        parts = {f"methods[{name!r}]": method for name, method in self._methods.items()}
        for name, task in self._tasks.items():
            parts |= parts_of(task, f"task[{name!r}]" if name else "task")
        return parts


@takes_a_task
def compare(
    task: Task | Mapping[str, Task],
    methods: Mapping[str, Method],
    *,
    seeds: int | Sequence[int] = 3,
    epochs: int | None = None,
    target: float | Mapping[str, float] | None = None,
    monitor: str | None = None,
    mode: str = "auto",
    storage: "Storage | None" = None,
    n_jobs: int | None = None,
    progress: Progress | bool = True,
) -> CompareResult:
    """Train the same tasks by several methods from the same seeds, and say how good each ends and how soon.

    Every run begins with a new model, `task.model(seed)`. What is measured is the monitored value at the end of every
    epoch, with the training steps and the seconds that had been spent by then. All steps that the model runs count,
    those of a race before the training too, and the seconds are what a user waits: building and compiling included.

    Args:
        task: a task, or several by name.
        methods: by name, a number (the model's own optimizer at this constant rate), a Keras optimizer (the model is
            compiled with a copy of it), or a function `train(model, **fit_arguments)` such as `keras_lr.fit`, which
            must hand the callbacks that it is given on to `model.fit`.
        seeds: of weights, data order and dropout: a number of seeds, counted from 0, or the seeds. Default 3.
        epochs: of each run. Default `None`: each task's.
        target: the value at which a run has arrived, for several tasks by name. Default `None`: 95 % of the way from
            the untrained model's value to the best final value of any method, both the median over the seeds.
        monitor, mode: as in Keras' callbacks. Default `None`: "val_loss" with validation data, "loss" without.
        storage, n_jobs, progress: as in `sweep`. A method is known again by its name and its rate or configuration, a
            function by its name: if you change what it does, name another storage.

    Returns:
        A `CompareResult`: `.values`, `.steps_to_target`, `.seconds_to_target`, `.scores`; it prints as tables, plots
        and saves as a page.

    Raises:
        ValueError: an argument is out of its range; a function trained nothing that could be followed; the storage
            cannot be used, or holds another comparison.

    Costs: a whole training, compiled for itself, for each task, method and seed, and one evaluation for each task and
        seed.

    Example:
    >>> import keras, numpy as np, keras_lr
    >>> def build():
    ...     model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    ...     model.compile(optimizer="sgd", loss="mse")
    ...     return model
    >>> x = np.random.default_rng(0).normal(size=(64, 2)).astype("float32")
    >>> task = keras_lr.Task(build, x, x.sum(1, keepdims=True), epochs=4)
    >>> result = keras_lr.compare(task, {"SGD 0.2": 0.2, "SGD 0.001": 0.001}, seeds=1)
    >>> result.steps_to_target[0, :, 0] < np.inf
    array([ True, False])
    """
    chosen = checked_seeds(seeds)
    tasks = _checked_tasks(task, epochs)
    methods = checked_methods(methods, taken=UNTRAINED)
    checked_n_jobs(n_jobs)
    told = checked_progress(progress)
    check_storage(storage)
    targets = _checked_targets(target, tasks)
    with kept_random_state():
        models = {name: _prepared(one, chosen[0]) for name, one in tasks.items()}
        monitors = {name: measure_of(one, models[name], monitor, mode) for name, one in tasks.items()}
        if len({judged.higher_is_better for judged in monitors.values()}) > 1:
            raise ValueError(f"monitor={monitor!r} is better higher on one task and lower on another; pass mode=...")
        work = Comparing(tasks, methods, monitors)
        runs = [Run(t, m, s) for s in chosen for t in tasks for m in (UNTRAINED, *methods)]
        with _record(storage, tasks, methods, monitors, models) as record:
            outcomes = carry_out(work, runs, record, n_jobs, told)
    higher = next(iter(monitors.values())).higher_is_better
    # A function may train longer than its task says, in two phases for example; its value is that of the last epoch.
    length = max(*(one.epochs for one in tasks.values()), *(len(outcome.curve) for outcome in outcomes.values()))

    def each(read: Callable[[Outcome], Any]) -> np.ndarray:
        return np.array([[[read(outcomes[Run(t, m, s)]) for s in chosen] for m in methods] for t in tasks])

    return CompareResult(
        tasks=tuple(tasks),
        methods=tuple(methods),
        seeds=tuple(chosen),
        untrained=np.array([[outcomes[Run(t, UNTRAINED, s)].curve[0] for s in chosen] for t in tasks]),
        values=each(lambda outcome: outcome.value(higher)),
        curves=each(lambda outcome: filled(outcome.curve, length)),
        steps=each(lambda outcome: filled(outcome.steps, length)),
        seconds=each(lambda outcome: filled(outcome.seconds, length)),
        given_targets=np.array([targets.get(t, math.nan) for t in tasks]),
        monitors=tuple(judged.name for judged in monitors.values()),
        higher_is_better=higher,
    )


def _checked_tasks(task: Task | Mapping[str, Task], epochs: int | None) -> dict[str, Task]:
    if not isinstance(task, Mapping):
        return {"": checked_task(task, epochs)}
    if not task:
        raise ValueError("task={} holds no task to train.")
    return {str(name): checked_task(one, epochs, f"task[{name!r}]") for name, one in task.items()}


def _checked_targets(target: float | Mapping[str, float] | None, tasks: Mapping[str, Task]) -> dict[str, float]:
    if target is None:
        return {}
    targets = dict(target) if isinstance(target, Mapping) else dict.fromkeys(tasks, target)
    if set(targets) != set(tasks) or (len(tasks) > 1 and not isinstance(target, Mapping)):
        raise ValueError(
            f"target={target!r}: give a number for a single task, and for several a target for each by name: "
            f"{', '.join(map(repr, tasks))}."
        )
    if not all(within(value) for value in targets.values()):
        raise ValueError(f"target={target!r}: give a finite number; None is 95 % of the way to the best run.")
    return {name: float(value) for name, value in targets.items()}


def _prepared(task: Task, seed: int) -> keras.Model:
    model = task.model(seed)
    prepare(model, training_data(task, model).example())
    checked_validation_data(model, task.validation_data, task.batch_size)
    return model


def _fit_arguments(task: Task, model: keras.Model) -> dict[str, Any]:
    """Return what `model.fit` is called with, `steps_per_epoch` as many as Keras makes of them."""
    arguments = task.fit_arguments()
    if task.steps_per_epoch is not None:
        arguments["steps_per_epoch"] = training_data(task, model).steps_given
    return arguments


def _untrained(model: keras.Model, task: Task, monitor: Measure) -> Outcome:
    """Return what is monitored as an untrained model has it: on validation data where it is of those."""
    data = training_data(task, model)
    if monitor.name.startswith("val_"):
        given = data.for_fit().get("validation_data", task.validation_data)
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(given)
        logs = model.evaluate(x, y, task.batch_size, 0, sample_weight, task.validation_steps, return_dict=True)
    else:
        batches = _weighted_batches(data, task.batch_size)
        logs = model.evaluate(batches, verbose=0, steps=int(data.steps_per_epoch), return_dict=True)
    value = float(logs.get(monitor.name.removeprefix("val_"), math.nan))
    return Outcome((value,), not math.isfinite(value), (0,), (0.0,))


def _weighted_batches(data: TrainingData, batch_size: int | None) -> Iterator[Any]:
    """Yield the batches of an epoch, weighted by class as in training, which `model.evaluate` does not."""
    given = data.for_fit()
    parts = {name: given.get(name) for name in ("x", "y", "sample_weight", "class_weight")}
    adapter = get_data_adapter(**parts, batch_size=batch_size, steps_per_epoch=data.steps_given)
    yield from adapter.get_numpy_iterator()


def _record(
    storage: "Storage | None",
    tasks: dict[str, Task],
    methods: dict[str, Method],
    monitors: dict[str, Measure],
    models: dict[str, keras.Model],
) -> Record:
    if storage is None:
        return InMemory()
    maximize = next(iter(monitors.values())).higher_is_better
    settings: dict[str, Any] = {"higher is better": maximize}
    settings |= {f"method {name!r}": described_method(method) for name, method in methods.items()}
    for name, task in tasks.items():
        of = f" of the task {name!r}" if name else ""
        facts = {"epochs": task.epochs, "batch size": task.batch_size, "monitor": monitors[name].name}
        facts |= {"steps per epoch": training_data(task, models[name]).steps_per_epoch, **described(models[name])}
        settings |= {f"{fact}{of}": value for fact, value in facts.items()}
    return InStorage(storage, "keras_lr.compare", Run, settings, maximize=maximize)
