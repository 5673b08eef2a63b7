"""D-Adaptation with plain gradients, in dual-averaging form.

A. Defazio, K. Mishchenko, *Learning-Rate-Free Learning by D-Adaptation*, 2023, arXiv:2301.07733, algorithm 3.
"""

from typing import Any

import keras
from keras import ops

from keras_lr._arguments import check
from keras_lr._backends import lists
from keras_lr.optimizers._estimate import EstimatingOptimizer
from keras_lr.optimizers._global import State, Tensors
from keras_lr.optimizers._refusals import refuse_weight_decay


@keras.saving.register_keras_serializable(package="keras_lr")
class DAdaptSGD(EstimatingOptimizer):
    """Gradient descent at the rate ``d / ‖g₀‖``, d the largest certified lower bound of ‖x₀ - x*‖.

    With λ = d · rate / ‖g₀‖: ``N ← N + λ ⟨g, s⟩``, ``s ← s + λ g``, ``d ← max(d, 2 N / ‖s‖)`` and
    ``x ← x + (1 - momentum) · (x₀ - s - x)``.

    Args:
        learning_rate: a multiplier of d, a float or a schedule.
        momentum: share of the old point that a step keeps; 0, the default, for none.
        initial_estimate: d₀; any small number does.
        growth_rate: d grows by at most this factor a step, without a limit by default; 1.02 makes a warm-up of it.
        **kwargs: the arguments of ``keras.optimizers.Optimizer``, except ``weight_decay``: the point is the start
            less a sum of gradients, so nothing else can shrink it.

    Raises:
        ValueError: an argument is out of its range; the message names it.

    Costs:
        Memory: 2 copies of the weights.

    Reference:
        Defazio, Mishchenko 2023, https://arxiv.org/abs/2301.07733

    Example:
        >>> import keras
        >>> from keras_lr.optimizers import DAdaptSGD
        >>> weight, optimizer = keras.Variable([1.0]), DAdaptSGD()
        >>> for _ in range(100):  # the loss is (w - 3)^2 / 2, its gradient w - 3, which is -2 at first
        ...     optimizer.apply([weight - 3.0], [weight])
        >>> round(float(weight.numpy()[0]), 2), round(2 * float(optimizer.learning_rate), 2)  # d, below the distance 2
        (3.0, 1.74)
    """

    arguments = ["momentum"]

    def __init__(
        self,
        learning_rate: Any = 1.0,
        *,
        momentum: float = 0.0,
        **kwargs: Any,
    ) -> None:
        refuse_weight_decay("DAdaptSGD", kwargs)
        super().__init__(learning_rate, **kwargs)
        self.momentum = momentum
        check(self, "momentum", least=0.0, below=1.0)

    def build_state(self) -> None:
        super().build_state()
        self.add_scalar("progress")
        self.add_scalar("first_norm")
        self.add_slot("pull")
        self.add_start("start")

    def step(self, x: Tensors, g: Tensors, state: State, rate: Any) -> Tensors:
        norm = ops.sqrt(ops.sum(lists.squares(g)))
        state.first_norm = ops.where(state.first_norm > 0, state.first_norm, norm)
        state.scale = lists.quotient(state.estimate, state.first_norm)
        found = state.scale * rate
        agreed = lists.dots(g, state.pull)
        (state.pull,) = lists.once_known(agreed, state.pull)
        state.progress = state.progress + ops.sum(found * agreed)
        state.pull = lists.add_(state.pull, g, found)
        candidate = 2.0 * lists.quotient(state.progress, ops.sqrt(ops.sum(lists.squares(state.pull))))
        state.estimate = self.raised(state, candidate)
        target = lists.add_(lists.copy(state.start), state.pull, -1.0)
        return lists.lerp_(x, target, 1.0 - self.momentum)
