"""MoMo: a Polyak step on a momentum average of the loss, capped by a rate.

F. Schaipp, R. Ohana, M. Eickenberg, A. Defazio, R. Gower, *MoMo: Momentum Models for Adaptive Learning Rates*, 2023,
arXiv:2305.07583, algorithms 1 (MoMo), 2 (MoMo-Adam) and 3 (the lower bound).
"""

from typing import Any

import keras
from keras import ops

from keras_lr._arguments import Argument, check, check_flags, number
from keras_lr._backends import lists
from keras_lr.optimizers._batch import NeedsBatch, batch_at_hand
from keras_lr.optimizers._global import GlobalOptimizer, State, Tensors
from keras_lr.optimizers._moments import gathered
from keras_lr.optimizers._refusals import refuse_clipping


@keras.saving.register_keras_serializable(package="keras_lr")
class MoMo(NeedsBatch, GlobalOptimizer):
    """Gradient descent with momentum whose step is the smaller of a rate and a Polyak step.

    With averages f̄, d, c of loss, gradient and ⟨g, x⟩: ``τ = min(rate, (f̄ - lower_bound - c + ⟨d, x⟩)₊ / ‖d‖²)`` and
    ``x ← x - τ d``. It needs the loss of the batch: call ``keras_lr.attach(model)`` after ``compile``.

    Args:
        learning_rate: the largest step, a float or a schedule. It may be far too large: that is the point.
        beta: decay of the averages; 0 looks at the batch at hand alone.
        lower_bound: what the loss cannot fall below, 0 for most losses.
        estimate_bound: raise the bound from what is seen, where the loss cannot reach it.
        **kwargs: the arguments of ``keras.optimizers.Optimizer``, except clipping, after which loss and gradient no
            longer belong to each other. ``weight_decay`` is the proximal form, ``x / (1 + rate · weight_decay)``.

    Raises:
        ValueError: an argument is out of its range, gradients are clipped, or the model is not attached.

    Costs:
        Memory: one copy of the weights. No evaluation beyond the step's own.

    Reference:
        Schaipp et al. 2023, https://arxiv.org/abs/2305.07583

    Example:
        >>> import keras, keras_lr, numpy as np
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
        >>> model.compile(keras_lr.optimizers.MoMo(100.0), loss="mse")  # far above what SGD can bear
        >>> x = np.linspace(-1, 1, 1600)[:, None]
        >>> history = keras_lr.attach(model).fit(x, 3 * x, epochs=3, verbose=0)
        >>> history.history["loss"][-1] < 0.2 * history.history["loss"][0]
        True
    """

    arguments = ["beta", "lower_bound", "estimate_bound"]

    def __init__(
        self,
        learning_rate: Any = 1.0,
        *,
        beta: float = 0.9,
        lower_bound: float = 0.0,
        estimate_bound: bool = False,
        **kwargs: Any,
    ) -> None:
        refuse_clipping(type(self).__name__, kwargs, "Leave it out: the step is bounded as it is.")
        super().__init__(learning_rate, **kwargs)
        self.beta = beta
        self.lower_bound = lower_bound
        self.estimate_bound = estimate_bound
        check(self, "beta", least=0.0, below=1.0)
        check(self, "lower_bound")
        check_flags(self, estimate_bound=self.estimate_bound)

    def build_state(self) -> None:
        self.add_scalar("mean_loss")
        self.add_scalar("mean_product")
        self.add_scalar("bound", self.lower_bound)
        self.add_slot("mean")

    def step(self, x: Tensors, g: Tensors, state: State, rate: Any) -> Tensors:
        # The averages start at the first value (algorithm 1), not at zero.
        count = self.count()
        weight = ops.where(count == 0, ops.ones_like(count), 1.0 - self.beta)
        self.remember(x, g, state, weight)
        step = self.polyak(x, state, lists.squares(state.mean), 1.0)
        x = lists.add_(x, state.mean, -step * state.factors)
        return self.shrunk_(x, state)

    def remember(self, x: Tensors, g: Tensors, state: State, weight: Any) -> None:
        """Bring the averages of loss, gradient and ⟨g, x⟩ up to date."""
        loss = ops.cast(batch_at_hand(self).loss, self.compute_dtype)
        state.mean_loss = state.mean_loss + weight * (loss - state.mean_loss)
        state.mean_product = state.mean_product + weight * (ops.sum(lists.dots(g, x)) - state.mean_product)
        state.mean = lists.lerp_(state.mean, g, weight)

    def polyak(self, x: Tensors, state: State, norms: Any, gathered_weight: Any) -> Any:
        """Return τ; ``norms`` are ‖d‖² in the metric of the method, one a variable."""
        shrinking = self.shrinking(state)
        products = lists.dots(state.mean, x)
        gap = state.mean_loss - state.mean_product + ops.sum(products / shrinking)
        if self.estimate_bound:
            reset = lists.larger(gap / (2.0 * gathered_weight), self.lower_bound)
            state.bound = ops.where(gap < gathered_weight * state.bound, reset, state.bound)
        polyak = lists.quotient(lists.larger(gap - gathered_weight * state.bound, 0.0), ops.sum(norms / shrinking))
        step = lists.smaller(state.multiplier / gathered_weight, polyak)
        state.scale = lists.quotient(step, state.multiplier)
        if self.estimate_bound:
            reached = state.mean_loss + ops.sum(products) - state.mean_product - 0.5 * step * ops.sum(norms)
            state.bound = lists.larger(reached / gathered_weight, self.lower_bound)
        return step

    def shrinking(self, state: State) -> Any:
        """Return what proximal weight decay divides by, 1 + rate · weight_decay; one a variable where some differ."""
        decay = self.decay(state)
        return 1.0 if decay is None else 1.0 + state.multiplier * state.factors * decay

    def shrunk_(self, x: Tensors, state: State) -> Tensors:
        """Return the weights after proximal weight decay."""
        return x if self.weight_decay is None else lists.scale_(x, 1.0 / self.shrinking(state))

    def assign_rate(self, value: Any) -> None:
        """Make a number, a schedule or a function the cap; what is read is the step that was taken last."""
        keras.optimizers.Optimizer.learning_rate.fset(self, value)


@keras.saving.register_keras_serializable(package="keras_lr")
class MoMoAdam(MoMo):
    """Adam whose step is the smaller of a rate and a Polyak step in Adam's metric.

    As ``MoMo`` with ``D = √v̂ + epsilon`` for the metric, averages that start at 0 and ρ = 1 - β₁ᵗ:
    ``τ = min(rate / ρ, (f̄ - ρ lower_bound - c + ⟨d, x⟩)₊ / Σ d² / D)`` and ``x ← x - τ d / D``. It needs the loss of
    the batch: call ``keras_lr.attach(model)`` after ``compile``.

    Args:
        learning_rate: the largest rate, a float or a schedule; 0.01, ten times Adam's default.
        beta_1: decay of the averages of loss and gradient; 0.9, as Adam's.
        beta_2: decay of the mean of squares; 0.999, as Adam's.
        epsilon: added to the root, in units of the gradient.
        lower_bound: what the loss cannot fall below, 0 for most losses.
        estimate_bound: raise the bound from what is seen, where the loss cannot reach it.
        **kwargs: as in ``MoMo``.

    Raises:
        ValueError: an argument is out of its range, gradients are clipped, or the model is not attached.

    Costs:
        Memory: 2 copies of the weights. No evaluation beyond the step's own.

    Reference:
        Schaipp et al. 2023, https://arxiv.org/abs/2305.07583

    Example:
        >>> import keras, keras_lr, numpy as np
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
        >>> model.compile(keras_lr.optimizers.MoMoAdam(100.0), loss="mse")  # far above what Adam can bear
        >>> x = np.linspace(-1, 1, 1600)[:, None]
        >>> history = keras_lr.attach(model).fit(x, 3 * x, epochs=3, verbose=0)
        >>> history.history["loss"][-1] < 0.2 * history.history["loss"][0]
        True
    """

    arguments = ["beta_2", "epsilon"]

    def __init__(
        self,
        learning_rate: Any = 1e-2,
        *,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        **kwargs: Any,
    ) -> None:
        beta_1 = number(least=0.0, below=1.0)(beta_1, Argument("MoMoAdam", "beta_1"))
        super().__init__(learning_rate, beta=beta_1, **kwargs)
        self.beta_2 = beta_2
        self.epsilon = epsilon
        check(self, "beta_2", least=0.0, below=1.0)
        check(self, "epsilon", least=0.0)

    def build_state(self) -> None:
        super().build_state()
        self.add_slot("mean_square")

    def step(self, x: Tensors, g: Tensors, state: State, rate: Any) -> Tensors:
        self.remember(x, g, state, 1.0 - self.beta)
        state.mean_square = lists.scale_(state.mean_square, self.beta_2)
        state.mean_square = lists.addcmul_(state.mean_square, g, g, 1.0 - self.beta_2)
        # d / (√(v / w) + ε) = √w d / (√v + √w ε)
        root = ops.sqrt(gathered(self.beta_2, self.count() + 1.0))
        scaled = lists.under_(lists.root(state.mean_square, root * self.epsilon), state.mean)
        state.passing = scaled
        norms = root * lists.dots(state.mean, scaled)
        step = self.polyak(x, state, norms, gathered(self.beta, self.count() + 1.0))
        x = lists.add_(x, scaled, -step * root * state.factors)
        return self.shrunk_(x, state)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config["beta_1"] = config.pop("beta")
        return config
