"""Walk along a direction on TensorFlow: the weights themselves go, a kernel a variable and no fresh memory."""

from typing import Any

import keras
import tensorflow as tf

from keras_lr._backends.ops import lists
from keras_lr._backends.ops.walks import Tensor, Tensors, line_from_first_trial
from keras_lr._backends.tensorflow.search_scalars import either
from keras_lr.line_search import Walk


def walk(batch: Any, variables: list[Any], direction: Tensors, scale: Tensor, first: Tensor, go: Tensor) -> Walk:
    """Set out along `direction`; see `Batch.walk`."""
    leap(variables, direction, scale * first, go)
    base = lists.read(variables, keras.backend.standardize_dtype(direction[0].dtype))

    def settle(alpha: Tensor) -> None:
        if alpha is not first:
            leap(variables, direction, scale * (alpha - first), go & (alpha != first))

    return Walk(line_from_first_trial(batch, base, direction, scale, first), settle)


def leap(variables: list[Any], direction: Tensors, alpha: Tensor, go: Tensor) -> None:
    """Move the weights by `alpha * direction` without looking, where `go` holds."""

    def move() -> Any:
        for variable, d in zip(variables, direction, strict=True):
            if variable.dtype == d.dtype.name:
                # What `assign_sub` does, with the product in the same pass over memory.
                tf.raw_ops.ResourceApplyGradientDescent(var=variable.value.handle, alpha=-alpha, delta=d)
            else:
                variable.assign(tf.cast(tf.cast(variable.value, d.dtype) + alpha * d, variable.dtype))
        return tf.no_op()

    tf.cond(go, move, tf.no_op)


def steer(proposed: Tensors, gradient: Tensors, factor: Tensor, astray: Tensor) -> Tensors:
    """Return `factor * gradient` where the proposed direction went astray, else that direction."""
    return either(astray, lambda: [factor * g for g in gradient], lambda: proposed)
