"""Hypergradient descent: the rate itself follows the gradient of the loss by the rate.

A. Baydin, R. Cornish, D. Martínez Rubio, M. Schmidt, F. Wood, *Online Learning Rate Adaptation with Hypergradient
Descent*, 2018, arXiv:1703.04782, algorithms 4 (SGD) and 5 (Adam); normalised as in W. Gao, Y.-C. Chu, Y. Ye, M. Udell,
*Gradient Methods with Online Scaling*, 2025, arXiv:2505.23081.
"""

from typing import Any

import keras
from keras import ops

from keras_lr._arguments import check
from keras_lr._backends import lists
from keras_lr.optimizers._global import GlobalOptimizer, State, Tensors
from keras_lr.optimizers._moments import adam_direction


class Hypergradient(GlobalOptimizer):
    """Base of optimizers whose rate grows while a gradient agrees with the step before it, and falls when not.

    Args:
        learning_rate: a multiplier of the rate that the method finds.
        initial_rate: the first rate.
        hyper_rate: β, the rate of the rate.
        **kwargs: as in ``GlobalOptimizer``.

    Raises:
        ValueError: a rate is not positive.
    """

    arguments = ["initial_rate", "hyper_rate"]

    def __init__(
        self, learning_rate: Any = 1.0, *, initial_rate: float = 1e-3, hyper_rate: float = 1e-4, **kwargs: Any
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.initial_rate = initial_rate
        self.hyper_rate = hyper_rate
        check(self, "initial_rate", "hyper_rate", above=0.0)

    def direction(self, g: Tensors, state: State) -> Tensors:
        """Return what is to be multiplied by the rate and subtracted, as a new list: the gradient."""
        return lists.copy(g)

    def build_state(self) -> None:
        self.add_scalar("rate", self.initial_rate)
        self.add_slot("previous")

    def step(self, x: Tensors, g: Tensors, state: State, rate: Any) -> Tensors:
        state.rate = state.scale = lists.larger(state.rate + self.change(g, state), 0.0)
        (state.previous,) = lists.once_known(state.rate, self.direction(g, state))
        x = self.decay_(x, state, rate * state.scale)
        return lists.add_(x, state.previous, -rate * state.scale)

    def change(self, g: Tensors, state: State) -> Any:
        """Return what is added to the rate, from this gradient and the step before (equation 5)."""
        return self.hyper_rate * ops.sum(lists.dots(g, state.previous))


@keras.saving.register_keras_serializable(package="keras_lr")
class HypergradientSGD(Hypergradient):
    """Gradient descent with ``rate ← rate + β ⟨gₖ, gₖ₋₁⟩``.

    β is as hard to choose as a rate, and the rates it leads to are too small where gradients are noisy.

    Args:
        learning_rate: a multiplier of the rate that the method finds.
        initial_rate: the first rate; β is small, so a rate that is far off stays so for long.
        hyper_rate: β, 1e-3 to 1e-6, in units of a rate over a squared gradient.
        **kwargs: the arguments of ``keras.optimizers.Optimizer``.

    Raises:
        ValueError: a rate is not positive.

    Costs:
        Memory: one copy of the weights.

    Reference:
        Baydin et al. 2018, https://arxiv.org/abs/1703.04782

    Example:
        >>> import keras
        >>> from keras_lr.optimizers import HypergradientSGD
        >>> weight, optimizer = keras.Variable([1.0]), HypergradientSGD(initial_rate=0.01, hyper_rate=1e-3)
        >>> for _ in range(2):  # the loss is (w - 3)^2 / 2; the gradients are -2 and -1.98
        ...     optimizer.apply([weight - 3.0], [weight])
        >>> round(float(optimizer.learning_rate), 5)  # 0.01 + 1e-3 * 2 * 1.98
        0.01396
    """


@keras.saving.register_keras_serializable(package="keras_lr")
class HypergradientAdam(Hypergradient):
    """Adam with ``rate ← rate + β ⟨gₖ, uₖ₋₁⟩``, u the step of Adam for a rate of 1.

    Args:
        learning_rate: a multiplier of the rate that the method finds.
        initial_rate: the first rate; 1e-3, as Adam's.
        hyper_rate: β, 1e-7 to 1e-8, in units of a rate over a gradient.
        beta_1: decay of the mean of gradients; 0.9, as Adam's.
        beta_2: decay of the mean of squares; 0.999, as Adam's.
        epsilon: added to the root, in units of the gradient.
        **kwargs: the arguments of ``keras.optimizers.Optimizer``.

    Raises:
        ValueError: an argument is out of its range.

    Costs:
        Memory: 3 copies of the weights.

    Reference:
        Baydin et al. 2018, https://arxiv.org/abs/1703.04782

    Example:
        >>> import keras
        >>> from keras_lr.optimizers import HypergradientAdam
        >>> weight, optimizer = keras.Variable([1.0]), HypergradientAdam(initial_rate=0.01, hyper_rate=1e-3)
        >>> for _ in range(10):  # the loss is (w - 3)^2 / 2, its gradient w - 3; the steps agree, so the rate grows
        ...     optimizer.apply([weight - 3.0], [weight])
        >>> round(float(weight.numpy()[0]), 2), round(float(optimizer.learning_rate), 3)
        (1.19, 0.027)
    """

    arguments = ["beta_1", "beta_2", "epsilon"]

    def __init__(
        self,
        learning_rate: Any = 1.0,
        *,
        hyper_rate: float = 1e-7,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, hyper_rate=hyper_rate, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        check(self, "beta_1", "beta_2", least=0.0, below=1.0)
        check(self, "epsilon", least=0.0)

    def build_state(self) -> None:
        super().build_state()
        self.add_slot("mean")
        self.add_slot("mean_square")

    def direction(self, g: Tensors, state: State) -> Tensors:
        return adam_direction(g, state, self.beta_1, self.beta_2, self.epsilon, self.count() + 1.0)


@keras.saving.register_keras_serializable(package="keras_lr")
class NormalizedHypergradient(Hypergradient):
    """Gradient descent with a hypergradient that knows no units: ``⟨gₖ, gₖ₋₁⟩ / ‖gₖ₋₁‖²``, learned by AdaGrad.

    ``h = ⟨gₖ, gₖ₋₁⟩ / ‖gₖ₋₁‖²``, ``s ← s + h²``, ``rate ← rate + β h / √s``: the loss may be multiplied by anything.
    For full batches, where online scaling rivals quasi-Newton methods on convex problems; nothing is known of
    mini-batches.

    Args:
        learning_rate: a multiplier of the rate that the method finds.
        initial_rate: the first rate.
        hyper_rate: β, in units of the rate: what the first step may change it by. The default is ``initial_rate``'s.
        **kwargs: the arguments of ``keras.optimizers.Optimizer``.

    Raises:
        ValueError: a rate is not positive.

    Costs:
        Memory: one copy of the weights.

    Reference:
        Gao et al. 2025, https://arxiv.org/abs/2505.23081

    Example:
        >>> import keras
        >>> from keras_lr.optimizers import NormalizedHypergradient
        >>> weight, optimizer = keras.Variable([1.0]), NormalizedHypergradient(initial_rate=0.01, hyper_rate=0.1)
        >>> for _ in range(20):  # the loss is (w - 3)^2 / 2, its gradient w - 3
        ...     optimizer.apply([weight - 3.0], [weight])
        >>> round(float(weight.numpy()[0]), 2), round(float(optimizer.learning_rate), 2)
        (3.0, 0.62)
    """

    def __init__(self, learning_rate: Any = 1.0, *, hyper_rate: float = 1e-3, **kwargs: Any) -> None:
        super().__init__(learning_rate, hyper_rate=hyper_rate, **kwargs)

    def build_state(self) -> None:
        super().build_state()
        self.add_scalar("seen")

    def change(self, g: Tensors, state: State) -> Any:
        agreement = lists.quotient(ops.sum(lists.dots(g, state.previous)), ops.sum(lists.squares(state.previous)))
        state.seen = state.seen + agreement**2
        return self.hyper_rate * lists.quotient(agreement, ops.sqrt(state.seen))
