"""Forward pass and loss on PyTorch: what layers and losses compute, without what Keras does around it.

Keras converts, checks and names what goes through a layer, which takes two thirds of the time of a small one, and of a
loss more. A step's own forward pass needs that; a trial, which follows it with the same data, asks the layers of Keras
for their `call`. Whatever else a model consists of is called in the ordinary way.
"""

from collections.abc import Callable
from typing import Any

import keras
import torch
from keras import ops
from keras.src.backend import get_keras_mask
from keras.src.models.functional import Functional


def forward_again(model: keras.Model, x: Any) -> Any:
    """See `_backends.forward`."""
    graph = _graph_of(model)
    if graph is None:
        return model(x, training=True) if model._call_has_training_arg else model(x)
    outputs = graph._run_through_graph(graph._standardize_inputs(x), _with_little_around_it)
    return outputs[0] if isinstance(outputs, list | tuple) and len(outputs) == 1 else outputs


def loss_of(model: keras.Model, x: Any, y: Any, y_pred: Any, sample_weight: Any) -> Any:
    """See `_backends.forward`."""
    loss = _mean_loss_of(model)
    if loss is None or sample_weight is not None or not _is_plain(y_pred, loss.dtype) or not ops.is_tensor(y):
        return model._compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=True)
    values = ops.convert_to_tensor(loss.call(ops.convert_to_tensor(y, loss.dtype), y_pred), loss.dtype)
    return values.sum() / values.numel()


def _graph_of(model: keras.Model) -> Functional | None:
    """Return the graph of layers that the model is, or None where it is more than that."""
    kind = type(model)
    if not any(kind.call is known.call and kind.__call__ is known.__call__ for known in (keras.Sequential, Functional)):
        return None
    if _looks_at_what_passes(model):
        return None
    return model._functional if isinstance(model, keras.Sequential) else model


def _with_little_around_it(operation: Any) -> Callable[..., Any]:
    """Return what computes the operation of a graph, in training."""
    if not isinstance(operation, keras.Layer):
        return operation
    own = type(operation).__module__.startswith("keras.src.layers.")
    bare = own and not operation._layers and not _looks_at_what_passes(operation)
    training = {"training": True} if operation._call_has_training_arg else {}

    def compute(*arguments: Any, **named: Any) -> Any:
        inputs = arguments[0] if len(arguments) == 1 and isinstance(arguments[0], list) else arguments
        if (
            bare
            and all(value is None for name, value in named.items() if name != "training")
            and all(_is_plain(value, operation.compute_dtype) for value in inputs)
            and operation.compute_mask(arguments[0], None) is None
        ):
            return operation.call(*arguments, **{**named, **training})
        return operation(*arguments, **{**named, "training": True})

    return compute


def _looks_at_what_passes(layer: keras.Layer) -> bool:
    """Whether what a layer is called with, or returns, is looked at or changed on the way."""
    return bool(
        layer._forward_hooks
        or layer._forward_pre_hooks
        or layer.activity_regularizer is not None
        or layer.quantization_mode is not None
        or layer.compute_dtype != layer.variable_dtype
    )


def _is_plain(value: Any, dtype: str) -> bool:
    """Whether it is a tensor of that dtype without a mask."""
    return isinstance(value, torch.Tensor) and value.dtype is getattr(torch, dtype) and get_keras_mask(value) is None


def _mean_loss_of(model: keras.Model) -> keras.losses.Loss | None:
    """Return the loss of Keras whose mean over the samples is all that the model minimises, or None."""
    compiled = model._compile_loss
    if type(model).compute_loss is not keras.Model.compute_loss or model.losses:
        return None
    if compiled is None or not compiled.built:
        return None
    _, loss, weight, _ = compiled._flat_losses[0]
    own = type(loss).__module__.startswith("keras.src.losses.")
    mean = own and loss.reduction == "sum_over_batch_size" and loss.dtype == compiled.dtype
    return loss if mean and weight is None else None
