"""Counts every training step that a model really runs, those of a race before the training included."""

from collections.abc import Callable
from typing import Any

import keras


def counted(model: keras.Model) -> Callable[[], int]:
    """Have the compiled step of a model counted from now on, whoever calls it and however often it is compiled.

    Returns:
        A function that returns the number of steps so far.
    """
    make, steps = model.make_train_function, [0]

    def make_counted(force: bool = False) -> None:
        before = model.train_function
        make(force=force)
        step = model.train_function
        if step is before:
            return
        stride = getattr(model, "steps_per_execution", 1) or 1

        def count(*arguments: Any) -> Any:
            steps[0] += stride
            return step(*arguments)

        model.train_function = count

    model.make_train_function = make_counted
    return lambda: steps[0]
