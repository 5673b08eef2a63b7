"""What JAX needs of its own in the vocabulary of lists: outside of `jit` a conditional would be compiled each time."""

from collections.abc import Callable
from typing import Any

import jax

from keras_lr._backends import lists_ops

Tensors = list[Any]


def where_(condition: Any, change: Callable[..., Tensors], a: Tensors, *others: Tensors) -> Tensors:
    """Return ``change(a, *others)`` where the scalar ``condition`` holds, else a. Nothing is computed otherwise."""
    if isinstance(condition, jax.core.Tracer):
        return lists_ops.where_(condition, change, a, *others)
    return change(a, *others) if condition else a


def copy_where_(a: Tensors, b: Tensors, condition: Any) -> Tensors:
    """Return a copy of b where the scalar ``condition`` holds, else a."""
    return where_(condition, lambda _, y: list(y), a, b)


def swap_where_(a: Tensors, b: Tensors, condition: Any) -> tuple[Tensors, Tensors]:
    """Return (b, a) where the scalar ``condition`` holds, else (a, b). Both may be consumed."""
    if isinstance(condition, jax.core.Tracer):
        return lists_ops.swap_where_(a, b, condition)
    return (b, a) if condition else (a, b)
