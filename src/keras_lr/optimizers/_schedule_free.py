"""Schedule-Free: averaging in place of decay, so that no horizon has to be known.

A. Defazio, X. Yang, H. Mehta, K. Mishchenko, A. Khaled, A. Cutkosky, *The Road Less Scheduled*, 2024,
arXiv:2405.15682, algorithm 1 (with AdamW) and equations 2 to 4. Refined: M. Song, B. Baek, K. Ahn, C. Yun,
*Through the River*, 2025, arXiv:2507.09846.
"""

from typing import Any

import keras
from keras import ops

from keras_lr._arguments import check
from keras_lr._backends import lists
from keras_lr.optimizers._averaging import AveragingOptimizer
from keras_lr.optimizers._global import State, Tensors
from keras_lr.optimizers._moments import gathered
from keras_lr.optimizers._refusals import refuse


class ScheduleFree(AveragingOptimizer):
    """Base of the Schedule-Free family: a step on z, a mean x of the z, gradients at y in between.

    With l the rate, warmed up, and weights ``w = (k + 1)^weight_power · (max l)^rate_power``, ``c = w / Σ w``:
    ``y ← y + c (z - y) + l (β (1 - c) - 1) u``, ``z ← z - l u``. The model holds y while it trains and
    ``x = (y - (1 - β) z) / β`` when ``fit`` ends. u is the direction: the gradient, scaled by the form at hand,
    and ``weight_decay · y``.

    Args:
        learning_rate: the rate l, constant; 1 to 10 times what suits AdamW, 10 to 50 times what suits SGD.
        interpolation: β, how much of the average is in the point where gradients are taken. 0.9; 0.95 or
            0.98 for long runs.
        warmup_steps: the rate rises from 1 / warmup_steps to 1 times learning_rate over so many steps.
        weight_power: r, weighs late points more by a power of the step.
        rate_power: weighs points by this power of the largest rate so far: warm-up counts for little.
        decoupling: C of the refined form: c becomes ``min(1, c (1 - β) C)``, which sets the span of the average
            apart from β. 1 / (1 - β) is the original; 50 to 200 for large batches. None is the original.
        **kwargs: the arguments of ``keras.optimizers.Optimizer``. Clipping helps.

    Raises:
        ValueError: an argument is out of its range; the message names it.
    """

    arguments = ["interpolation", "warmup_steps", "weight_power", "rate_power", "decoupling"]

    def __init__(
        self,
        learning_rate: Any,
        *,
        interpolation: float = 0.9,
        warmup_steps: float = 0,
        weight_power: float = 0.0,
        rate_power: float = 2.0,
        decoupling: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.interpolation = interpolation
        self.warmup_steps = warmup_steps
        self.weight_power = weight_power
        self.rate_power = rate_power
        self.decoupling = decoupling
        check(self, "interpolation", above=0.0, below=1.0)
        check(self, "warmup_steps", least=0)
        check(self, "weight_power", "rate_power", least=0.0)
        if decoupling is not None:
            check(self, "decoupling", above=0.0)

    def direction(self, g: Tensors, state: State) -> Tensors:
        """Return u but for the weight decay, as a new list."""
        raise NotImplementedError

    def build_state(self) -> None:
        super().build_state()
        self.add_scalar("largest_rate")
        self.add_scalar("weights")
        self.add_start("z")

    def step(self, y: Tensors, g: Tensors, state: State, rate: Any) -> Tensors:
        state.scale = self.rate_factor(y, g, state)
        share = self.averaging_share(state)
        u, decay = self.direction(g, state), self.decay(state)
        if decay is not None:
            u = lists.add_(u, y, decay)
        found = rate * state.scale
        state.z = lists.add_(state.z, u, -found)
        y = lists.lerp_(y, state.z, share)
        return lists.add_(y, u, -found * (1.0 - share) * (1.0 - self.interpolation))

    def rate_factor(self, y: Tensors, g: Tensors, state: State) -> Any:
        """Return what multiplies the rate at this step: the warm-up, in (0, 1]."""
        return lists.smaller((self.count() + 1.0) / max(self.warmup_steps, 1), 1.0)

    def averaging_share(self, state: State) -> Any:
        """Return c, the share of the newest z in the mean."""
        state.largest_rate = lists.larger(state.largest_rate, state.scale * state.multiplier)
        weight = (self.count() + 1.0) ** self.weight_power * state.largest_rate**self.rate_power
        state.weights = state.weights + weight
        share = lists.quotient(weight, state.weights)
        if self.decoupling is not None:
            share = lists.smaller(share * ((1.0 - self.interpolation) * self.decoupling), 1.0)
        return share

    def to_average_(self, x: Tensors, state: State, on: Any) -> Tensors:
        return lists.where_(on == 1.0, lambda x, z: lists.lerp_(x, z, 1.0 - 1.0 / self.interpolation), x, state.z)

    def to_training_(self, x: Tensors, state: State, on: Any) -> Tensors:
        return lists.where_(on == 1.0, lambda x, z: lists.lerp_(x, z, 1.0 - self.interpolation), x, state.z)


@keras.saving.register_keras_serializable(package="keras_lr")
class ScheduleFreeSGD(ScheduleFree):
    """Schedule-Free gradient descent: ``u = g + weight_decay · y``.

    Args:
        learning_rate: the rate, 1.0 by default: 10 to 50 times what suits SGD with a schedule.
        **kwargs: ``interpolation`` (0.9), ``warmup_steps`` (0), ``weight_power`` (0), ``rate_power`` (2) and
            ``decoupling`` (None), as in ``ScheduleFree``, and the arguments of ``keras.optimizers.Optimizer``.

    Raises:
        ValueError: an argument is out of its range; the message names it.

    Costs:
        Memory: one copy of the weights. Evaluation within ``fit`` at the average, and BatchNormalization, need
        ``keras_lr.callbacks.AveragedWeights``.

    Reference:
        Defazio et al. 2024, https://arxiv.org/abs/2405.15682

    Example:
        >>> import keras
        >>> from keras_lr.optimizers import ScheduleFreeSGD
        >>> weight, optimizer = keras.Variable([1.0]), ScheduleFreeSGD(0.5)
        >>> for _ in range(5):  # the loss is (w - 3)^2 / 2, its gradient w - 3
        ...     optimizer.apply([weight - 3.0], [weight])
        >>> trained = round(float(weight.numpy()[0]), 2)
        >>> optimizer.use_average()  # as at the end of `fit`
        >>> trained, round(float(weight.numpy()[0]), 2)
        (2.8, 2.75)
    """

    def __init__(self, learning_rate: Any = 1.0, **kwargs: Any) -> None:
        super().__init__(learning_rate, **kwargs)

    def direction(self, g: Tensors, state: State) -> Tensors:
        return g if self.weight_decay is None else lists.copy(g)


@keras.saving.register_keras_serializable(package="keras_lr")
class ScheduleFreeAdamW(ScheduleFree):
    """Schedule-Free AdamW: ``u = g / (√v̂ + epsilon) + weight_decay · y``, and no first moment.

    Args:
        learning_rate: the rate, 0.0025 by default: 1 to 10 times what suits AdamW.
        beta_2: decay of the mean of squares; 0.999, as AdamW's.
        epsilon: added to the root, in units of the gradient.
        **kwargs: as in ``ScheduleFreeSGD``.

    Raises:
        ValueError: an argument is out of its range; the message names it.

    Costs:
        Memory: 2 copies of the weights, as Adam. Evaluation within ``fit`` at the average, and
        BatchNormalization, need ``keras_lr.callbacks.AveragedWeights``.

    Reference:
        Defazio et al. 2024, https://arxiv.org/abs/2405.15682

    Example:
        >>> import keras
        >>> from keras_lr.optimizers import ScheduleFreeAdamW
        >>> weight, optimizer = keras.Variable([1.0]), ScheduleFreeAdamW(0.5)
        >>> for _ in range(100):  # the loss is (w - 3)^2 / 2, its gradient w - 3
        ...     optimizer.apply([weight - 3.0], [weight])
        >>> optimizer.use_average()  # as at the end of `fit`
        >>> round(float(weight.numpy()[0]), 2)
        3.0
    """

    arguments = ["beta_2", "epsilon"]

    def __init__(
        self, learning_rate: Any = 0.0025, *, beta_2: float = 0.999, epsilon: float = 1e-8, **kwargs: Any
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.beta_2 = beta_2
        self.epsilon = epsilon
        check(self, "beta_2", least=0.0, below=1.0)
        check(self, "epsilon", least=0.0)

    def build_state(self) -> None:
        super().build_state()
        self.add_slot("mean_square")

    def direction(self, g: Tensors, state: State) -> Tensors:
        state.mean_square = lists.scale_(state.mean_square, self.beta_2)
        state.mean_square = lists.addcmul_(state.mean_square, g, g, 1.0 - self.beta_2)
        # g / (√(v / w) + ε) = √w g / (√v + √w ε): the correction is a number, not a pass over the weights.
        root = ops.sqrt(gathered(self.beta_2, self.count() + 1.0))
        state.passing = lists.under_(lists.root(state.mean_square, root * self.epsilon), g)
        return lists.scale_(state.passing, root)


@keras.saving.register_keras_serializable(package="keras_lr")
class ScheduleFreeRAdam(ScheduleFreeAdamW):
    """Schedule-Free AdamW warmed up by RAdam's rectifier: nothing moves until v can be trusted.

    The rate is multiplied by ``√((ρ - 4)(ρ - 2) ρ∞ / ((ρ∞ - 4)(ρ∞ - 2) ρ))`` where
    ``ρ = ρ∞ - 2 t β₂ᵗ / (1 - β₂ᵗ)`` exceeds 4, and by 0 before (about five steps), ``ρ∞ = 2 / (1 - β₂) - 1``.

    Args:
        learning_rate: the rate, 0.0025 by default.
        **kwargs: as in ``ScheduleFreeAdamW``, except ``warmup_steps``: the rectifier is the warm-up.

    Raises:
        ValueError: ``warmup_steps`` is given, ``beta_2`` is 0.6 or less, where the rectifier never lets go, or an
            argument is out of its range.

    Costs:
        Memory: 2 copies of the weights. Evaluation within ``fit`` at the average, and BatchNormalization, need
        ``keras_lr.callbacks.AveragedWeights``.

    Reference:
        Defazio et al. 2024, https://arxiv.org/abs/2405.15682; Liu et al. 2019, https://arxiv.org/abs/1908.03265

    Example:
        >>> import keras
        >>> from keras_lr.optimizers import ScheduleFreeRAdam
        >>> weight, optimizer = keras.Variable([1.0]), ScheduleFreeRAdam(0.5)
        >>> for _ in range(6):  # the loss is (w - 3)^2 / 2, its gradient w - 3
        ...     optimizer.apply([weight - 3.0], [weight])
        ...     print(round(float(weight.numpy()[0]), 3), end=" ")
        1.0 1.0 1.0 1.0 1.009 1.018
    """

    def __init__(self, learning_rate: Any = 0.0025, **kwargs: Any) -> None:
        warmup, remedy = kwargs.get("warmup_steps") or None, "ScheduleFreeAdamW takes a warm-up of your own."
        refuse("ScheduleFreeRAdam", "warmup_steps", warmup, "as its rectifier warms up", remedy)
        super().__init__(learning_rate, **kwargs)
        # Up to 0.6, v is never a mean of more than 4 squares.
        check(self, "beta_2", above=0.6, below=1.0, remedy="ScheduleFreeAdamW takes less.")

    def rate_factor(self, y: Tensors, g: Tensors, state: State) -> Any:
        limit = 2.0 / (1.0 - self.beta_2) - 1.0
        steps = self.count() + 1.0
        weight = gathered(self.beta_2, steps)
        length = limit - 2.0 * steps * (1.0 - weight) / weight
        trusted = lists.larger(length, 4.0)
        ratio = (trusted - 4.0) * (trusted - 2.0) * limit / ((limit - 4.0) * (limit - 2.0) * trusted)
        return ops.sqrt(ratio)
