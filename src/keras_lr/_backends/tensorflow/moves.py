"""Move the weights along a direction on TensorFlow: in place, where fresh memory costs as much as the arithmetic."""

from typing import Any

import tensorflow as tf

from keras_lr._backends.ops import lists

Tensors = list[Any]


def move_(variables: list[Any], x: Tensors, u: Tensors, step: Any) -> Tensors:
    """Return x + step · u, x being what the variables hold.

    The kernel of gradient descent adds into the variable; reading it afterwards copies nothing. Weights of less than
    single precision are summed in single precision and rounded once.
    """
    if any(v.dtype != y.dtype for v, y in zip(variables, u, strict=True)):
        return lists.add_(x, u, step)
    back = -step
    for variable, direction in zip(variables, u, strict=True):
        tf.raw_ops.ResourceApplyGradientDescent(var=variable.value.handle, alpha=back, delta=direction)
    return lists.read(variables, u[0].dtype.name)
