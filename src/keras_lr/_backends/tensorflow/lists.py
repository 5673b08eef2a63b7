"""What TensorFlow needs of its own in the vocabulary of lists: gradients of embeddings are not tensors."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf


def dense(gradients: Sequence[Any], variables: list[Any]) -> list[Any]:
    """Return the gradients of ``variables`` as dense tensors, rows that occur twice added; None stays None."""
    return [None if g is None else _dense(g, v) for g, v in zip(gradients, variables, strict=True)]


def _dense(gradient: Any, variable: Any) -> Any:
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    return tf.ensure_shape(tf.convert_to_tensor(gradient), variable.shape)  # of scaled rows it is not known
