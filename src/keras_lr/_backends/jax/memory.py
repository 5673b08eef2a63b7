"""Memory that one step hands to the next, on JAX.

XLA asks for the memory of all gradients at every step, and gives it back. A CPU's system hands fresh memory out page by
page, which for 10 million weights takes as long as a third of a step with Adam. But the state of a step is donated:
a gradient that is assigned to a variable is computed in the memory of the variable.
"""

from typing import Any

import jax

LARGE = 1_000_000  # weights from which on it pays


def pays(weights: int) -> bool:
    """See `_backends.memory`. On a GPU XLA keeps its memory."""
    return jax.default_backend() == "cpu" and weights >= LARGE


def overwrite(variables: list[Any], values: list[Any]) -> None:
    """See `_backends.memory`. Nothing to do outside of `jit`, where arrays are not donated."""
    for variable, value in zip(variables, values, strict=True):
        if isinstance(value, jax.core.Tracer):
            variable.assign(value + _zero(variable.value).astype(value.dtype))


def _zero(array: Any) -> Any:
    """Return a 0 that `jit` takes for a use of the array, which it would drop otherwise, and its memory with it.

    XLA knows what an integer times 0 is, so that the program reads nothing and the writing has not to wait.
    """
    return (array[(0,) * array.ndim] > 0).astype("int32") * 0
