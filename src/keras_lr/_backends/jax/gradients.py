"""Derivatives and the attached training step on JAX."""

import contextlib
from collections.abc import Callable
from typing import Any

import jax
import keras
from keras.src.backend.config import is_nnx_enabled
from keras.src.trainers.data_adapters import data_adapter_utils

from keras_lr._backends.jax.reports import with_reports
from keras_lr._backends.step_parts import Handed, reports_of

Tensor = Any
Values = list[Any]


def loss_and_gradient(loss: Callable[[Values], Tensor], values: Values) -> tuple[Tensor, Values]:
    """See `gradients`."""
    return jax.value_and_grad(loss)(values)


def forward_derivative(function: Callable[[Values], Any], values: Values, direction: Values) -> tuple[Any, Any]:
    """See `gradients`."""
    return jax.jvp(function, (values,), (direction,))


def hessian_vector(loss: Callable[[Values], Tensor], values: Values, vectors: Values) -> Values:
    """See `gradients`."""
    return jax.jvp(jax.grad(loss), (values,), (vectors,))[1]


def refuse(model: keras.Model) -> None:
    """See `gradients`."""
    if is_nnx_enabled():
        raise ValueError(
            "attach(model) replaces the training step of one model, and under NNX Keras traces the step of the class. "
            "Received: KERAS_NNX_ENABLED. Unset it to train this model with an optimizer that needs the batch."
        )


def replay(draws: None) -> contextlib.AbstractContextManager[None]:
    """See `gradients`. Seeds are variables of the model here."""
    return contextlib.nullcontext()


def train_step(model: keras.Model, give: Callable[[Handed], Any], state: Any, data: Any) -> tuple[dict[str, Any], Any]:
    """See `gradients`."""
    trainable, non_trainable, optimizer_variables, metrics = state
    x, y, sample_weight = data_adapter_utils.unpack_x_y_sample_weight(data)
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
