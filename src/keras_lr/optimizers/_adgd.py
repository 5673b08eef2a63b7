"""AdGD: gradient descent that measures the curvature it has just walked through.

Y. Malitsky, K. Mishchenko, *Adaptive Gradient Descent without Descent*, 2020, arXiv:1910.09529, algorithm 1.
"""

from typing import Any

import keras
from keras import ops

from keras_lr._arguments import check
from keras_lr._backends import lists
from keras_lr.optimizers._global import GlobalOptimizer, State, Tensors


@keras.saving.register_keras_serializable(package="keras_lr")
class AdGD(GlobalOptimizer):
    """Gradient descent for full batches: no rate, no line search, converges on every smooth convex problem.

    ``λₖ = min(√(1 + θₖ₋₁) λₖ₋₁, ‖xₖ - xₖ₋₁‖ / (2 ‖∇f(xₖ) - ∇f(xₖ₋₁)‖))``, ``θₖ = λₖ / λₖ₋₁`` and ``x ← x - λₖ g``.
    Both gradients have to be of the same data: with mini-batches their difference is noise. After a step that rounding
    swallowed, λ doubles; without a gradient it stays.

    Args:
        learning_rate: a factor on the step size that the method finds; 1 is the method.
        initial_rate: the first step size; 1e-7, small, since the second step corrects it.
        **kwargs: the arguments of ``keras.optimizers.Optimizer``. ``weight_decay · x`` is a part of the gradient.

    Raises:
        ValueError: ``initial_rate`` is not positive.

    Costs:
        Memory: 2 copies of the weights.

    Reference:
        Malitsky, Mishchenko 2020, https://arxiv.org/abs/1910.09529

    Example:
        >>> import keras
        >>> from keras_lr.optimizers import AdGD
        >>> weight, optimizer = keras.Variable([1.0]), AdGD()
        >>> for _ in range(20):  # the loss is (w - 3)^2 / 2: its gradient w - 3, its curvature 1
        ...     optimizer.apply([weight - 3.0], [weight])
        >>> round(float(weight.numpy()[0]), 3), round(float(optimizer.learning_rate), 3)
        (3.0, 0.5)
    """

    arguments = ["initial_rate"]
    tuning_free = True

    def __init__(self, learning_rate: Any = 1.0, *, initial_rate: float = 1e-7, **kwargs: Any) -> None:
        super().__init__(learning_rate, **kwargs)
        self.initial_rate = initial_rate
        check(self, "initial_rate", above=0.0)

    def build_state(self) -> None:
        self.add_scalar("rate", self.initial_rate)
        self.add_scalar("growth", 1e9)  # θ₀ = ∞: the second step is limited by the curvature alone
        self.add_start("previous")
        self.add_slot("previous_gradient")

    def step(self, x: Tensors, g: Tensors, state: State, rate: Any) -> Tensors:
        g = self.with_decay(g, x, state)
        moved = ops.sqrt(ops.sum(lists.distances(x, state.previous)))
        turned = ops.sqrt(ops.sum(lists.distances(g, state.previous_gradient)))
        grown = ops.sqrt(1.0 + state.growth) * state.rate
        local = ops.where(turned > 0, 0.5 * lists.quotient(moved, turned), grown)
        # Where the weights stood still nothing was measured: rounding swallowed the step, or there was no gradient.
        blind = ops.where(ops.sum(lists.squares(g)) > 0, 2.0 * state.rate, state.rate)
        blind = ops.where(self.count() == 0, state.rate, blind)
        found = ops.where(moved > 0, lists.smaller(grown, local), blind)
        state.growth = ops.where(moved > 0, found / state.rate, state.growth)
        state.rate = state.scale = found
        state.previous, state.previous_gradient = lists.once_known(found, lists.copy(x), lists.copy(g))
        return lists.add_(x, g, -rate * found)
