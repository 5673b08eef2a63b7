"""Walk along a direction on JAX: new values of the weights, for which XLA takes the memory of the old ones."""

from typing import Any

import jax
import jax.numpy as jnp
import keras

from keras_lr._backends.ops import lists
from keras_lr._backends.ops.search_scalars import FIT_IN_CACHE
from keras_lr._backends.ops.walks import Tensor, Tensors, line_from_first_trial
from keras_lr.line_search import Walk


def walk(batch: Any, variables: list[Any], direction: Tensors, scale: Tensor, first: Tensor, go: Tensor) -> Walk:
    """Set out along `direction`; see `Batch.walk`.

    Behind the barrier XLA takes the weights at the first trial as given. Without it, it keeps the old weights and
    computes the trial a second time where it is moved on.
    """
    base = jax.lax.optimization_barrier(_moved(variables, direction, scale * first, go))

    def settle(alpha: Tensor) -> None:
        def move(weights: Tensors) -> Tensors:
            far = scale * (alpha - first)
            return [x + far * d for x, d in zip(weights, direction, strict=True)]

        if sum(x.size for x in base) < FIT_IN_CACHE:
            end = [jnp.where(go, a, x) for a, x in zip(move(base), base, strict=True)]
        else:
            # A loop of one turn or none: a conditional would copy the weights, and a pass over them costs as well.
            state = (go & (alpha != first), base)
            _, end = jax.lax.while_loop(lambda state: state[0], lambda state: (False, move(state[1])), state)
        lists.write(variables, end)

    return Walk(line_from_first_trial(batch, base, direction, scale, first), settle)


def leap(variables: list[Any], direction: Tensors, alpha: Tensor, go: Tensor) -> None:
    """Move the weights by `alpha * direction` without looking, where `go` holds."""
    lists.write(variables, _moved(variables, direction, alpha, go))


def steer(proposed: Tensors, gradient: Tensors, factor: Tensor, astray: Tensor) -> Tensors:
    """Return `factor * gradient` where the proposed direction went astray, else that direction."""
    return [jnp.where(astray, factor * g, d) for g, d in zip(gradient, proposed, strict=True)]


def _moved(variables: list[Any], direction: Tensors, alpha: Tensor, go: Tensor) -> Tensors:
    here = lists.read(variables, keras.backend.standardize_dtype(direction[0].dtype))
    return [jnp.where(go, x + alpha * d, x) for x, d in zip(here, direction, strict=True)]
