"""DoWG: distance over weighted gradients, where late gradients count for more as the distance grows.

A. Khaled, K. Mishchenko, C. Jin, *DoWG Unleashed: An Efficient Universal Parameter-Free Gradient Descent Method*,
2023, arXiv:2305.16284, algorithm 1.
"""

from typing import Any

import keras
from keras import ops

from keras_lr._arguments import check
from keras_lr._backends import lists
from keras_lr.optimizers._averaging import PolynomialAveraging
from keras_lr.optimizers._global import State, Tensors


@keras.saving.register_keras_serializable(package="keras_lr")
class DoWG(PolynomialAveraging):
    """Gradient descent whose step size is distance over weighted gradients.

    With ``r² = max(epsilon, ‖xᵢ - x₀‖², i ≤ t)`` and ``v ← v + r² ‖g‖²``: ``x ← x - r² / (√v + epsilon) · g``.
    It adapts to smoothness as well as to distance, and is noisier than DoG.

    Args:
        learning_rate: a factor on the step size that the method finds.
        epsilon: the first squared distance, so that the first step is about √epsilon long, and a guard of the
            division. 1e-4 is the authors'.
        **kwargs: ``average``, as in ``DoG``, and the arguments of ``keras.optimizers.Optimizer``.
            ``weight_decay · x`` is a part of g.

    Raises:
        ValueError: ``epsilon`` is not positive, or ``average`` is negative.

    Costs:
        Memory: one copy of the weights, and one more for the average.

    Reference:
        Khaled, Mishchenko, Jin 2023, https://arxiv.org/abs/2305.16284

    Example:
        >>> import keras
        >>> from keras_lr.optimizers import DoWG
        >>> weight, optimizer = keras.Variable([1.0]), DoWG()
        >>> for _ in range(100):  # the loss is (w - 3)^2 / 2, its gradient w - 3
        ...     optimizer.apply([weight - 3.0], [weight])
        >>> round(float(weight.numpy()[0]), 2), round(float(optimizer.learning_rate), 2)
        (3.0, 1.49)
    """

    arguments = ["epsilon"]
    tuning_free = True

    def __init__(self, learning_rate: Any = 1.0, *, epsilon: float = 1e-4, **kwargs: Any) -> None:
        super().__init__(learning_rate, **kwargs)
        self.epsilon = epsilon
        check(self, "epsilon", above=0.0)

    def build_state(self) -> None:
        super().build_state()
        self.add_scalar("squared_distance", self.epsilon)
        self.add_scalar("weighted_gradients")
        self.add_start("start")

    def descend(self, x: Tensors, g: Tensors, state: State, rate: Any) -> Tensors:
        g = self.with_decay(g, x, state)
        travelled = ops.sum(lists.distances(x, state.start))
        state.squared_distance = lists.larger(state.squared_distance, travelled)
        gained = state.squared_distance * ops.sum(lists.squares(g))
        state.weighted_gradients = state.weighted_gradients + gained
        found = state.squared_distance / (ops.sqrt(state.weighted_gradients) + self.epsilon)
        state.scale = found
        return lists.add_(x, g, -rate * found)
