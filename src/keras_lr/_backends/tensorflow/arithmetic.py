"""Double precision on TensorFlow: NumPy's names for its float64 functions."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def evaluate(formula: Callable[[Any, Any], Any], step: Any, dtype: str) -> Any:
    """Compute ``formula(step, namespace)`` in float64 and round it to ``dtype``."""
    return tf.cast(_double(formula(tf.cast(step, tf.float64), _Namespace)), dtype)


def _double(x: Any) -> Any:
    return tf.cast(x, tf.float64) if tf.is_tensor(x) else tf.constant(x, tf.float64)


def _in_double(function: Callable[..., Any]) -> Any:
    return staticmethod(lambda *arguments: function(*map(_double, arguments)))


class _Namespace:
    asarray = staticmethod(_double)
    cos = _in_double(tf.cos)
    exp = _in_double(tf.exp)
    floor = _in_double(tf.floor)
    log = _in_double(tf.math.log)
    log1p = _in_double(tf.math.log1p)
    maximum = _in_double(tf.maximum)
    minimum = _in_double(tf.minimum)
    sin = _in_double(tf.sin)
    sqrt = _in_double(tf.sqrt)
    tanh = _in_double(tf.tanh)

    @staticmethod
    def where(condition: Any, x: Any, y: Any) -> Any:
        return tf.where(condition, _double(x), _double(y))

    @staticmethod
    def take(table: Any, index: Any) -> Any:
        return tf.gather(_double(table), tf.cast(index, tf.int32))
