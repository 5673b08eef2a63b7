"""Schedules from elsewhere and to elsewhere: functions, tables, optax, PyTorch, JSON."""

from __future__ import annotations

import base64
import functools
import json
from collections.abc import Callable
from typing import Annotated, Any, ClassVar, TypeAlias

import keras
import numpy as np

from keras_lr._arguments import Argument, number
from keras_lr._value import value
from keras_lr.schedules._kinds import a_function
from keras_lr.schedules._lookup import lookup
from keras_lr.schedules._schedule import Schedule

Function: TypeAlias = Annotated[Callable[[Any], Any], a_function("a function of the step that returns the rate")]


@value
class Lambda(Schedule):
    """Take the rate from a function of the step, or from a schedule of Keras.

    The function runs inside the compiled step: write it with arithmetic and `keras.ops`. It gets the step in double
    precision; what it does in float32 stays so.

    Args:
        function: ``f(step)`` returns the rate. To be saved it must be registered with Keras; a lambda cannot be saved.

    Example:
    >>> from keras_lr import schedules
    >>> schedules.Lambda(lambda step: 1 / (1 + step)).values(range(4)).round(3).tolist()
    [1.0, 0.5, 0.333, 0.25]
    """

    can_be_stretched: ClassVar[bool] = False
    function: Function

    def formula(self, step: Any, xp: Any) -> Any:
        """Return the rate at a step."""
        if xp is np and np.ndim(step) and isinstance(self.function, keras.optimizers.schedules.LearningRateSchedule):
            rates = [self.formula(one, np) for one in step.ravel()]  # Keras' schedules take no arrays
            return np.array(rates).reshape(step.shape)
        rate = self.function(step)
        if xp is np and keras.ops.is_tensor(rate):
            rate = keras.ops.convert_to_numpy(rate)
        return xp.asarray(rate)


@value
class Table(Schedule):
    """Take the rate of each step from a table; the last one holds.

    Make one with `from_values`; the argument is the table as text, so that it saves, prints and compares exactly.

    Args:
        encoded: little-endian float64 numbers in base 64.

    Raises:
        ValueError: `encoded` is no such text, or a rate in it is negative or not finite.

    Example:
    >>> from keras_lr import schedules
    >>> table = schedules.Table.from_values([0.5, 0.25])
    >>> table
    Table(encoded='AAAAAAAA4D8AAAAAAADQPw==')
    >>> table.values([0, 1, 9]).tolist()
    [0.5, 0.25, 0.25]
    """

    can_be_stretched: ClassVar[bool] = False
    encoded: str

    def __post_init__(self) -> None:
        try:
            table = self.table
        except (TypeError, ValueError):
            remedy = "Give the numbers to Table.from_values."
            raise ValueError(self._argument("encoded").refusal("numbers as text", self.encoded, remedy)) from None
        if not _are_rates(table):
            raise ValueError(self._argument("encoded").refusal("one or more finite rates of at least 0", table))

    @classmethod
    def from_values(cls, learning_rates: Any) -> Table:
        """Make the schedule that has these rates at steps 0, 1, 2, ...

        Args:
            learning_rates: one or more, in one dimension; a number is one.

        Raises:
            ValueError: they are no such numbers, or one is negative or not finite.

        Example:
        >>> from keras_lr import schedules
        >>> schedules.Table.from_values([0.1, 0.3, 0.2]).values([1, 2, 9]).tolist()
        [0.3, 0.2, 0.2]
        """
        try:
            rates = np.atleast_1d(np.asarray(learning_rates))
        except (TypeError, ValueError):
            rates = np.empty(0)
        if rates.dtype.kind not in "iuf" or rates.ndim > 1 or not _are_rates(rates):
            wanted = "one or more finite rates of at least 0, in one dimension,"
            raise ValueError(Argument("Table.from_values", "learning_rates").refusal(wanted, learning_rates))
        return cls(base64.b64encode(rates.astype("<f8").tobytes()).decode("ascii"))

    @functools.cached_property
    def table(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """The rates."""
        return np.frombuffer(base64.b64decode(self.encoded), "<f8").astype(np.float64)

    @property
    def end_step(self) -> float | None:
        """The last entry."""
        return len(self.table) - 1

    def formula(self, step: Any, xp: Any) -> Any:
        """Return the rate at a step."""
        table = self.table
        return lookup(table, xp.minimum(xp.floor(step), float(len(table) - 1)), xp)


def _are_rates(given: np.ndarray[Any, Any]) -> bool:
    return len(given) > 0 and bool(np.all(np.isfinite(given) & (given >= 0)))


def from_optax(schedule: Callable[[int], Any], *, total_steps: int) -> Table:
    """Make a schedule of an optax schedule, or of any other function of the step, for a run of so many steps.

    The rates are asked for once, here, so the result works on every backend and saves; after the last step it holds.

    Args:
        schedule: ``f(count)`` returns the rate.
        total_steps: for how many steps; 8 bytes each.

    Example:
    >>> from keras_lr import schedules
    >>> schedules.from_optax(lambda count: 0.5**count, total_steps=3).values(range(4)).tolist()
    [1.0, 0.5, 0.25, 0.25]
    """
    _check_run(schedule, "schedule", total_steps, "from_optax")
    return Table.from_values([float(schedule(step)) for step in range(total_steps)])


def from_torch(factory: Callable[[], Any], *, total_steps: int) -> Table:
    """Make a schedule of a scheduler of PyTorch, for a run of so many steps, by letting it run once.

    Args:
        factory: takes no argument and returns a new ``torch.optim.lr_scheduler`` on an optimizer of its own, whose
            first parameter group counts.
        total_steps: for how many steps; 8 bytes each.

    Example:
    >>> import torch
    >>> from keras_lr import schedules
    >>> def factory():
    ...     optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    ...     return torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
    >>> schedules.from_torch(factory, total_steps=5).values(range(6)).tolist()
    [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]
    """
    _check_run(factory, "factory", total_steps, "from_torch")
    scheduler, rates = factory(), []
    for step in range(total_steps):
        rates.append(float(scheduler.optimizer.param_groups[0]["lr"]))
        if step < total_steps - 1:
            scheduler.optimizer.step()
            scheduler.step()
    return Table.from_values(rates)


def _check_run(function: Any, name: str, total_steps: Any, owner: str) -> None:
    if not callable(function):
        raise TypeError(Argument(owner, name).refusal("a function", function))
    number(least=1, whole=True)(total_steps, Argument(owner, "total_steps"))


def from_json(text: str) -> Schedule:
    """Make a schedule from the JSON of `Schedule.to_json`.

    Args:
        text: what `to_json` returned.

    Raises:
        ValueError: it is no schedule of keras_lr.

    Example:
    >>> from keras_lr import schedules
    >>> schedules.from_json(schedules.Cosine(0.1, 100).to_json())
    Cosine(initial_learning_rate=0.1, decay_steps=100)
    """
    restored = keras.saving.deserialize_keras_object(json.loads(text))
    if not isinstance(restored, Schedule):
        raise ValueError(Argument("from_json", "text").refusal("the JSON of a schedule of keras_lr", restored))
    return restored
