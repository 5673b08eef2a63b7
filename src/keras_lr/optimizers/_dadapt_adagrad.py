"""D-Adaptation with AdaGrad's rates per parameter.

A. Defazio, K. Mishchenko, *Learning-Rate-Free Learning by D-Adaptation*, 2023, arXiv:2301.07733, algorithm 4.
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
class DAdaptAdaGrad(EstimatingOptimizer):
    """AdaGrad in dual-averaging form at the rate ``d``: for convex problems and sparse features.

    With λ = d · rate and A = √a + epsilon: ``a ← a + g²``, ``s ← s + λ g``, ``Q ← Q + λ² Σ g² / A``,
    ``d ← max(d, (Σ s² / A - Q) / ‖s‖₁)`` (the first sum followed through its changes) and
    ``x ← x + (1 - momentum) · (x₀ - s / A - x)``.

    Args:
        learning_rate: a multiplier of d, a float or a schedule.
        momentum: share of the old point that a step keeps; 0, the default, for none.
        epsilon: added to the root, in units of the gradient; 1e-6 is the authors', and ``a`` starts there too.
        initial_estimate: d₀; any small number does.
        growth_rate: d grows by at most this factor a step; without a limit by default.
        **kwargs: the arguments of ``keras.optimizers.Optimizer``, except ``weight_decay``: the point is the start
            less a scaled sum of gradients, so nothing else can shrink it.

    Raises:
        ValueError: an argument is out of its range; the message names it.

    Costs:
        Memory: 3 copies of the weights.

    Reference:
        Defazio, Mishchenko 2023, https://arxiv.org/abs/2301.07733

    Example:
        >>> import keras
        >>> from keras_lr.optimizers import DAdaptAdaGrad
        >>> weight, optimizer = keras.Variable([1.0]), DAdaptAdaGrad()
        >>> for _ in range(200):  # the loss is (w - 3)^2 / 2, its gradient w - 3; the way to go is 2
        ...     optimizer.apply([weight - 3.0], [weight])
        >>> round(float(weight.numpy()[0]), 2), round(float(optimizer.learning_rate), 2)
        (3.0, 1.97)
    """

    arguments = ["momentum", "epsilon"]

    def __init__(
        self,
        learning_rate: Any = 1.0,
        *,
        momentum: float = 0.0,
        epsilon: float = 1e-6,
        **kwargs: Any,
    ) -> None:
        refuse_weight_decay("DAdaptAdaGrad", kwargs)
        super().__init__(learning_rate, **kwargs)
        self.momentum = momentum
        self.epsilon = epsilon
        check(self, "momentum", least=0.0, below=1.0)
        check(self, "epsilon", least=0.0)

    def build_state(self) -> None:
        super().build_state()
        self.add_scalar("weighted_pull")
        self.add_scalar("weighted_gradients")
        self.add_slot("squares", 1e-6)
        self.add_slot("pull")
        self.add_start("start")

    def step(self, x: Tensors, g: Tensors, state: State, rate: Any) -> Tensors:
        d, found = state.estimate, state.estimate * rate
        state.scale = d
        before = lists.dots_over_root(state.pull, state.pull, state.squares, self.epsilon)
        state.pull, state.squares = lists.once_known(before, state.pull, state.squares)
        state.squares = lists.addcmul_(state.squares, g, g)
        seen = ops.sum(found * found * lists.dots_over_root(g, g, state.squares, self.epsilon))
        state.pull = lists.add_(state.pull, g, found)
        after = lists.dots_over_root(state.pull, state.pull, state.squares, self.epsilon)
        pulled = ops.sum(lists.norms(state.pull))
        state.weighted_pull = state.weighted_pull + ops.sum(after - before)
        state.weighted_gradients = state.weighted_gradients + seen
        candidate = lists.quotient(state.weighted_pull - state.weighted_gradients, pulled)
        state.estimate = self.raised(state, candidate)
        target = lists.copy(state.start)
        target = lists.addcdiv_(target, state.pull, lists.root(state.squares, self.epsilon), -1.0)
        return lists.lerp_(x, target, 1.0 - self.momentum)
