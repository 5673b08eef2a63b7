"""AdaHessian: Adam with the diagonal of the Hessian in place of the gradient in the second moment.

Z. Yao, A. Gholami, S. Shen, M. Mustafa, K. Keutzer, M. Mahoney, *ADAHESSIAN: An Adaptive Second Order Optimizer for
Machine Learning*, 2020, arXiv:2006.00719, algorithm 1 and equations 10 to 12.
"""

from typing import Any

import keras
from keras import ops

from keras_lr._arguments import check
from keras_lr._backends import lists
from keras_lr.optimizers._global import State, Tensors
from keras_lr.optimizers._hessian_diagonal import CurvatureOptimizer, window_mean
from keras_lr.optimizers._moments import gathered


@keras.saving.register_keras_serializable(package="keras_lr")
class AdaHessian(CurvatureOptimizer):
    """A rate for each parameter, the inverse of the curvature there.

    With h the absolute diagonal of the Hessian (one random probe a step, averaged over the inputs of a matrix or the
    window of a convolution): ``m ← β₁ m + (1 - β₁) g``, ``v ← β₂ v + (1 - β₂) h²`` and
    ``x ← x - rate · m̂ / (√v̂^power + epsilon)``. Call ``keras_lr.attach(model)`` after ``compile``.

    Args:
        learning_rate: the rate, 0.15 by default: curvature sets the scale.
        beta_1: decay of the mean of gradients; 0.9, as Adam's.
        beta_2: decay of the mean of squared curvatures; 0.999, as Adam's.
        epsilon: added to the root, in units of curvature where ``power`` is 1. The authors' 1e-4 bounds the steps
            where the loss is flat.
        power: 1, the method, is Newton-like; 0 is gradient descent.
        seed: of the random probes.
        **kwargs: the arguments of ``keras.optimizers.Optimizer``.

    Raises:
        ValueError: an argument is out of its range, or the model is not attached.

    Costs:
        Time: one product with the Hessian a step, 2 to 3 times a step of Adam. Memory: 2 copies of the weights, and
        about twice the activations. Layers without second derivatives (fused attention, cuDNN cells) fail.

    Reference:
        Yao et al. 2020, https://arxiv.org/abs/2006.00719

    Example:
        >>> import keras, keras_lr, numpy as np
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
        >>> model.compile(keras_lr.optimizers.AdaHessian(), loss="mse")
        >>> x = np.linspace(-1, 1, 1600)[:, None]
        >>> history = keras_lr.attach(model).fit(x, 3 * x, epochs=3, verbose=0)
        >>> history.history["loss"][-1] < 0.2 * history.history["loss"][0]
        True
    """

    arguments = ["beta_1", "beta_2", "epsilon", "power"]

    def __init__(
        self,
        learning_rate: Any = 0.15,
        *,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-4,
        power: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.power = power
        check(self, "beta_1", "beta_2", least=0.0, below=1.0)
        check(self, "epsilon", least=0.0)
        check(self, "power", least=0.0, most=1.0)

    def build_state(self) -> None:
        super().build_state()
        self.add_slot("mean")
        self.add_slot("mean_square")

    def step(self, x: Tensors, g: Tensors, state: State, rate: Any) -> Tensors:
        steps = self.count() + 1.0
        curvature = window_mean(self.hessian_diagonal(state, self.random_signs()))
        state.mean = lists.lerp_(state.mean, g, 1.0 - self.beta_1)
        state.mean_square = lists.scale_(state.mean_square, self.beta_2)
        state.mean_square = lists.addcmul_(state.mean_square, curvature, curvature, 1.0 - self.beta_2)
        scale = gathered(self.beta_2, steps) ** (self.power / 2.0)
        root = [v ** (self.power / 2.0) for v in state.mean_square]
        root = lists.add_(root, [ops.ones_like(v) for v in root], scale * self.epsilon)
        x = self.decay_(x, state, rate)
        return lists.addcdiv_(x, state.mean, root, -rate * scale / gathered(self.beta_1, steps))
