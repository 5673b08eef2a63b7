"""A pure function of tensors as one graph on TensorFlow."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """See `_backends.compiled`."""
    return tf.function(function, reduce_retracing=True, autograph=False)
