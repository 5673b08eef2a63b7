"""What happens to a model between the steps of a `fit` and is told to no callback."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras


@contextmanager
def told_of_another_fit(model: keras.Model, tell: Callable[[], None]) -> Iterator[None]:
    """Call `tell` when another `fit` of the model begins, before its step is made: the last one was broken off.

    An exception ends a `fit` without `on_train_end`.
    """
    refuse = model._assert_compile_called  # the first thing that every fit calls

    def assert_compile_called(method_name: str | None = None) -> None:
        refuse(method_name)
        if method_name == "fit":
            compiled_since = model.train_function is None
            tell()
            if compiled_since:
                model.train_function = None

    with _replaced(model, "_assert_compile_called", assert_compile_called):
        yield


@contextmanager
def told_of_reset_metrics(model: keras.Model, tell: Callable[[], None]) -> Iterator[None]:
    """Call `tell` when the metrics of the model begin anew, as for an `evaluate` from within a callback."""
    reset = model.reset_metrics

    def reset_metrics() -> None:
        reset()
        tell()

    with _replaced(model, "reset_metrics", reset_metrics):
        yield


@contextmanager
def _replaced(model: keras.Model, name: str, function: Callable[..., Any]) -> Iterator[None]:
    before = vars(model).get(name)
    setattr(model, name, function)
    try:
        yield
    finally:
        if vars(model).get(name) is function:  # nobody has put something around it
            delattr(model, name)
            if before is not None:
                setattr(model, name, before)
