"""A schedule that can be turned while it runs: a few numbers in a variable of the optimizer, read by the compiled step.

The variable belongs to the optimizer's state, so the compiled step reads it anew each time, and it is saved and loaded
with the model. It stands where Keras keeps the rate of an optimizer without a schedule. It holds several numbers, so
that a checkpoint with a plain rate in this place is refused and not taken for a multiplier.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from keras_lr._arguments import Argument
from keras_lr._backends.arithmetic import evaluate
from keras_lr.schedules._asking_optimizer import asking_optimizer, updates
from keras_lr.schedules._composition import as_schedule
from keras_lr.schedules._exchange import Lambda
from keras_lr.schedules._kinds import rate
from keras_lr.schedules._schedule import Schedule

_MULTIPLIER, _LEARNING_RATE, _RULE = 0, 1, slice(2, 8)
_FOLLOWED = -1.0
_NUMBERS = 8


@keras.saving.register_keras_serializable(package="keras_lr")
class Steerable(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule times a multiplier, or a fixed rate times a multiplier, both changeable without recompiling.

    `keras_lr.set_learning_rate` and the callbacks that change the rate put one into the optimizer when they first need
    it. To have it there from the start, give the optimizer `steerable(schedule)`, or `steerable` of this one.

    Args:
        schedule: the schedule to follow: a schedule, a number, or a function of the step.
        multiplier: what its rate is multiplied by, at least 0. Default 1.
        learning_rate: a fixed rate to use instead of the schedule. Default `None`: follow the schedule.

    Attributes:
        counts_batches: whether it counts batches where gradients are accumulated, as Keras does, and not updates of the
            weights: with a schedule of Keras or a function.

    Raises:
        ValueError: in the first step, an optimizer that was given it without `steerable`, which alone would not see
            what is turned.

    Costs: eight numbers in the optimizer's state, one product a step.

    Example:
    >>> import keras
    >>> from keras_lr import schedules
    >>> steerable = schedules.Steerable(schedules.Linear(1.0, 4))
    >>> steerable.steer(multiplier=0.5)
    >>> steerable.values([0, 2]).tolist()
    [0.5, 0.25]
    """

    def __init__(self, schedule: Any, *, multiplier: float = 1.0, learning_rate: float | None = None) -> None:
        numbers = np.zeros(_NUMBERS, "float32")
        numbers[_MULTIPLIER] = rate(multiplier, Argument("Steerable", "multiplier"))
        numbers[_LEARNING_RATE] = _FOLLOWED if learning_rate is None else _rate(learning_rate)
        self.numbers = keras.Variable(
            numbers, trainable=False, dtype="float32", name="steering", aggregation="only_first_replica"
        )
        self.turns = 0  # how often the numbers were changed, so that nobody need read them to know
        self.schedule: Schedule = as_schedule(schedule, Argument("Steerable", "schedule"))
        self.counts_batches = isinstance(self.schedule, Lambda) and self.schedule is not schedule

    def __call__(self, step: Any) -> Any:
        """Return the rate at a step, as a tensor: what the optimizer calls."""
        self.schedule.check_resolved()
        optimizer = asking_optimizer(step)
        if optimizer is not None and not any(variable is self.numbers for variable in optimizer._variables):
            raise ValueError(
                f"{type(optimizer).__name__} was given a Steerable as it is, and would not see what is turned: give it "
                "schedules.steerable(...) of it. If it was `fit` that said so, build and compile the model again "
                "before: Keras may have lost its weights on JAX, and its optimizer's state on TensorFlow."
            )
        accumulates = None if self.counts_batches else optimizer
        counted = float(step) if isinstance(step, int | float) else updates(step, accumulates)
        planned = evaluate(self.schedule.formula, counted, "float32")
        numbers = keras.ops.convert_to_tensor(self.numbers)
        fixed = numbers[_LEARNING_RATE]
        return keras.ops.where(fixed < 0, planned, fixed) * numbers[_MULTIPLIER]

    def values(self, steps: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return the rates at these steps (batches, if it counts them) in float64, as it is steered now."""
        fixed = self.learning_rate
        planned = self.schedule.values(steps) if fixed is None else np.full(np.shape(steps), fixed)
        return planned * self.multiplier

    @property
    def multiplier(self) -> float:
        """What the rate is multiplied by now."""
        return float(self._numbers()[_MULTIPLIER])

    @property
    def learning_rate(self) -> float | None:
        """The fixed rate, or None while the schedule is followed."""
        fixed = float(self._numbers()[_LEARNING_RATE])
        return None if fixed < 0 else fixed

    @property
    def rule_state(self) -> npt.NDArray[np.float32]:
        """Six numbers in which a rule that steers, such as `ReduceOnPlateau`, keeps its state; saved with the model."""
        return self._numbers()[_RULE]

    @rule_state.setter
    def rule_state(self, state: npt.ArrayLike) -> None:
        numbers = self._numbers()
        numbers[_RULE] = state
        self._assign(numbers)

    def steer(self, *, multiplier: float) -> None:
        """Multiply the schedule by another number from now on.

        Args:
            multiplier: at least 0.
        """
        numbers = self._numbers()
        numbers[_MULTIPLIER] = rate(multiplier, Argument("steer", "multiplier"))
        self._assign(numbers)

    def fix(self, learning_rate: float | None) -> None:
        """Use one rate from now on, or (None) follow the schedule again; the multiplier becomes 1.

        Args:
            learning_rate: at least 0, or None.
        """
        numbers = self._numbers()
        numbers[_MULTIPLIER] = 1.0
        numbers[_LEARNING_RATE] = _FOLLOWED if learning_rate is None else _rate(learning_rate)
        self._assign(numbers)

    def _assign(self, numbers: npt.NDArray[np.float32]) -> None:
        self.turns += 1
        self.numbers.assign(numbers)

    def _numbers(self) -> npt.NDArray[np.float32]:
        return np.array(keras.ops.convert_to_numpy(self.numbers), dtype="float32")

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        wrapped = self.schedule.get_config()["function"] if self.counts_batches else None
        return {
            "schedule": wrapped or keras.saving.serialize_keras_object(self.schedule),
            "multiplier": self.multiplier,
            "learning_rate": self.learning_rate,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Make it again, for the constructor of an optimizer, from what `get_config` returned."""
        schedule = keras.saving.deserialize_keras_object(config["schedule"])
        return _InParts.of(cls(schedule, multiplier=config["multiplier"], learning_rate=config["learning_rate"]))

    def __repr__(self) -> str:
        return f"Steerable({self.schedule!r})"


def steerable(schedule: Any) -> Any:
    """Return a schedule, for the constructor of an optimizer, that can be turned without ever compiling anything.

    The optimizer makes a `Steerable` of it, whose numbers are part of the optimizer's state from the start.

    Args:
        schedule: what to follow: a schedule, a number, or a function of the step; or a `Steerable`, to be turned by
            the name that it has.

    Example:
    >>> import keras
    >>> from keras_lr import schedules
    >>> optimizer = keras.optimizers.SGD(schedules.steerable(schedules.Cosine(0.1, 100)))
    >>> [variable.name for variable in optimizer.variables]
    ['iteration', 'steering']
    """
    if isinstance(schedule, _InParts):
        return schedule
    return _InParts.of(schedule if isinstance(schedule, Steerable) else Steerable(schedule))


class _InParts(tuple, keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[type-arg]
    """A `Steerable` on its way into an optimizer, which tracks variables only where it finds them.

    An optimizer looks into an attribute with named fields, tracks the variables among them, and then calls the class
    with the fields. That call gives the `Steerable`. The tuple itself is empty, because TensorFlow would wrap one with
    a variable in it.
    """

    _fields = ("numbers", "steerable")
    steerable: Steerable

    def __new__(cls, numbers: Any, steerable: Steerable) -> Any:
        return steerable

    @classmethod
    def of(cls, steerable: Steerable) -> Any:
        parts = tuple.__new__(cls)
        parts.steerable = steerable
        return parts

    def _asdict(self) -> dict[str, Any]:
        return {"numbers": self.steerable.numbers, "steerable": self.steerable}

    def __reduce__(self) -> Any:
        return _InParts.of, (self.steerable,)  # of a tuple, copy and pickle would hand the entries to the class

    def __call__(self, step: Any) -> Any:
        return self.steerable(step)

    def __repr__(self) -> str:
        return f"steerable({self.steerable.schedule!r})"


def _rate(given: Any) -> float:
    return rate(given, Argument("Steerable", "learning_rate"))
