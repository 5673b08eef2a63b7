"""Two inner products on TensorFlow, large matrices in parts of their rows.

The product of a whole matrix would be written to fresh memory and read again; that of a part stays in the cache. The
parts are views: TensorFlow copies no rows.
"""

from typing import Any

import tensorflow as tf

from keras_lr._backends.ops.search_scalars import FIT_IN_CACHE
from keras_lr._backends.tensorflow.search_scalars import inner

_PARTS = 8


def products(a: list[Any], b: list[Any]) -> tuple[Any, Any]:
    """Return ⟨a, b⟩ and ⟨a, a⟩ over all variables."""
    a, b = ([part for x in tensors for part in _parts(x)] for tensors in (a, b))
    return inner(a, b), inner(a, a)


def _parts(x: Any) -> list[Any]:
    if x.shape.num_elements() < FIT_IN_CACHE or x.shape[0] % _PARTS:
        return [x]
    return list(tf.split(x, _PARTS))
