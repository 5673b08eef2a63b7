"""A batch that answers for the loss at other weights, made of a model and the data of one training step."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from keras_lr._backends import draws, gradients, lists
from keras_lr._backends.attached_step_interface import Handed
from keras_lr._backends.forward import forward_again, loss_of
from keras_lr._backends.nan_predicted import is_of_a_nan_predicted
from keras_lr._backends.walks import walk
from keras_lr.line_search import Walk
from keras_lr.optimizers._batch import Batch, Tensor, Tensors


class ModelBatch(Batch):
    """The batch of one training step of a model.

    Args:
        model: the model being trained.
        handed: what the training step knows.
    """

    def __init__(self, model: keras.Model, handed: Handed) -> None:
        self._model = model
        self._handed = handed
        self.loss = _single_at_least(handed.loss)
        self.data = (handed.x, handed.y, handed.sample_weight)

    def loss_at(self, values: Tensors) -> Tensor:
        forward, handed = self._forward(values), self._handed
        return _or_nan(lambda: self._loss(values, forward, handed.y, forward[0], handed.sample_weight), lambda: values)

    def loss_and_gradient_at(self, values: Tensors) -> tuple[Tensor, list[Tensor]]:
        return gradients.loss_and_gradient(self.loss_at, list(values))

    def hessian_vector_product(self, vectors: Tensors) -> list[Tensor]:
        return gradients.hessian_vector(self.loss_at, self._current(), list(vectors))

    def losses_and_slopes(self, direction: Tensors) -> tuple[Tensor, Tensor]:
        return gradients.forward_derivative(self._losses_at, self._current(), list(direction))

    def walk(
        self, variables: Sequence[keras.Variable], direction: Tensors, scale: Tensor, first: Tensor, go: Tensor
    ) -> Walk:
        return walk(self, list(variables), list(direction), scale, first, go)

    def loss_here(self) -> Tensor:
        """Return the loss where the model's variables are now, moving seeds, statistics and means as Keras does."""
        handed, model = self._handed, self._model
        with draws.replay(handed.draws):
            y_pred = forward_again(model, handed.x)
        given = {"x": handed.x, "y": handed.y, "y_pred": y_pred, "sample_weight": handed.sample_weight}
        return _or_nan(
            lambda: _single_at_least(loss_of(model, **given)),
            lambda: [v.value for v in model.trainable_variables],  # a walk through all layers
        )

    def moved_by_a_forward_pass(self) -> tuple[list[keras.Variable], list[Tensor]]:
        """Return the variables that `loss_here` moves, and their values before the step's own forward pass.

        Among them are the running means that a loss of several outputs keeps; any value serves for those.
        """
        compiled, before = self._model._compile_loss, self._handed.non_trainable
        moved = self._model.non_trainable_variables if before else []  # a walk through all layers
        means = [v for metric in (compiled.metrics if compiled is not None else ()) for v in metric.variables]
        return [*moved, *means], [*before, *(v.value for v in means)]

    def _current(self) -> list[Tensor]:
        """Return the weights, in what optimizers compute in."""
        held = self._handed.trainable
        weights = [v.value for v in self._model.trainable_variables] if held is None else held
        return [ops.cast(w, lists.precision(weights)) for w in weights]

    def _training(self) -> dict[str, bool]:
        return {"training": True} if self._model._call_has_training_arg else {}

    def _forward(self, values: Tensors) -> tuple[Any, list[Tensor], Any]:
        """Return prediction, new statistics and losses of layers, from the seeds and statistics of the beginning."""
        handed = self._handed
        with draws.replay(handed.draws):
            return self._model.stateless_call(
                list(values), handed.non_trainable, handed.x, return_losses=True, **self._training()
            )

    def _losses_at(self, values: Tensors) -> Tensor:
        """Return the loss of each sample."""
        forward = self._forward(values)
        weight = self._handed.sample_weight
        samples = (self._handed.y, forward[0]) if weight is None else (self._handed.y, forward[0], weight)

        def loss_of_one(sample: Any) -> Tensor:
            y, y_pred, *weights = keras.tree.map_structure(lambda leaf: leaf[None], sample)
            return self._loss(values, forward, y, y_pred, weights[0] if weights else None)

        return ops.vectorized_map(loss_of_one, samples)

    def _loss(
        self, values: Tensors, forward: tuple[Any, list[Tensor], Any], y: Any, y_pred: Any, weight: Any
    ) -> Tensor:
        """Return the loss of some samples, as `compute_loss` of the model defines it."""
        _, non_trainable, losses = forward
        model = self._model
        metrics = self._handed.metrics or [v.value for v in model.metrics_variables]
        # The way Keras' own stateless step hands the losses of layers to `compute_loss`.
        model._losses_override.clear()
        if losses:
            model._losses_override = list(losses)
        try:
            loss, _ = model.stateless_compute_loss(
                list(values),
                non_trainable,
                metrics,
                x=self._handed.x,
                y=y,
                y_pred=y_pred,
                sample_weight=weight,
                training=True,
            )
        finally:
            model._losses_override.clear()
        return _single_at_least(loss)


def _single_at_least(loss: Tensor) -> Tensor:
    """Return the loss in float32, or in float64 where it is: half precision cannot tell neighbouring points apart."""
    dtype = keras.backend.standardize_dtype(loss.dtype)
    return loss if dtype in ("float32", "float64") else ops.cast(loss, "float32")


def _or_nan(loss: Callable[[], Tensor], weights: Callable[[], Tensors]) -> Tensor:
    """Return a loss, or where PyTorch refuses a prediction of NaN, NaN with gradients of NaN."""
    try:
        return loss()
    except RuntimeError as error:
        if not is_of_a_nan_predicted(error):
            raise
        return math.nan * sum(ops.sum(w * w) for w in weights())
