"""Walk along a direction on PyTorch: the weights themselves go, since fresh memory costs more than arithmetic."""

from collections.abc import Callable
from typing import Any

import torch
from keras import ops

from keras_lr._backends import lists
from keras_lr.line_search import Line, Walk

Tensor = Any


def walk(batch: Any, variables: list[Any], direction: list[Any], scale: Tensor, first: Tensor, go: Tensor) -> Walk:
    """Set out along `direction`; see `Batch.walk`."""
    weights = [v.value for v in variables]
    moves = bool(go)
    unit = float(scale)
    here = 0.0

    def move(alpha: Tensor) -> None:
        nonlocal here
        if moves and float(alpha) != here:
            lists.add_(weights, direction, unit * (float(alpha) - here))
            here = float(alpha)

    def phi(alpha: Tensor) -> Tensor:
        move(alpha)
        return _without_traces(batch, batch.loss_here)

    def phi_and_slope(alpha: Tensor) -> tuple[Tensor, Tensor]:
        move(alpha)
        value, gradient = _without_traces(batch, lambda: _loss_and_gradient(batch, weights))
        return value, unit * ops.sum(lists.dots(gradient, direction))

    return Walk(Line(phi, phi_and_slope), move)


def leap(variables: list[Any], direction: list[Any], alpha: Tensor, go: Tensor) -> None:
    """Move the weights by `alpha * direction` without looking, where `go` holds."""
    if bool(go):
        lists.add_([v.value for v in variables], direction, alpha)


def _loss_and_gradient(batch: Any, weights: list[Any]) -> tuple[Tensor, list[Any]]:
    with torch.enable_grad():
        loss = batch.loss_here()
    gradient = torch.autograd.grad(loss, weights, allow_unused=True)
    return loss.detach(), [torch.zeros_like(w) if g is None else g for g, w in zip(gradient, weights, strict=True)]


def _without_traces(batch: Any, evaluate: Callable[[], Any]) -> Any:
    """Evaluate as at the step's own forward pass, and leave what that pass left."""
    variables, before = batch.moved_by_a_forward_pass()
    moved = [v.value for v in variables]
    if not moved:
        return evaluate()
    after = lists.copy(moved)
    torch._foreach_copy_(moved, before)
    result = evaluate()
    torch._foreach_copy_(moved, after)
    return result
