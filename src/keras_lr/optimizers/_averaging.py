"""Optimizers that train at one point and are to be judged at another: an average of the points they visited.

The weights of the model are the training point while ``fit`` runs and the average when it ends. A flag among the
optimizer's variables says which of the two the model holds, so that a saved model, whichever it holds, is
continued from the right point. ``keras_lr.callbacks.AveragedWeights`` moves to the average for evaluation too.
"""

from collections.abc import Callable
from typing import Any

from keras import ops

from keras_lr._arguments import check
from keras_lr._backends import lists
from keras_lr.optimizers._failed_step import lost
from keras_lr.optimizers._global import GlobalOptimizer, State, Tensors
from keras_lr.optimizers._refusals import refuse


class AveragingOptimizer(GlobalOptimizer):
    """Base of optimizers whose result is an average of the weights.

    Args:
        learning_rate: as in ``GlobalOptimizer``.
        **kwargs: as in ``GlobalOptimizer``, except ``use_ema``, which would be a second average.

    Raises:
        ValueError: ``use_ema`` is set.
    """

    def __init__(self, learning_rate: Any = 1.0, **kwargs: Any) -> None:
        reason = "which would overwrite its own average of the weights with another"
        refuse(type(self).__name__, "use_ema", kwargs.get("use_ema") or None, reason, "Leave it out.")
        super().__init__(learning_rate, **kwargs)

    def to_average_(self, x: Tensors, state: State, on: Any) -> Tensors:
        """Return the average where ``on`` is 1 (x where it is 0); ``state`` may hold what the way back needs."""
        raise NotImplementedError

    def to_training_(self, x: Tensors, state: State, on: Any) -> Tensors:
        """Return the training point from the average where ``on`` is 1 (x where it is 0)."""
        raise NotImplementedError

    def build_state(self) -> None:
        self.add_scalar("at_average")

    def resume_(self, x: Tensors, g: Tensors, state: State) -> Tensors:
        x = self.to_training_(x, state, lists.after(state.at_average, g))
        state.at_average = ops.zeros_like(state.at_average)
        return x

    @property
    def holds_training_point(self) -> bool:
        """Whether the model holds the training point and there is an average that it is not."""
        return self.built and _number(self.iterations) > 0.0 and _number(self._numbers["at_average"]) == 0.0

    def use_average(self) -> None:
        """Put the averaged weights in the model; nothing happens where they are there already."""
        if self.holds_training_point:
            self._move(self.to_average_, 1.0)

    def use_training(self) -> None:
        """Put the training point back in the model; nothing happens where it is there already."""
        if self.built and _number(self._numbers["at_average"]) == 1.0:
            self._move(self.to_training_, 0.0)

    def finalize_variable_values(self, var_list: list[Any]) -> None:
        """End ``fit`` at the averaged weights."""
        if not lost(self):
            self.use_average()

    @lists.without_gradients
    def _move(self, way: Callable[[Tensors, State, Any], Tensors], arrived: float) -> None:
        present = self.in_training()
        variables = [self._trainable_variables[i] for i in present]
        packing = self._packing_of(present)
        before = self._read(packing, present)
        state = State(packing=packing, **before)
        on = ops.ones_like(state.at_average)
        x = way(packing.pack(lists.read(variables, self.compute_dtype)), state, on)
        state.at_average = on * arrived
        self._write(before, state, present)
        lists.write(variables, packing.unpack(x))


def _number(variable: Any) -> float:
    return float(ops.convert_to_numpy(variable))  # TensorFlow has no other way for a variable of several replicas


class PolynomialAveraging(AveragingOptimizer):
    """Base of optimizers that end at the polynomial average of their points.

    ``x̄ₜ = x̄ₜ₋₁ + (1 + γ) / (t + γ) · (xₜ - x̄ₜ₋₁)`` for t = 1, 2, ... (Shamir, Zhang 2013, arXiv:1212.1824).

    Args:
        learning_rate: as in ``GlobalOptimizer``.
        average: γ; greater weighs late points more, 0 is the plain mean. None keeps no average.
        **kwargs: as in ``AveragingOptimizer``.

    Raises:
        ValueError: ``average`` is negative.

    Costs:
        Memory: one copy of the weights.
    """

    arguments = ["average"]

    def __init__(self, learning_rate: Any = 1.0, *, average: float | None = 8.0, **kwargs: Any) -> None:
        super().__init__(learning_rate, **kwargs)
        self.average = average
        if average is not None:
            check(self, "average", least=0.0)

    def descend(self, x: Tensors, g: Tensors, state: State, rate: Any) -> Tensors:
        """Return the next point: ``step`` of a method whose points are averaged."""
        raise NotImplementedError

    def build_state(self) -> None:
        super().build_state()
        if self.average is not None:
            self.add_average("averaged")

    def step(self, x: Tensors, g: Tensors, state: State, rate: Any) -> Tensors:
        x = self.descend(x, g, state, rate)
        if self.average is not None:
            weight = (1.0 + self.average) / (self.count() + 1.0 + self.average)
            state.averaged = lists.lerp_(state.averaged, x, weight)
        return x

    def to_average_(self, x: Tensors, state: State, on: Any) -> Tensors:
        if self.average is not None:
            x, state.averaged = lists.swap_where_(x, state.averaged, on == 1.0)
        return x

    to_training_ = to_average_  # an exchange undoes itself, to the last bit
