"""D-Adaptation with Adam's direction.

A. Defazio, K. Mishchenko, *Learning-Rate-Free Learning by D-Adaptation*, 2023, arXiv:2301.07733, algorithm 5.
"""

from typing import Any

import keras
from keras import ops

from keras_lr._arguments import check, check_flags
from keras_lr._backends import lists
from keras_lr.optimizers._estimate import EstimatingOptimizer
from keras_lr.optimizers._global import State, Tensors
from keras_lr.optimizers._moments import adam_correction


@keras.saving.register_keras_serializable(package="keras_lr")
class DAdaptAdam(EstimatingOptimizer):
    """Adam at the rate ``d``, the largest estimate so far of the distance ‖x₀ - x*‖.

    With λ = d · rate and q = √β₂: ``r ← q r + (1 - q) λ ⟨g, s / (√v + epsilon)⟩``, ``s ← q s + (1 - q) λ g``,
    ``d ← max(d, r / ((1 - q) ‖s‖₁))``; λ is inside the mean of gradients, and ``x ← x - m / (√v + epsilon)``.
    What bounds the distance from below for gradient descent only estimates it along Adam's steps, and may end above it.
    ``Prodigy`` is its successor and finds d sooner.

    Args:
        learning_rate: a multiplier of d, a float or a schedule.
        beta_1: decay of the mean of gradients; 0.9, as Adam's.
        beta_2: decay of the mean of squares; 0.999, as Adam's.
        epsilon: added to the root, in units of the gradient.
        initial_estimate: d₀; any small number does.
        growth_rate: d grows by at most this factor a step, without a limit by default; 1.02 makes a warm-up of it.
        bias_correction: multiply the rate by Adam's correction; off, as the authors have it.
        **kwargs: the arguments of ``keras.optimizers.Optimizer``. The authors take 2 to 4 times the usual
            ``weight_decay``.

    Raises:
        ValueError: an argument is out of its range; the message names it.

    Costs:
        Memory: 3 copies of the weights.

    Reference:
        Defazio, Mishchenko 2023, https://arxiv.org/abs/2301.07733

    Example:
        >>> import keras
        >>> from keras_lr.optimizers import DAdaptAdam
        >>> weight, optimizer = keras.Variable([1.0]), DAdaptAdam()
        >>> for _ in range(200):  # the loss is (w - 3)^2 / 2, its gradient w - 3; the way to go is 2
        ...     optimizer.apply([weight - 3.0], [weight])
        >>> round(float(weight.numpy()[0]), 2), round(float(optimizer.learning_rate), 2)
        (3.0, 3.99)
    """

    arguments = ["beta_1", "beta_2", "epsilon", "bias_correction"]

    def __init__(
        self,
        learning_rate: Any = 1.0,
        *,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        bias_correction: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.bias_correction = bias_correction
        check(self, "beta_1", "beta_2", least=0.0, below=1.0)
        check(self, "epsilon", least=0.0)
        check_flags(self, bias_correction=self.bias_correction)

    def build_state(self) -> None:
        super().build_state()
        self.add_scalar("progress")
        self.add_slot("mean")
        self.add_slot("mean_square")
        self.add_slot("pull")

    def step(self, x: Tensors, g: Tensors, state: State, rate: Any) -> Tensors:
        d, q = state.estimate, self.beta_2**0.5
        correction = adam_correction(self.beta_1, self.beta_2, self.count() + 1) if self.bias_correction else 1.0
        state.scale = d * correction
        common, found = state.scale * state.multiplier, state.scale * rate
        agreed = lists.dots_over_root(g, state.pull, state.mean_square, self.epsilon)
        state.mean_square, state.pull = lists.once_known(agreed, state.mean_square, state.pull)
        state.progress = q * state.progress + (1 - q) * ops.sum(found * agreed)
        state.mean = lists.add_(lists.scale_(state.mean, self.beta_1), g, (1 - self.beta_1) * found)
        state.mean_square = lists.scale_(state.mean_square, self.beta_2)
        state.mean_square = lists.addcmul_(state.mean_square, g, g, 1 - self.beta_2)
        state.pull = lists.add_(lists.scale_(state.pull, q), g, (1 - q) * common)
        pulled = ops.sum(lists.norms(state.pull) * state.factors)
        candidate = lists.quotient(state.progress, (1 - q) * pulled)
        state.estimate = self.raised(state, candidate)
        x = self.decay_(x, state, found)
        return lists.addcdiv_(x, state.mean, lists.root(state.mean_square, self.epsilon), -1.0)
