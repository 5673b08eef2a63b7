"""Steps of a running `fit` that are looked at, on TensorFlow."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from keras_lr._backends.learning_rate_variable import innermost
from keras_lr._backends.steps_interface import Parts


def watched(
    model: keras.Model, train_function: Callable[..., Any], wanted: Callable[[], bool], seen: Callable[..., None]
) -> Callable[..., Any]:
    """See `watched`."""
    counter = innermost(model.optimizer)._iterations

    def watched_step(iterator: Any) -> Any:
        if not wanted():
            return train_function(iterator)
        batch = next(iterator)
        made = int(counter.value)
        before = Parts(_copied(model.trainable_variables), _copied(model.non_trainable_variables))
        logs = train_function([batch])
        if int(counter.value) == made + 1:
            seen(batch, before, _copied(model.trainable_variables))
        return logs

    return watched_step


def _copied(variables: list[keras.Variable]) -> list[Any]:
    # A variable's `value` is the variable itself.
    return [tf.identity(v.value) for v in variables]
