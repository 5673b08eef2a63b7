"""Derivatives and the attached training step on PyTorch."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras
import torch
from keras import tree
from keras.src.trainers.data_adapters import data_adapter_utils

from keras_lr._backends.step_parts import Handed, reports_of

Tensor = Any
Values = list[Any]


def loss_and_gradient(loss: Callable[[Values], Tensor], values: Values) -> tuple[Tensor, Values]:
    """See `gradients`."""
    with torch.enable_grad():
        leaves = [v.detach().requires_grad_() for v in values]
        value = loss(leaves)
    return value.detach(), _zeros_for_none(torch.autograd.grad(value, leaves, allow_unused=True), values)


def forward_derivative(function: Callable[[Values], Any], values: Values, direction: Values) -> tuple[Any, Any]:
    """See `gradients`.

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
    """See `gradients`."""
    with torch.enable_grad():
        leaves = [v.detach().requires_grad_() for v in values]
        gradient = torch.autograd.grad(loss(leaves), leaves, create_graph=True, allow_unused=True)
        slope = sum((g * v).sum() for g, v in zip(gradient, vectors, strict=True) if g is not None)
        products = torch.autograd.grad(slope, leaves, allow_unused=True)
    return _zeros_for_none(products, values)


def refuse(model: keras.Model) -> None:
    """See `gradients`."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        raise ValueError(
            "A search compares losses of one batch, and under torch.distributed each process has a part of it. "
            "Received: an initialised process group. Train in one process, or use an optimizer that needs gradients "
            "only."
        )


@contextlib.contextmanager
def replay(draws: Any) -> Iterator[None]:
    """See `gradients`. Dropout without a seed of its own draws from torch's generators, not from its seed variable."""
    if draws is None:
        yield
        return
    after = draws_now()
    _set_draws(draws)
    try:
        yield
    finally:
        _set_draws(after)


def train_step(model: keras.Model, give: Callable[[Handed], Any], data: Any) -> dict[str, Any]:
    """See `gradients`."""
    x, y, sample_weight = data_adapter_utils.unpack_x_y_sample_weight(data)
    # A variable's `value` is the parameter itself: copied, it stays what it was before the forward pass.
    variables = model.non_trainable_variables
    non_trainable = [v.value.detach().clone() for v in variables]
    draws = draws_now() if any("seed_generator" in v.path for v in variables) else None
    y_pred = model(x, training=True) if model._call_has_training_arg else model(x)
    # As in Keras' step, the gradients before live until here: freed at the end of the step, their memory would go back
    # to the system, which hands it out anew page by page.
    model.zero_grad()
    loss = model._compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=True)
    model._loss_tracker.update_state(loss, sample_weight=_first(x).shape[0])
    weights = model.trainable_weights
    parameters = [v.value for v in weights]
    model.optimizer.scale_loss(loss).backward()
    gradients = [p.grad for p in parameters]
    handed = Handed(loss.detach(), x, y, sample_weight, None, non_trainable, [], draws)
    with torch.no_grad(), give(handed):
        model.optimizer.apply(_zeros_for_none(gradients, parameters), weights)
    return {**model.compute_metrics(x, y, y_pred, sample_weight=sample_weight), **_numbers(reports_of(model.optimizer))}


def _numbers(reported: dict[str, Any]) -> dict[str, float]:
    """Return the reports as Python numbers, each vector read once: `fit` would read every entry by itself."""
    pairs = {name: v if isinstance(v, tuple) else (v, None) for name, v in reported.items()}
    read = {id(v): v.value.tolist() for v in {id(v): v for v, _ in pairs.values()}.values()}
    return {name: read[id(v)] if i is None else read[id(v)][i] for name, (v, i) in pairs.items()}


def _first(x: Any) -> Tensor:
    return next(leaf for leaf in tree.flatten(x) if leaf is not None)


def _zeros_for_none(gradients: Any, values: Values) -> Values:
    return [torch.zeros_like(v) if g is None else g for g, v in zip(gradients, values, strict=True)]


def draws_now() -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Return the state of the generators that layers draw from."""
    return torch.get_rng_state(), torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []


def _set_draws(draws: tuple[torch.Tensor, list[torch.Tensor]]) -> None:
    torch.set_rng_state(draws[0])
    if draws[1]:
        torch.cuda.set_rng_state_all(draws[1])
