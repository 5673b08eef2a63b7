"""Sophia: momentum over curvature, clipped entry by entry.

H. Liu, Z. Li, D. Hall, P. Liang, T. Ma, *Sophia: A Scalable Stochastic Second-order Optimizer for Language Model
Pre-training*, 2023, arXiv:2305.14342, algorithm 3 with algorithm 1 (Hutchinson) for the curvature.
"""

from typing import Any

import keras
from keras import ops

from keras_lr._arguments import check
from keras_lr._backends import lists
from keras_lr.optimizers._global import State, Tensors
from keras_lr.optimizers._hessian_diagonal import CurvatureOptimizer


@keras.saving.register_keras_serializable(package="keras_lr")
class Sophia(CurvatureOptimizer):
    """Momentum divided by the diagonal of the Hessian and clipped to ±1. Experimental.

    ``m ← β₁ m + (1 - β₁) g``; every ``interval`` steps ``h ← β₂ h + (1 - β₂) u · (H u)`` for random signs u;
    ``x ← x - rate · clip(m / max(gamma h, epsilon), ±1)``. Call ``keras_lr.attach(model)`` after ``compile``. Neutral
    comparisons found no gain over a tuned AdamW, and divergence with small batches.

    Args:
        learning_rate: the rate; 0.8 of what suits AdamW.
        beta_1: decay of the momentum; 0.965 is the authors'.
        beta_2: decay of the curvature, once in ``interval`` steps; 0.99 is the authors'.
        gamma: share of the curvature; so that 10 to 50 % of the entries are not clipped.
        epsilon: smallest curvature; where it is less, or negative, the step is the sign of the momentum.
        interval: steps between two looks at the curvature; the authors' 10 keeps them cheap.
        seed: of the random probes.
        **kwargs: the arguments of ``keras.optimizers.Optimizer``; the authors take ``weight_decay=0.1``.

    Raises:
        ValueError: an argument is out of its range, or the model is not attached.

    Costs:
        Time: one product with the Hessian in ``interval`` steps, 5 to 15 % of a step. Memory: 2 copies of the weights.

    Reference:
        Liu et al. 2023, https://arxiv.org/abs/2305.14342

    Example:
        >>> import keras, keras_lr, numpy as np
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
        >>> model.compile(keras_lr.optimizers.Sophia(keras_lr.schedules.Linear(0.2, 150)), loss="mse")
        >>> x = np.linspace(-1, 1, 1600)[:, None]
        >>> history = keras_lr.attach(model).fit(x, 3 * x, epochs=3, verbose=0)
        >>> history.history["loss"][-1] < 0.2 * history.history["loss"][0]
        True
    """

    arguments = ["beta_1", "beta_2", "gamma", "epsilon", "interval"]

    def __init__(
        self,
        learning_rate: Any = 1e-3,
        *,
        beta_1: float = 0.965,
        beta_2: float = 0.99,
        gamma: float = 0.01,
        epsilon: float = 1e-12,
        interval: int = 10,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.gamma = gamma
        self.epsilon = epsilon
        self.interval = interval
        check(self, "beta_1", "beta_2", least=0.0, below=1.0)
        check(self, "gamma", "epsilon", above=0.0)
        check(self, "interval", least=1, whole=True)

    def build_state(self) -> None:
        super().build_state()
        self.add_slot("mean")
        self.add_slot("curvature")

    def step(self, x: Tensors, g: Tensors, state: State, rate: Any) -> Tensors:
        state.mean = lists.lerp_(state.mean, g, 1.0 - self.beta_1)
        signs = self.random_signs()  # drawn every step: a generator cannot move on in one branch alone
        state.curvature = ops.cond(
            ops.equal(self.count() % self.interval, 0),
            lambda: lists.lerp_(state.curvature, self.hessian_diagonal(state, signs), 1.0 - self.beta_2),
            lambda: state.curvature,
        )
        size = lists.clip_(lists.scale_(lists.copy(state.curvature), self.gamma), low=self.epsilon)
        move = lists.clip_(lists.under_(size, state.mean), low=-1.0, high=1.0)
        return lists.add_(self.decay_(x, state, rate), move, -rate)
