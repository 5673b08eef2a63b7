"""Steps of a running `fit` that are looked at, where the step updates the model's variables in place."""

from collections.abc import Callable
from typing import Any

import keras

from keras_lr._backends.steps_interface import Parts
from keras_lr._backends.wrapped_optimizers import innermost


def watched(
    model: keras.Model,
    train_function: Callable[..., Any],
    wanted: Callable[..., bool],
    seen: Callable[..., None],
    *,
    copied: Callable[[Any], Any],
    draws: Callable[[], Any],
) -> Callable[..., Any]:
    """See `_backends.watched`; `copied(value)` copies a variable's value, `draws()` is the state of its generators."""
    counter = innermost(model.optimizer)._iterations

    def copies(variables: list[keras.Variable]) -> list[Any]:
        return [copied(v.value) for v in variables]

    def watched_step(iterator: Any) -> Any:
        if not wanted(lambda: int(counter.value)):
            return train_function(iterator)
        batch, made = next(iter(iterator)), int(counter.value)
        before = Parts(copies(model.trainable_variables), copies(model.non_trainable_variables), draws())
        logs = train_function([batch])
        if int(counter.value) == made + 1:
            seen(batch, before, copies(model.trainable_variables))
        return logs

    return watched_step
