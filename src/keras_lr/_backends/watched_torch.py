"""Steps of a running `fit` that are looked at, on PyTorch."""

from collections.abc import Callable
from typing import Any

import keras

from keras_lr._backends.gradients_torch import draws_now
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
        batch = next(iter(iterator))
        made = int(counter.value)
        before = Parts(_copied(model.trainable_variables), _copied(model.non_trainable_variables), draws_now())
        logs = train_function([batch])
        if int(counter.value) == made + 1:
            seen(batch, before, [v.value.detach() for v in model.trainable_variables])
        return logs

    return watched_step


def _copied(variables: list[keras.Variable]) -> list[Any]:
    return [v.value.detach().clone() for v in variables]
