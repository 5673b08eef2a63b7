"""The scalars of a search on JAX, computed once a step.

XLA fuses what it finds into the loops over the weights. A state machine of a hundred operations on scalars would be
computed anew in the kernel of every variable and of every number that is kept, which takes longer than the step of a
small model. It does not fuse a sum into a loop that reads its result at every turn, and so such a loop takes the result
as given; a barrier would be gone by then.
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import keras

from keras_lr._backends.ops.search_scalars import unpack


def pack(scalars: list[Any], like: Any) -> Any:
    """Return a vector of the scalars, with the dtype of ``like``, made in one kernel where `stack` takes one each."""
    places = jnp.arange(len(scalars))
    vector = jnp.zeros(len(scalars), like.dtype)
    for place, scalar in enumerate(scalars):
        vector = jnp.where(places == place, jnp.asarray(scalar, like.dtype), vector)
    with_zeros = jnp.where(jnp.arange(2) == 0, vector[:, None], 0.0)
    return jnp.sum(with_zeros, axis=1)


def at_once(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return ``function(*arguments)``, scalars made of scalars, as numbers that no other kernel computes again.

    Python numbers stay what they are, and cost nothing later either.
    """
    outcome = function(*arguments)
    leaves = keras.tree.flatten(outcome)
    computed = [x for x in leaves if not isinstance(x, (int, float))]
    like = next(x for x in keras.tree.flatten(arguments) if jnp.issubdtype(jnp.result_type(x), jnp.floating))
    numbers = iter(unpack(pack(computed, like))[0])
    kept = [x if isinstance(x, (int, float)) else next(numbers).astype(x.dtype) for x in leaves]
    return keras.tree.pack_sequence_as(outcome, kept)
