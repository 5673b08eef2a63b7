"""The attached training step on TensorFlow."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from keras_lr._backends.attached_step_interface import Handed, first_of, reports_of
from keras_lr._backends.tensorflow.gradients import dense

Tensor = Any


def refuse(model: keras.Model) -> None:
    """See `_backends.attached_step`."""
    replicas = model.distribute_strategy.num_replicas_in_sync
    if replicas > 1:
        raise ValueError(
            "A search compares losses of one batch, and under tf.distribute each replica has a part of it. "
            f"Received: a strategy of {replicas} replicas. Train on one device, or use an optimizer that "
            "needs gradients only."
        )


def train_step(model: keras.Model, give: Callable[[Handed], Any], data: Any) -> dict[str, Any]:
    """See `_backends.attached_step`."""
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    # A variable's `value` is the variable itself: copied, it stays what it was before the forward pass.
    non_trainable = [tf.identity(v.value) for v in model.non_trainable_variables]
    metrics = [tf.identity(v.value) for v in model.metrics_variables]
    with tf.GradientTape() as tape:
        y_pred = model(x, training=True) if model._call_has_training_arg else model(x)
        loss = model._compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=True)
        scaled = model.optimizer.scale_loss(loss)
    model._loss_tracker.update_state(loss, sample_weight=tf.shape(first_of(x))[0])
    weights = model.trainable_weights
    if not model.optimizer.built:
        with tf.init_scope():  # variables must not be made under the control dependencies below
            model.optimizer.build(weights)
    gradients = dense(tape.gradient(scaled, weights), [v.value for v in weights])
    # An in-place assignment must not overtake the reads of a trial.
    with tf.control_dependencies(gradients), give(Handed(loss, x, y, sample_weight, None, non_trainable, metrics)):
        model.optimizer.apply(gradients, weights)
    return {**model.compute_metrics(x, y, y_pred, sample_weight=sample_weight), **_numbers(reports_of(model.optimizer))}


def _numbers(reported: dict[str, Any]) -> dict[str, Tensor]:
    """Return the reports as tensors of shape (), each vector taken apart by one kernel.

    Python numbers would be no cheaper: `fit` asks of every log whether it is a tensor, which takes Keras 7 microseconds
    to deny and none to confirm.
    """
    pairs = {name: report if isinstance(report, tuple) else (report, None) for name, report in reported.items()}
    apart = {id(v): tf.unstack(v.value) for v, index in pairs.values() if index is not None}
    return {name: tf.identity(v.value) if i is None else apart[id(v)][i] for name, (v, i) in pairs.items()}
