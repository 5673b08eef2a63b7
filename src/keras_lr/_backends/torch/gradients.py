"""Derivatives on PyTorch."""

from collections.abc import Callable
from typing import Any

import torch

Tensor = Any
Values = list[Any]


def loss_and_gradient(loss: Callable[[Values], Tensor], values: Values) -> tuple[Tensor, Values]:
    """See `_backends.gradients`."""
    with torch.enable_grad():
        leaves = [v.detach().requires_grad_() for v in values]
        value = loss(leaves)
    return value.detach(), dense(torch.autograd.grad(value, leaves, allow_unused=True), values)


def forward_derivative(function: Callable[[Values], Any], values: Values, direction: Values) -> tuple[Any, Any]:
    """See `_backends.gradients`.

    The derivative is taken backwards twice, in a vector of ones that it is linear in: some operations have no
    forward derivative on PyTorch, and all have a gradient.
    """
    with torch.enable_grad():
        leaves = [v.detach().requires_grad_() for v in values]
        outputs = function(leaves)
        ones = torch.ones_like(outputs).requires_grad_()
        gradient = torch.autograd.grad(outputs, leaves, ones, create_graph=True, allow_unused=True)
        slope = sum((g * d).sum() for g, d in zip(gradient, direction, strict=True) if g is not None)
        slopes = torch.autograd.grad(slope, ones)[0]
    return outputs.detach(), slopes.detach()


def hessian_vector(loss: Callable[[Values], Tensor], values: Values, vectors: Values) -> Values:
    """See `_backends.gradients`."""
    with torch.enable_grad():
        leaves = [v.detach().requires_grad_() for v in values]
        gradient = torch.autograd.grad(loss(leaves), leaves, create_graph=True, allow_unused=True)
        slope = sum((g * v).sum() for g, v in zip(gradient, vectors, strict=True) if g is not None)
        products = torch.autograd.grad(slope, leaves, allow_unused=True)
    return dense(products, values)


def dense(gradients: Any, values: Values) -> Values:
    """Return a gradient for every value: zeros where the loss does not depend on it."""
    return [torch.zeros_like(v) if g is None else g for g, v in zip(gradients, values, strict=True)]
