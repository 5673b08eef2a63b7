"""Move the weights along a direction, where a compiler or grouped kernels reuse their memory."""

from typing import Any

from keras_lr._backends import lists

Tensors = list[Any]


def move_(variables: list[Any], x: Tensors, u: Tensors, step: Any) -> Tensors:
    """Return x + step · u, x being what the variables hold."""
    return lists.add_(x, u, step)
