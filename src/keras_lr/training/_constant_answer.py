"""What a network loses that answers the mean of the targets, whatever it is asked."""

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np

DISTANCES = (
    keras.losses.mean_squared_error,
    keras.losses.mean_absolute_error,
    keras.losses.huber,
    keras.losses.log_cosh,
)


def measures_distance(loss: Any) -> bool:
    """Return whether a compiled loss is that of a regression: one distance from the targets."""
    if not loss or keras.tree.is_nested(loss):
        return False
    function = keras.losses.get(loss)
    return getattr(function, "fn", function) in DISTANCES


def constant_loss(model: keras.Model, batches: Iterable[Any]) -> float:
    """Return the loss of the targets' mean, the mean over some batches; infinite where it is not a regression.

    A network begins with answers around 0. Where the targets are far from there, the first thing that it learns is
    their mean, and of the loss that is won by then nothing was learnt from the inputs.
    """
    own = (
        type(model).compute_loss is not keras.Model.compute_loss or type(model).train_step is not keras.Model.train_step
    )
    if own or not measures_distance(model.loss):
        return np.inf
    weighted = [keras.utils.unpack_x_y_sample_weight(batch)[1:] for batch in batches]
    if any(y is None or keras.tree.is_nested(y) for y, _ in weighted):
        return np.inf
    parts = [(_array(y), None if weight is None else _array(weight)) for y, weight in weighted]
    sound = [(y, weight) for y, weight in parts if np.all(np.isfinite(y))]
    if len({y.shape[1:] for y, _ in sound}) != 1:  # none, or of different lengths
        return np.inf
    mean = np.mean(np.concatenate([y for y, _ in sound]), axis=0)
    return float(np.mean([_loss(model.loss, y, np.broadcast_to(mean, y.shape), weight) for y, weight in sound]))


def _loss(compiled: Any, y: np.ndarray, answers: np.ndarray, weight: np.ndarray | None) -> float:
    function = keras.losses.get(compiled)
    if isinstance(function, keras.losses.Loss):
        return float(function(y, answers, sample_weight=weight))
    losses = keras.ops.convert_to_numpy(function(y, answers))
    return float(np.mean(losses if weight is None else losses * weight.reshape(-1, *[1] * (losses.ndim - 1))))


def _array(given: Any) -> np.ndarray:
    return keras.ops.convert_to_numpy(given).astype(np.float32)
