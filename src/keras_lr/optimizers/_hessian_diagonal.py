"""Hutchinson's estimate of the diagonal of the Hessian: diag(H) = E[u · (H u)] for random signs u."""

import math
from typing import Any

import keras
from keras import ops

from keras_lr._arguments import check_seed
from keras_lr._backends import lists
from keras_lr.optimizers._batch import NeedsBatch, batch_at_hand
from keras_lr.optimizers._global import GlobalOptimizer, State, Tensors


class CurvatureOptimizer(NeedsBatch, GlobalOptimizer):
    """Base of optimizers that ask for the Hessian of the batch: the model has to be attached.

    Args:
        learning_rate: as in ``GlobalOptimizer``.
        seed: of the random signs.
        **kwargs: as in ``GlobalOptimizer``.
    """

    arguments = ["seed"]
    packs = False

    def __init__(self, learning_rate: Any, *, seed: int = 0, **kwargs: Any) -> None:
        check_seed(type(self).__name__, seed)
        super().__init__(learning_rate, **kwargs)
        self.seed = seed
        self.signs = keras.random.SeedGenerator(seed)

    def build_state(self) -> None:
        self._track_variable(self.signs.state)

    def random_signs(self) -> Tensors:
        """Return u, one tensor for each variable of the model."""
        return [self._random_signs(v.shape) for v in self._trainable_variables]

    def hessian_diagonal(self, state: State, signs: Tensors) -> Tensors:
        """Return u · (H u), one tensor for each variable of the step. Costs about two gradients."""
        asked = self.in_training()
        products = batch_at_hand(self).hessian_vector_product([signs[i] for i in asked])
        place = {i: at for at, i in enumerate(asked)}
        present = [self._get_variable_index(v) for v in state.variables]
        products = lists.to_dtype([products[place[i]] for i in present], self.compute_dtype)
        return lists.multiply_(products, [signs[i] for i in present])

    def _random_signs(self, shape: tuple[int, ...]) -> Any:
        uniform = keras.random.uniform(shape, -1.0, 1.0, dtype=self.compute_dtype, seed=self.signs)
        return ops.where(uniform < 0.0, -ops.ones_like(uniform), ops.ones_like(uniform))


def window_mean(diagonal: Tensors) -> Tensors:
    """Return |diagonal| averaged over the inputs of a matrix, or the window of a convolution; vectors stay."""
    return [_averaged(ops.abs(d)) for d in diagonal]


def _averaged(size: Any) -> Any:
    rank = len(size.shape)
    if rank < 2:
        return size
    axes = (0,) if rank == 2 else tuple(range(rank - 2))
    mean = ops.sum(size, axis=axes, keepdims=True) / math.prod(size.shape[axis] for axis in axes)
    return ops.broadcast_to(mean, size.shape)
