"""D-Adaptation with Lion's direction.

A. Defazio, K. Mishchenko, *Learning-Rate-Free Learning by D-Adaptation*, 2023, arXiv:2301.07733; the Lion form is
the authors' package, ``dadaptation`` 3.2.
"""

from typing import Any

import keras
from keras import ops

from keras_lr._arguments import check
from keras_lr._backends import lists
from keras_lr.optimizers._estimate import EstimatingOptimizer
from keras_lr.optimizers._global import State, Tensors


@keras.saving.register_keras_serializable(package="keras_lr")
class DAdaptLion(EstimatingOptimizer):
    """Lion at the rate ``d``. Experimental: its momentum hardly acts before d has grown.

    With u = sign(β₁ m + (1 - β₁) g), λ = d · rate and q = √β₂: ``x ← x - λ u``, ``m ← β₂ m + (1 - β₂) λ g``,
    ``r ← q r + (1 - q) λ ⟨u, s⟩``, ``s ← q s + (1 - q) λ u``, ``d ← max(d, r / ((1 - q) ‖s‖₁))``. m is in units of
    λ and the g beside it is not, so that u is the sign of the last gradient alone while d is small.

    Args:
        learning_rate: a multiplier of d, a float or a schedule.
        beta_1: weight of the momentum in the direction; 0.9, as Lion's.
        beta_2: decay of the momentum; 0.99, as Lion's.
        initial_estimate: d₀; any small number does.
        growth_rate: d grows by at most this factor a step; without a limit by default.
        **kwargs: the arguments of ``keras.optimizers.Optimizer``.

    Raises:
        ValueError: an argument is out of its range; the message names it.

    Costs:
        Memory: 2 copies of the weights.

    Reference:
        Defazio, Mishchenko 2023, https://arxiv.org/abs/2301.07733

    Example:
        >>> import keras
        >>> from keras_lr import schedules
        >>> from keras_lr.optimizers import DAdaptLion
        >>> weight, optimizer = keras.Variable([1.0]), DAdaptLion(schedules.Linear(1.0, 200))
        >>> for _ in range(200):  # the loss is (w - 3)^2 / 2, its gradient w - 3; steps shrink by the schedule alone
        ...     optimizer.apply([weight - 3.0], [weight])
        >>> round(float(weight.numpy()[0]), 1)
        3.0
    """

    arguments = ["beta_1", "beta_2"]

    def __init__(
        self,
        learning_rate: Any = 1.0,
        *,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        check(self, "beta_1", "beta_2", least=0.0, below=1.0)

    def build_state(self) -> None:
        super().build_state()
        self.add_scalar("progress")
        self.add_slot("momentum")
        self.add_slot("pull")

    def step(self, x: Tensors, g: Tensors, state: State, rate: Any) -> Tensors:
        d, q = state.estimate, self.beta_2**0.5
        found = d * rate
        state.scale = d
        direction = lists.sign_(lists.lerp_(lists.copy(state.momentum), g, 1 - self.beta_1))
        direction = lists.computed(direction)
        agreed = lists.dots(direction, state.pull)
        state.momentum, state.pull = lists.once_known(agreed, state.momentum, state.pull)
        x = lists.add_(self.decay_(x, state, found), direction, -found)
        state.momentum = lists.add_(lists.scale_(state.momentum, self.beta_2), g, (1 - self.beta_2) * found)
        gained = ops.sum(found * agreed)
        state.progress = q * state.progress + (1 - q) * gained
        state.pull = lists.add_(lists.scale_(state.pull, q), direction, (1 - q) * found)
        candidate = lists.quotient(state.progress, (1 - q) * ops.sum(lists.norms(state.pull)))
        state.estimate = self.raised(state, candidate)
        return x
