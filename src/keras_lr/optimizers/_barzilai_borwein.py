"""Barzilai-Borwein: the step size that makes 1 / rate the best one-number model of the Hessian.

J. Barzilai, J. Borwein, *Two-Point Step Size Gradient Methods*, IMA Journal of Numerical Analysis 8, 1988,
equations 5 and 6.
"""

from typing import Any

import keras
from keras import ops

from keras_lr._arguments import check, check_flags
from keras_lr._backends import lists
from keras_lr.optimizers._global import GlobalOptimizer, State, Tensors


@keras.saving.register_keras_serializable(package="keras_lr")
class BarzilaiBorwein(GlobalOptimizer):
    """Gradient descent for full batches with the rate of Barzilai and Borwein.

    With s = xₖ - xₖ₋₁ and y = gₖ - gₖ₋₁ the long rate is ``⟨s, s⟩ / |⟨s, y⟩|`` and the short one
    ``|⟨s, y⟩| / ⟨y, y⟩``; ``x ← x - rate · g``. Not monotone, and very fast near a minimum. Both gradients have to be
    of the same data: with mini-batches y is noise.

    Args:
        learning_rate: a factor on the rate that the method finds; 1 is the method.
        initial_rate: the rate of the first step, where there is no s yet; lower 1e-3 if that step diverges.
        short: take the short rate; steadier and slower than the long one, the default.
        smallest_rate: no rate is below this. The default binds seldom, as that of ``largest_rate``.
        largest_rate: no rate is above this; it is also the rate where y vanishes. Where s does, the rate before stays.
        **kwargs: the arguments of ``keras.optimizers.Optimizer``. ``weight_decay · x`` is a part of the gradient.

    Raises:
        ValueError: the rates are not positive and in order.

    Costs:
        Memory: 2 copies of the weights.

    Reference:
        Barzilai, Borwein 1988, https://doi.org/10.1093/imanum/8.1.141

    Example:
        >>> import keras
        >>> from keras_lr.optimizers import BarzilaiBorwein
        >>> weight, optimizer = keras.Variable([1.0]), BarzilaiBorwein()
        >>> for _ in range(2):  # the loss is 2 (w - 3)^2: its gradient 4 (w - 3), one over its curvature 0.25
        ...     optimizer.apply([4.0 * (weight - 3.0)], [weight])
        ...     print(round(float(weight.numpy()[0]), 3), round(float(optimizer.learning_rate), 3))
        1.008 0.001
        3.0 0.25
    """

    arguments = ["initial_rate", "short", "smallest_rate", "largest_rate"]
    tuning_free = True

    def __init__(
        self,
        learning_rate: Any = 1.0,
        *,
        initial_rate: float = 1e-3,
        short: bool = False,
        smallest_rate: float = 1e-10,
        largest_rate: float = 1e3,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.initial_rate = initial_rate
        self.short = short
        self.smallest_rate = smallest_rate
        self.largest_rate = largest_rate
        check(self, "smallest_rate", above=0.0)
        check(self, "initial_rate", least=smallest_rate, remedy="The bound is smallest_rate.")
        check(self, "largest_rate", least=initial_rate, remedy="The bound is initial_rate.")
        check_flags(self, short=self.short)

    def build_state(self) -> None:
        self.add_start("previous")
        self.add_slot("previous_gradient")

    def step(self, x: Tensors, g: Tensors, state: State, rate: Any) -> Tensors:
        g = self.with_decay(g, x, state)
        moved = lists.add_(lists.copy(x), state.previous, -1.0)
        turned = lists.add_(lists.copy(g), state.previous_gradient, -1.0)
        agreed, length = ops.abs(ops.sum(lists.dots(moved, turned))), ops.sum(lists.squares(moved))
        found = lists.quotient(agreed, ops.sum(lists.squares(turned))) if self.short else lists.quotient(length, agreed)
        unknown = ops.where(length > 0, self.largest_rate, state.scale)
        found = ops.where(found > 0, ops.clip(found, self.smallest_rate, self.largest_rate), unknown)
        found = state.scale = ops.where(self.count() == 0, self.initial_rate, found)
        state.previous, state.previous_gradient = lists.once_known(found, lists.copy(x), lists.copy(g))
        return lists.add_(x, g, -rate * found)
