"""What TensorFlow needs of its own among the scalars of a search: every operation is a kernel there, none is fused."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from keras_lr._backends.ops.search_scalars import FIT_IN_CACHE
from keras_lr.line_search._scalars import choose


def either(condition: Any, yes: Callable[[], Any], no: Callable[[], Any]) -> Any:
    """Return what ``yes`` returns where the condition holds, else what ``no`` does; both are run.

    ``tf.where`` broadcasts the condition and writes a new tensor; this operation hands on one of the two.
    """

    def select(a: Any, b: Any) -> Any:
        return a if a is b else tf.raw_ops.Select(condition=condition, **_pair(a, b))

    return keras.tree.map_structure(select, yes(), no())


def seldom(condition: Any, numbers: int, yes: Callable[[], Any], no: Callable[[], Any]) -> Any:
    """Return what ``yes`` returns, a sum over so many numbers, where the condition holds, else what ``no`` does.

    A conditional is some thirty kernels, more than the sum over few numbers.
    """
    return (either if numbers < FIT_IN_CACHE else choose)(condition, yes, no)


def inner(a: list[Any], b: list[Any]) -> Any:
    """Return the inner product over all variables; a square is one pass that writes nothing."""
    if a is b:
        return 2.0 * tf.add_n([tf.nn.l2_loss(x) for x in a])
    return tf.add_n([tf.reduce_sum(x * y) for x, y in zip(a, b, strict=True)])


def _pair(a: Any, b: Any) -> dict[str, Any]:
    dtype = a.dtype if tf.is_tensor(a) else b.dtype
    return {"x": tf.convert_to_tensor(a, dtype), "y": tf.convert_to_tensor(b, dtype)}
