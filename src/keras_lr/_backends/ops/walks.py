"""The line that starts where the weights stand at the first trial: for JAX and TensorFlow.

The weights go to the first trial and on from there, x' = x + first·s·d, x'' = x' + (alpha - first)·s·d. So the old
weights are not needed after the first trial, and the search usually accepts what it evaluated first. Computing the
trial and the end each from x costs a second set of weights at every step: with 10 million more than a forward pass.
"""

from typing import Any

from keras import ops

from keras_lr._backends.ops import lists
from keras_lr.line_search import Line

Tensor = Any
Tensors = list[Any]


def line_from_first_trial(batch: Any, base: Tensors, direction: Tensors, scale: Tensor, first: Tensor) -> Line:
    """Return the loss along `scale * direction`, with `base` the weights at the step `first`."""

    def at(alpha: Tensor) -> Tensors:
        if alpha is first:
            return base
        return [b + (scale * (alpha - first)) * d for b, d in zip(base, direction, strict=True)]

    def phi(alpha: Tensor) -> Tensor:
        return ops.cast(batch.loss_at(at(alpha)), first.dtype)

    def phi_and_slope(alpha: Tensor) -> tuple[Tensor, Tensor]:
        value, gradient = batch.loss_and_gradient_at(at(alpha))
        return ops.cast(value, first.dtype), scale * ops.sum(lists.dots(gradient, direction))

    return Line(phi, phi_and_slope)
