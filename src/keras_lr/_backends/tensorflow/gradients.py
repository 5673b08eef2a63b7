"""Derivatives on TensorFlow."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

Tensor = Any
Values = list[Any]


def loss_and_gradient(loss: Callable[[Values], Tensor], values: Values) -> tuple[Tensor, Values]:
    """See `_backends.gradients`."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(values)
        value = loss(values)
    return value, dense(tape.gradient(value, values), values)


def forward_derivative(function: Callable[[Values], Any], values: Values, direction: Values) -> tuple[Any, Any]:
    """See `_backends.gradients`.

    The derivative is taken backwards twice, in a vector of ones that it is linear in: few operations have a
    forward derivative on TensorFlow, and all have a gradient.
    """
    with tf.GradientTape(watch_accessed_variables=False) as outer:
        with tf.GradientTape(watch_accessed_variables=False) as inner:
            inner.watch(values)
            outputs = function(values)
            ones = tf.ones_like(outputs)
            outer.watch(ones)
            weighted = tf.reduce_sum(outputs * ones)
        gradient = dense(inner.gradient(weighted, values), values)
        slope = tf.add_n([tf.reduce_sum(g * d) for g, d in zip(gradient, direction, strict=True)])
    return outputs, outer.gradient(slope, ones, unconnected_gradients=tf.UnconnectedGradients.ZERO)


def hessian_vector(loss: Callable[[Values], Tensor], values: Values, vectors: Values) -> Values:
    """See `_backends.gradients`."""
    with tf.GradientTape(watch_accessed_variables=False) as outer:
        outer.watch(values)
        with tf.GradientTape(watch_accessed_variables=False) as inner:
            inner.watch(values)
            value = loss(values)
        gradient = dense(inner.gradient(value, values), values)
        slope = tf.add_n([tf.reduce_sum(g * v) for g, v in zip(gradient, vectors, strict=True)])
    return dense(outer.gradient(slope, values), values)


def dense(gradients: Values, values: Values) -> Values:
    """Return a dense gradient for every value: zeros where the loss does not depend on it."""
    return [tf.zeros_like(v) if g is None else tf.convert_to_tensor(g) for g, v in zip(gradients, values, strict=True)]
