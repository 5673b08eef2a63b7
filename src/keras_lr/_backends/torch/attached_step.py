"""The attached training step on PyTorch."""

from collections.abc import Callable
from typing import Any

import keras
import torch

from keras_lr._backends.attached_step_interface import Handed, first_of, reports_of
from keras_lr._backends.torch.draws import draws_now
from keras_lr._backends.torch.forward import loss_of
from keras_lr._backends.torch.gradients import dense


def refuse(model: keras.Model) -> None:
    """See `_backends.attached_step`."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        raise ValueError(
            "A search compares losses of one batch, and under torch.distributed each process has a part of it. "
            "Received: an initialised process group. Train in one process, or use an optimizer that needs gradients "
            "only."
        )


def train_step(model: keras.Model, give: Callable[[Handed], Any], data: Any) -> dict[str, Any]:
    """See `_backends.attached_step`."""
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    # A variable's `value` is the parameter itself: copied, it stays what it was before the forward pass.
    variables = model.non_trainable_variables
    non_trainable = [v.value.detach().clone() for v in variables]
    draws = draws_now() if any("seed_generator" in v.path for v in variables) else None
    y_pred = model(x, training=True) if model._call_has_training_arg else model(x)
    # As in Keras' step, the gradients before live until here: freed at the end of the step, their memory would go back
    # to the system, which hands it out anew page by page.
    model.zero_grad()
    loss = loss_of(model, x, y, y_pred, sample_weight)
    model._loss_tracker.update_state(loss, sample_weight=first_of(x).shape[0])
    weights = model.trainable_weights
    parameters = [v.value for v in weights]
    model.optimizer.scale_loss(loss).backward()
    gradients = [p.grad for p in parameters]
    handed = Handed(loss.detach(), x, y, sample_weight, None, non_trainable, [], draws)
    with torch.no_grad(), give(handed):
        model.optimizer.apply(dense(gradients, parameters), weights)
    return {**model.compute_metrics(x, y, y_pred, sample_weight=sample_weight), **_numbers(reports_of(model.optimizer))}


def _numbers(reported: dict[str, Any]) -> dict[str, float]:
    """Return the reports as Python numbers, each vector read once: `fit` would read every entry by itself."""
    pairs = {name: v if isinstance(v, tuple) else (v, None) for name, v in reported.items()}
    read = {id(v): v.value.tolist() for v in {id(v): v for v, _ in pairs.values()}.values()}
    return {name: read[id(v)] if i is None else read[id(v)][i] for name, (v, i) in pairs.items()}
