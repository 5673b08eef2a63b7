"""Checks of what a sweep and a comparison are asked to do, before hours of training and not after."""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar

import keras

from keras_lr._arguments import within
from keras_lr.task import Task
from keras_lr.training._executed_together import executed_together
from keras_lr.training._training_data import TrainingData

_P = ParamSpec("_P")
_R = TypeVar("_R")


def takes_a_task(call: Callable[_P, _R]) -> Callable[_P, _R]:
    """Let a call check its task first: to a model and data, Python would only say that there are too many arguments."""

    @functools.wraps(call)
    def checked(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        if args and not isinstance(args[0], Mapping):
            checked_task(args[0], None)
        return call(*args, **kwargs)

    return checked


def checked_task(task: Any, epochs: int | None, called: str = "task") -> Task:
    """Return a task that can be trained again and again, with its own number of epochs or the one given.

    Raises:
        TypeError: it is no `Task`.
        ValueError: its data can be read only once, or `epochs` is below 1.
    """
    if not isinstance(task, Task):
        raise TypeError(
            f"{called}={task!r} is not a keras_lr.Task. Every trial begins with a new model, so hand over how to build "
            "it: keras_lr.Task(build=build_model, x=x, y=y, epochs=10), where build_model() returns a compiled model."
        )
    for name in ("x", "validation_data"):
        if isinstance(getattr(task, name), Iterator):
            raise ValueError(
                f"{called}.{name} is a generator, which can be read only once, and every trial reads it from the "
                "beginning. Give arrays, a tf.data.Dataset, a DataLoader or a keras.utils.PyDataset."
            )
    return task if epochs is None else dataclasses.replace(task, epochs=epochs)


def training_data(task: Task, model: keras.Model) -> TrainingData:
    """Return the training data of a task, as its model goes through them."""
    arguments = task.race_arguments()
    del arguments["epochs"]
    return TrainingData(**arguments, together=executed_together(model))


def refuse_known(model: keras.Model, known: Any) -> None:
    """Raise `ValueError` where `build()` returns the model that it had returned before; None where it had not."""
    if model is known:
        raise ValueError(
            f"build() returned {model.name!r}, the very model that it had returned before, and every training begins "
            "with a new one. Make the model inside of build(), and not once before it."
        )


def parts_of(task: Task, called: str = "task") -> dict[str, Any]:
    """Return what a task is made of, by the names that its maker knows."""
    return {f"{called}.{field.name}": getattr(task, field.name) for field in dataclasses.fields(task)}


def checked_seeds(seeds: int | Sequence[int]) -> list[int]:
    """Return the seeds.

    Raises:
        ValueError: there is none, or one twice, or one that is not a whole number from 0 to 2^32 - 1.
    """
    given: Any = seeds
    if within(given, whole=True):
        given = range(int(given))
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise ValueError(f"seeds={seeds!r}: give a number of seeds, such as 3, or the seeds, such as [0, 1, 2].")
    chosen = list(given)
    if not chosen or not all(within(seed, least=0, below=2**32, whole=True) for seed in chosen):
        raise ValueError(f"seeds={seeds!r}: give at least one whole number from 0 to 2^32 - 1; 3 means 0, 1 and 2.")
    if len(set(chosen)) < len(chosen):
        raise ValueError(f"seeds={seeds!r} holds a seed twice, which would count one training as two.")
    return [int(seed) for seed in chosen]


def checked_rates(rates: Iterable[float]) -> list[float]:
    """Return the rates, ascending.

    Raises:
        ValueError: there is none, or one twice, or one that is not a finite number above 0.
    """
    chosen: list[Any] = list(rates) if getattr(rates, "ndim", 1) and isinstance(rates, Iterable) else [rates]
    if not chosen or not all(within(rate, above=0.0) for rate in chosen):
        raise ValueError(f"rates={rates!r}: give at least one finite number above 0, such as [1e-4, 1e-3, 1e-2].")
    found = sorted(float(rate) for rate in chosen)
    if len(set(found)) < len(found):
        raise ValueError(f"rates={rates!r} holds a rate twice; more runs of one rate are more seeds=...")
    return found


def checked_n_jobs(n_jobs: int | None) -> None:
    """Raise `ValueError` if joblib could make nothing of it."""
    if n_jobs is not None and (not within(n_jobs, whole=True) or n_jobs == 0):
        raise ValueError(
            f"n_jobs={n_jobs!r}: give a number of processes, or -1 for one a core; None is what "
            "joblib.parallel_config says, or this process."
        )
