"""Quick tests of long chains of operations: JAX compiles every operation of its own when it runs eagerly."""

import keras


def compiled_on_jax(function):
    """Return the function as one program on JAX, and as it is where eager operations cost nothing to begin with."""
    if keras.backend.backend() != "jax":
        return function
    import jax

    return jax.jit(function)
