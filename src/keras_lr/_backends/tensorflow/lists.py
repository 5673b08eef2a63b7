"""What TensorFlow needs of its own in the vocabulary of lists: gradients of embeddings are not tensors."""

from typing import Any

import tensorflow as tf


def dense(gradients: list[Any], dtype: str) -> list[Any]:
    """Return the gradients as dense tensors of ``dtype``; rows that occur twice are added."""
    return [tf.cast(tf.convert_to_tensor(g), dtype) for g in gradients]
