"""Any hyperparameter of any optimizer on a schedule: momentum, beta_1, weight decay, clipping.

Keras bakes these numbers into the compiled step, so assigning ``optimizer.momentum`` after the first `fit` does nothing
on JAX and TensorFlow. Here each is a variable of the optimizer's state: it gets its value for the step, and takes the
number's place while the update is computed, and only then.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras

from keras_lr._arguments import Argument, number
from keras_lr._backends.wrapped_optimizers import innermost
from keras_lr.optimizers._lending import LendingOptimizer
from keras_lr.optimizers._proposals import checked_optimizer, refuse_loss_scaling
from keras_lr.schedules import OneCycle, OneCycleThreePhase, Schedule
from keras_lr.schedules._composition import as_schedule

_RESERVED = ("learning_rate", "gradient_accumulation_steps", "loss_scale_factor", "use_ema", "name")


class _Hyperparameter(keras.Variable):
    """A variable that stands where an optimizer has a number, and asks Python whether it is 0."""

    # Optimizers ask `if self.momentum != 0` to know whether there is a momentum at all. A traced value cannot answer;
    # whether there is one was decided by the number that the optimizer was made with, and it was not 0.
    def __ne__(self, other: Any) -> Any:
        return True if isinstance(other, int | float) else super().__ne__(other)

    def __gt__(self, other: Any) -> Any:
        return True if isinstance(other, int | float) else super().__gt__(other)

    def __bool__(self) -> bool:
        return True

    __hash__ = keras.Variable.__hash__


@keras.saving.register_keras_serializable(package="keras_lr")
class Scheduled(LendingOptimizer):
    """Put hyperparameters of an optimizer on schedules, effective inside the compiled step.

    ``Scheduled(SGD(0.1, momentum=0.9), momentum=schedule)`` is SGD with the momentum ``schedule(t)`` at update t.
    Everything else is the inner optimizer's: its rate (which may be a schedule as well), clipping, decay, accumulation.
    Adam's bias correction uses the current beta, as PyTorch's does under `OneCycleLR`.

    Args:
        optimizer: the optimizer, a wrapper such as `PerLayer` around it, or its name; it must have been made with a
            non-zero number for each hyperparameter, because whether it keeps a velocity, clips or decays at all is
            decided there.
        **hyperparameters: for each name (`momentum`, `beta_1`, `beta_2`, `weight_decay`, `rho`, `clipnorm`, ...) a
            schedule, a number, or a function of the step. Steps are updates of the weights.

    Raises:
        TypeError: the optimizer scales the loss.
        ValueError: what was given is no optimizer; no hyperparameter was given, the optimizer has none of that name, or
            has it as 0 or None.

    Costs: one number in the optimizer's state for each hyperparameter.

    Reference: Smith, A disciplined approach to neural network hyper-parameters, arXiv 1803.09820, for the momentum.

    Example:
    >>> import keras, keras_lr
    >>> from keras_lr import schedules
    >>> cycle = schedules.OneCycle(0.5, total_steps=100)
    >>> optimizer = keras_lr.optimizers.Scheduled(keras.optimizers.SGD(cycle, momentum=0.95), momentum=cycle.momentum())
    >>> optimizer.hyperparameters(29)
    {'momentum': 0.85}
    """

    def __init__(
        self, optimizer: keras.optimizers.Optimizer | str, *, name: str | None = None, **hyperparameters: Any
    ) -> None:
        super().__init__(learning_rate=0.0, name=name)
        optimizer = checked_optimizer("Scheduled", "optimizer", optimizer)
        refuse_loss_scaling("Scheduled", optimizer)
        self.inner_optimizer = optimizer
        _check(innermost(optimizer), hyperparameters)
        self._plans = _Plans(
            {key: as_schedule(given, Argument("Scheduled", key)) for key, given in hyperparameters.items()}
        )
        self._held: dict[str, _Hyperparameter] = {}  # Keras tracks what is put into it
        for key in self._plans.by_name:
            self._held[key] = _Hyperparameter(
                float(innermost(optimizer).__dict__[key]),
                dtype="float64" if keras.config.floatx() == "float64" else "float32",  # halves are too coarse
                trainable=False,
                name=key,
                aggregation="only_first_replica",
            )

    def build(self, variables: Sequence[Any]) -> None:
        """Build the inner optimizer."""
        if self.built:
            return
        self.inner_optimizer.build(variables)
        super().build(variables)

    @property
    def variables(self) -> list[Any]:
        """The hyperparameters and the inner optimizer's state."""
        return self._variables + self.inner_optimizer.variables

    @property
    def learning_rate(self) -> Any:
        """The inner optimizer's rate."""
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate: Any) -> None:
        self.inner_optimizer.learning_rate = learning_rate

    @property
    def iterations(self) -> Any:
        """The number of updates made."""
        return self.inner_optimizer.iterations

    def hyperparameters(self, step: int) -> dict[str, float]:
        """Return the scheduled hyperparameters at a step."""
        return {key: float(plan.values(step)) for key, plan in self._plans.by_name.items()}

    def resolve(self, **numbers: float) -> None:
        """Turn epochs and fractions of the run in the schedules into steps; see `Schedule.resolved`."""
        by_name = self._plans.by_name
        by_name.update({key: plan.resolved(**numbers) for key, plan in by_name.items()})

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Any] | None = None) -> None:
        """Give each hyperparameter its value for this step, and let the inner optimizer update with it."""
        if not self.built and trainable_variables is not None:
            self.build(list(trainable_variables))
        step = self.inner_optimizer.iterations
        for key, plan in self._plans.by_name.items():
            self._held[key].assign(plan(keras.ops.convert_to_tensor(step)))
        with self._in_place():
            self.inner_optimizer.apply(grads, trainable_variables)

    @contextmanager
    def _in_place(self) -> Iterator[None]:
        # Through __dict__: an attribute set the ordinary way would be tracked as the inner optimizer's state.
        numbers = innermost(self.inner_optimizer).__dict__
        own = {key: numbers[key] for key in self._held}
        numbers.update(self._held)
        try:
            yield
        finally:
            numbers.update(own)

    def scale_loss(self, loss: Any) -> Any:
        """Let the inner optimizer scale the loss."""
        return self.inner_optimizer.scale_loss(loss)

    def finalize_variable_values(self, var_list: Sequence[Any]) -> None:
        """Let the inner optimizer finish, for example its average of the weights."""
        self.inner_optimizer.finalize_variable_values(var_list)

    def get_config(self) -> dict[str, Any]:
        """Return the inner optimizer and the schedules."""
        serialize = keras.saving.serialize_keras_object
        plans = {key: serialize(plan) for key, plan in self._plans.by_name.items()}
        return {"optimizer": serialize(self.inner_optimizer), "name": self.name, **plans}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> "Scheduled":
        """Make it again from what `get_config` returned."""
        restored = {
            key: keras.saving.deserialize_keras_object(given, custom_objects=custom_objects)
            if isinstance(given, dict)
            else given
            for key, given in config.items()
        }
        return cls(restored.pop("optimizer"), **restored)


class _Plans:
    """Holds the schedules out of the sight of the optimizer's tracking of dictionaries."""

    def __init__(self, by_name: dict[str, Schedule]) -> None:
        self.by_name = by_name


def one_cycle(
    optimizer: keras.optimizers.Optimizer | str,
    cycle: OneCycle | OneCycleThreePhase,
    *,
    low: float = 0.85,
    high: float = 0.95,
) -> Scheduled:
    """Make one-cycle training: the rate goes up and down, the momentum down and up.

    Args:
        optimizer: SGD or RMSprop with a momentum, an optimizer with `beta_1`, not yet used, or its name; it gets the
            cycle as its rate.
        cycle: with all lengths in steps.
        low: the momentum at the peak of the rate. Default 0.85.
        high: the momentum at both ends. Default 0.95.

    Raises:
        TypeError: `cycle` is no cycle.
        ValueError: what was given is no optimizer, or it has neither a momentum above 0 nor `beta_1`.

    Reference: Smith, Topin, Super-convergence, arXiv 1708.07120.

    Example:
    >>> import keras, keras_lr
    >>> from keras_lr import optimizers, schedules
    >>> optimizer = optimizers.one_cycle(keras.optimizers.Adam(), schedules.OneCycle(1e-2, total_steps=100))
    >>> optimizer.hyperparameters(0)
    {'beta_1': 0.95}
    """
    if not isinstance(cycle, OneCycle | OneCycleThreePhase):
        argument = Argument("one_cycle", "cycle")
        raise TypeError(argument.refusal("a cycle such as schedules.OneCycle(0.1, 1000)", cycle))
    optimizer = checked_optimizer("one_cycle", "optimizer", optimizer)
    for name, momentum in (("low", low), ("high", high)):
        number(least=0.0, below=1.0)(momentum, Argument("one_cycle", name))
    name = "beta_1" if hasattr(innermost(optimizer), "beta_1") else "momentum"
    scheduled = Scheduled(optimizer, **{name: cycle.momentum(low, high)})
    optimizer.learning_rate = cycle
    return scheduled


def _check(optimizer: keras.optimizers.Optimizer, hyperparameters: dict[str, Any]) -> None:
    if not hyperparameters:
        raise ValueError("Scheduled: name at least one hyperparameter, for example momentum=schedule. Received: none.")
    kind = type(optimizer).__name__
    for key in hyperparameters:
        held = optimizer.__dict__.get(key)
        if key in _RESERVED or key.startswith("_"):
            raise ValueError(
                f"Scheduled: `{key}` cannot be scheduled here; give a schedule of the rate to {kind} itself."
            )
        if key not in optimizer.__dict__:
            raise ValueError(
                f"Scheduled: {kind} has no hyperparameter `{key}`. Received: {key}={hyperparameters[key]!r}."
            )
        if isinstance(held, bool) or not isinstance(held, int | float) or held == 0:
            raise ValueError(
                f"Scheduled: {kind} was made with {key}={held!r}, which switches it off for good. Make it with a "
                f"number above 0, for example {kind}({key}=0.9)."
            )
