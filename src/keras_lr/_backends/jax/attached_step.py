"""The attached training step on JAX."""

from collections.abc import Callable
from typing import Any

import jax
import keras
from keras.src.backend.config import is_nnx_enabled

from keras_lr._backends.attached_step_interface import Handed, reports_of
from keras_lr._backends.jax.reports import with_reports


def refuse(model: keras.Model) -> None:
    """See `_backends.attached_step`."""
    if is_nnx_enabled():
        raise ValueError(
            "attach(model) replaces the training step of one model, and under NNX Keras traces the step of the class. "
            "Received: KERAS_NNX_ENABLED. Unset it to train this model with an optimizer that needs the batch."
        )


def train_step(model: keras.Model, give: Callable[[Handed], Any], state: Any, data: Any) -> tuple[dict[str, Any], Any]:
    """See `_backends.attached_step`."""
    trainable, non_trainable, optimizer_variables, metrics = state
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    gradient_of = jax.value_and_grad(model.compute_loss_and_updates, has_aux=True)
    (_, aux), gradients = gradient_of(
        trainable,
        non_trainable,
        metrics,
        x,
        y,
        sample_weight,
        training=True,
        optimizer_variables=optimizer_variables,
    )
    loss, y_pred, new_non_trainable, new_metrics = aux
    with give(Handed(loss, x, y, sample_weight, trainable, non_trainable, metrics)):
        trainable, optimizer_variables = model.optimizer.stateless_apply(optimizer_variables, gradients, trainable)
    logs, new_metrics = model._update_metrics_variables(new_metrics, loss, x, y, y_pred, sample_weight)
    new = {id(v): value for v, value in zip(model.optimizer.variables, optimizer_variables, strict=True)}
    logs = with_reports(logs, reports_of(model.optimizer), new)
    return logs, (trainable, new_non_trainable, optimizer_variables, new_metrics)
