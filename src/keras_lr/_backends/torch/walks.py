"""Walk along a direction on PyTorch: the weights themselves go, since fresh memory costs more than arithmetic.

Steps, losses and slopes are Python floats here: each evaluation is read once, and decisions cost nothing.
"""

from collections.abc import Callable
from typing import Any

import torch

from keras_lr._backends.torch import lists
from keras_lr._backends.torch.gradients import dense
from keras_lr.line_search import Line, Walk

Tensors = list[Any]


def walk(batch: Any, variables: list[Any], direction: Tensors, scale: float, first: float, go: bool) -> Walk:
    """Set out along `direction`; see `Batch.walk`."""
    weights = [v.value for v in variables]
    evaluate = _without_traces(batch)
    here = 0.0

    def move(alpha: float) -> None:
        nonlocal here
        if go and alpha != here:
            torch._foreach_add_(weights, direction, alpha=scale * (alpha - here))
            here = alpha

    def phi(alpha: float) -> float:
        move(alpha)
        return float(evaluate(batch.loss_here))

    def phi_and_slope(alpha: float) -> tuple[float, float]:
        move(alpha)
        value, gradient = evaluate(lambda: _loss_and_gradient(batch, weights))
        return float(value), scale * float(lists.dots(gradient, direction).sum())

    return Walk(Line(phi, phi_and_slope), move)


def leap(variables: list[Any], direction: Tensors, alpha: float, go: bool) -> None:
    """Move the weights by `alpha * direction` without looking, where `go` holds."""
    if go:
        torch._foreach_add_([v.value for v in variables], direction, alpha=alpha)


def steer(proposed: Tensors, gradient: Tensors, factor: float, astray: bool) -> Tensors:
    """Return `factor * gradient` where the proposed direction went astray, else that direction."""
    return list(torch._foreach_mul(gradient, factor)) if astray else proposed


def _loss_and_gradient(batch: Any, weights: Tensors) -> tuple[Any, Tensors]:
    with torch.enable_grad():
        loss = batch.loss_here()
    return loss.detach(), dense(torch.autograd.grad(loss, weights, allow_unused=True), weights)


def _without_traces(batch: Any) -> Callable[[Callable[[], Any]], Any]:
    """Return what evaluates as at the step's own forward pass, and leaves what that pass left."""
    variables, before = batch.moved_by_a_forward_pass()
    moved = [v.value for v in variables]
    after = lists.copy(moved)

    def evaluate(function: Callable[[], Any]) -> Any:
        if not moved:
            return function()
        torch._foreach_copy_(moved, before)
        result = function()
        torch._foreach_copy_(moved, after)
        return result

    return evaluate
