"""Mechanic: learn how much of the way that another optimizer proposes should be gone.

A. Cutkosky, A. Defazio, H. Mehta, *Mechanic: A Learning Rate Tuner*, 2023, arXiv:2306.00144, algorithm 1, in the
form of its experiments (optax's ``mechanize``: h is clipped, the reference point is the first one seen).
"""

from typing import Any

import keras
from keras import ops

from keras_lr._arguments import Argument, check, number
from keras_lr._backends import lists
from keras_lr._backends.learning_rate_variable import refuse_several
from keras_lr.optimizers._global import GlobalOptimizer, State, Tensors
from keras_lr.optimizers._proposals import checked_optimizer, refuse_other_than_proposals, refuse_own_handling
from keras_lr.optimizers._refusals import refuse

CHANGES_THE_GRADIENT = (
    "clipnorm",
    "global_clipnorm",
    "clipvalue",
    "gradient_accumulation_steps",
    "use_ema",
    "loss_scale_factor",
)


@keras.saving.register_keras_serializable(package="keras_lr")
class Mechanic(GlobalOptimizer):
    """Run any optimizer at a nominal rate of 1 and learn the factor s of its displacement.

    With u the step that the inner optimizer proposes, Δ the sum of its steps and h = ⟨Δ, g + decay⟩, six discounts
    β = 0.9, ..., 0.999999 bet on the sign of h; their wealth over ``√v`` is s, and ``x = x₀ + s Δ``.

    Args:
        optimizer: any optimizer of Keras but one that normalises its step by the weights (LAMB, LARS) or makes them
            anew from a state of its own (Ftrl, ScheduleFreeAdamW), `PerLayer` or `Scheduled` around it included, or its
            name. Give it the rate 1.0, or a schedule that peaks there; its weight decay is part of what it proposes.
        decay: λ, a pull of s towards 0 that steadies it; 0.01 is the authors', 0 is none.
        initial_scale: s starts here: small, since it grows fast where the steps agree with the gradients.
        discounts: how many discounts bet, 1 - 0.1 to 1 - 0.1ⁿ; 6 is the authors'.
        epsilon: guards divisions.
        **kwargs: clipping, accumulation and the like, for the gradient that both optimizers see. ``learning_rate``
            and ``weight_decay`` belong to the inner optimizer.

    Raises:
        ValueError: an argument is out of its range or the inner optimizer's, or that one is none, itself clips,
            accumulates or averages, or is several.
        TypeError: the inner optimizer finds its own steps or weights, as those of this package do, or scales the loss.

    Costs:
        Memory: one copy of the weights beside what the inner optimizer holds, and one while a step is computed.

    Reference:
        Cutkosky, Defazio, Mehta 2023, https://arxiv.org/abs/2306.00144

    Example:
        >>> import keras
        >>> from keras_lr.optimizers import Mechanic
        >>> weight, optimizer = keras.Variable([1.0]), Mechanic(keras.optimizers.SGD(1.0, momentum=0.9))
        >>> for _ in range(300):  # the loss is (w - 3)^2 / 2, its gradient w - 3
        ...     optimizer.apply([weight - 3.0], [weight])
        >>> round(float(weight.numpy()[0]), 1), 0 < float(optimizer.learning_rate) < 0.1
        (3.0, True)
    """

    tuning_free = True

    def __init__(
        self,
        optimizer: keras.optimizers.Optimizer | str,
        *,
        decay: float = 1e-2,
        initial_scale: float = 1e-6,
        discounts: int = 6,
        epsilon: float = 1e-8,
        **kwargs: Any,
    ) -> None:
        for name in ("learning_rate", "weight_decay"):
            reason = "as it goes a part of the step of the optimizer inside it"
            refuse("Mechanic", name, kwargs.get(name), reason, "Give it to that optimizer.")
        optimizer = checked_optimizer("Mechanic", "optimizer", optimizer)
        decay = number(least=0.0)(decay, Argument("Mechanic", "decay"))
        refuse_other_than_proposals("Mechanic", optimizer)
        refuse_several(optimizer)
        refuse_own_handling("Mechanic", optimizer, CHANGES_THE_GRADIENT)
        super().__init__(**kwargs)
        self.optimizer = optimizer
        self.mechanic_decay = decay
        self.initial_scale = initial_scale
        self.discounts = discounts
        self.epsilon = epsilon
        check(self, "initial_scale", above=0.0)
        check(self, "discounts", least=1, whole=True)
        check(self, "epsilon", least=0.0)

    def build(self, variables: list[Any]) -> None:
        """Create the state of both optimizers."""
        if not self.built:
            self._refuse_replicas()
            self.optimizer.build(variables)
            super().build(variables)

    def build_state(self) -> None:
        shape = (self.discounts,)
        self.add_scalar("scales", self.initial_scale, shape)
        self.add_scalar("largest", 0.0, shape)
        self.add_scalar("squares", 0.0, shape)
        self.add_scalar("reward", 0.0, shape)
        self.add_start("start")

    def step(self, x: Tensors, g: Tensors, state: State, rate: Any) -> Tensors:
        total = ops.sum(state.scales)
        unit = 1.0 / (total + self.epsilon)
        size = ops.sqrt(ops.sum(lists.squares(g)) / (ops.sum(lists.squares(x)) + self.epsilon**2))
        decayed = lists.add_(lists.copy(g), x, self.mechanic_decay * total * size)
        agreed = ops.sum(lists.dots(decayed, x, minus=state.start))
        state.scales = self.bet(agreed * unit, state)
        state.scale = ops.sum(state.scales)
        displacement = lists.scale_(lists.add_(lists.copy(x), state.start, -1.0), unit)
        displacement = lists.add_(displacement, self.proposal(x, state), rate)
        return lists.add_(lists.copy(state.start), displacement, state.scale)

    def bet(self, agreed: Any, state: State) -> Any:
        """Return the scale that each discount has earned; ``agreed`` is the paper's h."""
        betas = [1.0 - 0.1**i for i in range(1, self.discounts + 1)]
        betas = ops.convert_to_tensor(betas, dtype=self.compute_dtype)
        agreed = agreed + ops.zeros_like(betas)
        clipped = ops.clip(agreed, -state.largest, state.largest)
        state.largest = lists.larger(betas * state.largest, ops.abs(agreed) + self.epsilon)
        state.squares = betas**2 * state.squares + agreed**2
        state.reward = betas * state.reward - clipped * state.scales
        wealth = self.initial_scale / self.discounts * state.largest + lists.larger(state.reward, 0.0)
        return wealth / (ops.sqrt(state.squares) + self.epsilon)

    def proposal(self, x: Tensors, state: State) -> Tensors:
        """Return the step of the inner optimizer, let loose on the weights; the caller overwrites them."""
        before = lists.copy(x)
        self.optimizer.apply(state.gradients, state.variables)
        moved = lists.copy(lists.read(state.variables, self.compute_dtype))
        return lists.add_(state.packing.pack(moved), before, -1.0)

    @property
    def variables(self) -> list[Any]:
        """The variables of both optimizers."""
        return [*self._variables, *self.optimizer.variables]

    def assign_rate(self, value: Any) -> None:
        """Give the inner optimizer the rate that makes this the effective one."""
        if self.built and not callable(value):
            scale = super().effective_rate(self._get_current_learning_rate())
            value = value / ops.where(scale > 0.0, scale, 1.0)
        self.optimizer.learning_rate = value

    def effective_rate(self, multiplier: Any) -> Any:
        """Return the inner optimizer's rate times s, and times the multiplier, which is a schedule's in `fit`."""
        return ops.cast(self.optimizer.learning_rate, "float32") * super().effective_rate(multiplier)

    def get_config(self) -> dict[str, Any]:
        own = {
            "optimizer": keras.saving.serialize_keras_object(self.optimizer),
            "decay": self.mechanic_decay,
            "initial_scale": self.initial_scale,
            "discounts": self.discounts,
            "epsilon": self.epsilon,
        }
        return {**super().get_config(), **own}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "Mechanic":
        """Rebuild from ``get_config``."""
        parts = keras.saving.deserialize_keras_object(config, custom_objects=custom_objects)
        factor = parts.pop("learning_rate")
        made = cls(**parts)
        keras.optimizers.Optimizer.learning_rate.fset(made, factor)
        return made

    def _refuse_replicas(self) -> None:
        strategy = getattr(self, "_distribution_strategy", None)
        if strategy is not None and strategy.num_replicas_in_sync > 1:
            raise ValueError(
                f"Mechanic runs another optimizer inside its own step, which would add the gradients of the "
                f"{strategy.num_replicas_in_sync} replicas of {type(strategy).__name__} twice. Use one replica, "
                "or Prodigy or DoG, which work on any number."
            )
