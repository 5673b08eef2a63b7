"""Steps of a running `fit` that are looked at, on JAX."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import keras

from keras_lr._backends.steps_interface import Parts
from keras_lr._backends.wrapped_optimizers import innermost


def watched(
    model: keras.Model, train_function: Callable[..., Any], wanted: Callable[..., bool], seen: Callable[..., None]
) -> Callable[..., Any]:
    """See `_backends.watched`."""
    counter = innermost(model.optimizer)._iterations
    index = next(i for i, v in enumerate(model.optimizer.variables) if v is counter)

    def watched_step(state: Any, iterator: Any) -> Any:
        if not wanted(lambda: int(state[2][index])):
            return train_function(state, iterator)
        batch = next(iterator)
        # Copies, because the compiled step takes over the memory of the state it is given.
        weights, others, metrics = ([jnp.copy(v) for v in state[i]] for i in (0, 1, 3))
        made = int(state[2][index])
        logs, state = train_function(state, iter((batch,)))
        if int(state[2][index]) == made + 1:
            seen(batch, Parts(weights, others, metrics=metrics), list(state[0]))
        return logs, state

    return watched_step
