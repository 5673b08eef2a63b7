"""Derivatives on JAX."""

from collections.abc import Callable
from typing import Any

import jax

Tensor = Any
Values = list[Any]


def loss_and_gradient(loss: Callable[[Values], Tensor], values: Values) -> tuple[Tensor, Values]:
    """See `_backends.gradients`."""
    return jax.value_and_grad(loss)(values)


def forward_derivative(function: Callable[[Values], Any], values: Values, direction: Values) -> tuple[Any, Any]:
    """See `_backends.gradients`."""
    return jax.jvp(function, (values,), (direction,))


def hessian_vector(loss: Callable[[Values], Tensor], values: Values, vectors: Values) -> Values:
    """See `_backends.gradients`."""
    return jax.jvp(jax.grad(loss), (values,), (vectors,))[1]
