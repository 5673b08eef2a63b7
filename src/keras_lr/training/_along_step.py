"""The loss of one batch along the step that was made on it, and how sharply it bends there."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lr._backends import gradients
from keras_lr._backends.attached_step_interface import Handed
from keras_lr._backends.compiled import compiled
from keras_lr._backends.steps_interface import Parts
from keras_lr.diagnosis._signals import Step
from keras_lr.training._line import ModelBatch

POWER_ITERATIONS = 15


class AlongStep:
    """Evaluates the loss of a batch before and after a step that was made on it, with the dropout masks of that step.

    Args:
        model: built and compiled.

    Raises:
        ValueError: what its own `train_step` minimises cannot be evaluated.

    Costs: two losses with their gradients for the two ends; `POWER_ITERATIONS` Hessian-vector products for the
    sharpness. Either is compiled once, when it is first asked for.
    """

    def __init__(self, model: keras.Model) -> None:
        _refuse_unknown_loss(model)
        self._model = model
        self._compiled_ends = compiled(self._ends)
        self._compiled_product = compiled(self._product)

    def ends(self, data: Any, before: Parts, moved: list[Any]) -> Step:
        """Return what the batch says of the step from the parts `before` to the weights `moved`."""
        batch = keras.utils.unpack_x_y_sample_weight(data)
        numbers = self._compiled_ends(tuple(before), moved, batch)
        return Step(*ops.convert_to_numpy(numbers).tolist())

    def sharpness(self, data: Any, at: Parts) -> float:
        """Return the eigenvalue of the Hessian that is largest in size, by power iteration from a random vector."""
        batch = keras.utils.unpack_x_y_sample_weight(data)
        random = np.random.default_rng(0)
        vectors = [ops.cast(random.normal(size=w.shape), keras.backend.standardize_dtype(w.dtype)) for w in at.weights]
        for _ in range(POWER_ITERATIONS):
            quotient, vectors = self._compiled_product(tuple(at), vectors, batch)
        return float(ops.convert_to_numpy(quotient))

    def _ends(self, before: Any, moved: Any, data: Any) -> Any:
        batch, weights = self._batch(before, data), list(before[0])
        loss, gradient = batch.loss_and_gradient_at(weights)
        loss_after, gradient_after = batch.loss_and_gradient_at(list(moved))
        step = [b - a for a, b in zip(weights, moved, strict=True)]
        seen = Step(
            loss=loss,
            slope=_dot(gradient, step),
            loss_after=loss_after,
            slope_after=_dot(gradient_after, step),
            squared_length=_dot(step, step),
            squared_weights_length=_dot(weights, weights),
        )
        return ops.stack([ops.cast(number, "float32") for number in seen])

    def _product(self, at: Any, vectors: Any, data: Any) -> Any:
        """Return the Rayleigh quotient of a vector, and the Hessian times that vector at length 1."""
        batch = self._batch(at, data)
        length = ops.maximum(ops.sqrt(_dot(vectors, vectors)), 1e-30)
        unit = [v / ops.cast(length, v.dtype) for v in vectors]
        product = gradients.hessian_vector(batch.loss_at, list(at[0]), unit)
        return _dot(unit, product), product

    def _batch(self, at: Any, data: Any) -> ModelBatch:
        weights, others, draws, metrics = at
        x, y, sample_weight = data
        handed = Handed(ops.zeros(()), x, y, sample_weight, list(weights), list(others), list(metrics), draws)
        return ModelBatch(self._model, handed)


def _refuse_unknown_loss(model: keras.Model) -> None:
    kind = type(model)
    own = kind.train_step is not keras.Model.train_step and kind.compute_loss is keras.Model.compute_loss
    if own and model.loss is None:
        raise ValueError(
            f"{kind.__name__} computes its loss inside its own train_step, and here the loss of a batch is asked for "
            "before and after a step. Define it in compute_loss(x, y, y_pred, sample_weight, training) and let "
            "train_step call that, or compile with loss=...; keras_lr.race and range_test need neither."
        )


def _dot(one: Any, other: Any) -> Any:
    return sum(ops.sum(ops.cast(a, "float32") * ops.cast(b, "float32")) for a, b in zip(one, other, strict=True))
