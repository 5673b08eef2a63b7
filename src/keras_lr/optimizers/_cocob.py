"""COCOB: each parameter bets on the sign of its next gradient, and its wealth is its step.

F. Orabona, T. Tommasi, *Training Deep Networks without Learning Rates Through Coin Betting*, 2017,
arXiv:1705.07795, algorithm 2 (COCOB-Backprop).
"""

from typing import Any

import keras

from keras_lr._arguments import check
from keras_lr._backends import lists
from keras_lr.optimizers._global import GlobalOptimizer, State, Tensors
from keras_lr.optimizers._refusals import refuse, refuse_weight_decay


@keras.saving.register_keras_serializable(package="keras_lr")
class COCOB(GlobalOptimizer):
    """Coin betting, parameter by parameter: there is no learning rate at all.

    ``L ← max(L, |g|)``, ``A ← A + |g|``, ``R ← max(R - g (x - x₀), 0)``, ``θ ← θ - g`` and
    ``x = x₀ + θ (L + R) / (L · max(A + L, alpha · L))``. Fast at first and strong on convex and tabular
    problems; behind a tuned Adam on deep networks.

    Args:
        alpha: the bets of about this many first steps are held back: a warm-up. 100 is the paper's.
        epsilon: the first L, in units of the gradient; any small number does.
        **kwargs: the arguments of ``keras.optimizers.Optimizer``, except ``weight_decay``: the point is the start
            plus a sum of gradients, so nothing else can shrink it; and ``learning_rate``, which would scale the
            distance from the start: a schedule would pull the weights back to it.

    Raises:
        ValueError: an argument is out of its range, ``weight_decay`` is set or ``learning_rate`` is not 1.

    Costs:
        Memory: 5 copies of the weights.

    Reference:
        Orabona, Tommasi 2017, https://arxiv.org/abs/1705.07795

    Example:
        >>> import keras
        >>> from keras_lr.optimizers import COCOB
        >>> weight, optimizer = keras.Variable([1.0]), COCOB()
        >>> for _ in range(100):  # the loss is (w - 3)^2 / 2, its gradient w - 3
        ...     optimizer.apply([weight - 3.0], [weight])
        >>> round(float(weight.numpy()[0]), 2)
        3.0
    """

    arguments = ["alpha", "epsilon"]
    takes_learning_rate = False

    def __init__(self, *, alpha: float = 100.0, epsilon: float = 1e-8, **kwargs: Any) -> None:
        refuse_weight_decay("COCOB", kwargs)
        if (rate := kwargs.get("learning_rate", 1.0)) != 1.0:
            refuse("COCOB", "learning_rate", rate, "which would pull each weight back to its start", "Leave it out.")
        super().__init__(**kwargs)
        self.alpha = alpha
        self.epsilon = epsilon
        check(self, "alpha", "epsilon", above=0.0)

    def build_state(self) -> None:
        self.add_slot("largest", self.epsilon)
        self.add_slot("sum_of_sizes")
        self.add_slot("reward")
        self.add_slot("bet")
        self.add_start("start")

    def step(self, x: Tensors, g: Tensors, state: State, rate: Any) -> Tensors:
        size = lists.abs_(lists.copy(g))
        state.largest = lists.maximum_(state.largest, size)
        state.sum_of_sizes = lists.add_(state.sum_of_sizes, size)
        state.bet = lists.add_(state.bet, g, -1.0)
        gained = lists.add_(x, state.start, -1.0)
        state.reward = lists.clip_(lists.addcmul_(state.reward, g, gained, -1.0), low=0.0)
        state.reward = lists.computed(state.reward)
        wealth = lists.add_(lists.copy(state.reward), state.largest)
        held = lists.maximum_(
            lists.add_(lists.copy(state.sum_of_sizes), state.largest),
            lists.scale_(lists.copy(state.largest), self.alpha),
        )
        share = lists.under_(lists.multiply_(held, state.largest), wealth)
        return lists.addcmul_(lists.copy(state.start), state.bet, share, rate)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "learning_rate": 1.0}
