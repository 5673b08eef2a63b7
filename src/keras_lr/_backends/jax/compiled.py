"""A pure function of tensors as one program on JAX."""

from collections.abc import Callable
from typing import Any

import jax


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """See `_backends.compiled`."""
    return jax.jit(function)
