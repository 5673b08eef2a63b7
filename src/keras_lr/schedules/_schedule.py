"""A schedule is a pure function of the step; this base gives every one its values, its picture and its algebra."""

import dataclasses
import functools
import json
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

import keras
import numpy as np
import numpy.typing as npt

from keras_lr import schedules  # for the algebra: a circle, so its names are looked up when a method is called
from keras_lr._arguments import Argument, number
from keras_lr._backends.arithmetic import evaluate
from keras_lr._value import Value
from keras_lr.schedules._asking_optimizer import asking_optimizer, updates
from keras_lr.schedules._kinds import AStep
from keras_lr.schedules._units import (
    Epochs,
    Fraction,
    Length,
    LengthOrNone,
    LengthOrZero,
    Lengths,
    computed,
    in_steps,
)


class Schedule(Value, keras.optimizers.schedules.LearningRateSchedule):
    """The base of all schedules; for one of your own, `Lambda` takes a function of the step.

    A schedule goes wherever Keras takes a learning rate. It is evaluated in double precision on every backend and
    rounded once, so it is exact for steps to 10^9, compiled or not. Steps count updates of the weights: with
    ``gradient_accumulation_steps=4`` four batches are one step.

    Operators: ``a * b``, ``a * 0.5`` and ``a / 2`` (product), ``a + b`` (sum), and the methods below. Each gives a
    schedule again, which prints, saves and compares like any other. A subclass is a frozen dataclass that defines
    `formula`; to be saved it must be registered with Keras.

    Example:
    >>> import dataclasses
    >>> from keras_lr import schedules
    >>> @dataclasses.dataclass(frozen=True)
    ... class Inverse(schedules.Schedule):
    ...     initial_learning_rate: float
    ...     def formula(self, step, xp):
    ...         return self.initial_learning_rate / (1 + step)
    >>> Inverse(1.0).at_most(0.5).values(range(4)).round(3).tolist()
    [0.5, 0.5, 0.333, 0.25]
    """

    source: ClassVar[str] = ""
    """Where the schedule was published."""

    can_be_stretched: ClassVar[bool] = True
    """Whether multiplying its lengths, and dividing what it holds a step, multiplies its times."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in ("end_step", "ramp_steps"):
            if isinstance(own := vars(cls).get(name), property):
                setattr(cls, name, _once_resolved(own))

    def formula(self, step: Any, xp: Any) -> Any:
        """Return the rate at a step, in double precision.

        Args:
            step: a float64 number, array or tensor that holds whole numbers.
            xp: the namespace to compute with; it has NumPy's names.
        """
        raise NotImplementedError(f"{type(self).__name__} must define `formula(step, xp)`.")

    @property
    def end_step(self) -> float | None:
        """The step from which the rate no longer changes; None for a schedule without an end."""
        return None

    @property
    def ramp_steps(self) -> float:
        """For how many steps the rate is still being warmed up."""
        return 0

    def __call__(self, step: Any) -> Any:
        """Return the rate at a step, as a tensor: what the optimizer calls.

        Raises:
            ValueError: a length is in epochs or a fraction of the run and has not been resolved.
        """
        self.check_resolved()
        step = float(step) if isinstance(step, int | float) else updates(step, asking_optimizer(step))
        dtype = keras.config.floatx()
        return evaluate(self.formula, step, "float32" if dtype in ("float16", "bfloat16") else dtype)

    def values(self, steps: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return the rates at these steps in float64, without a backend.

        Args:
            steps: a step, or an array or range of steps.

        Example:
        >>> from keras_lr import schedules
        >>> schedules.StepBased(0.1, drop=0.5, steps_per_drop=2).values(range(5)).tolist()
        [0.1, 0.05, 0.05, 0.025, 0.025]
        """
        self.check_resolved()
        given = np.asarray(steps, np.float64)
        with np.errstate(all="ignore"):
            return np.asarray(np.broadcast_to(self.formula(given, np), given.shape), np.float64)

    def _mapped(self, change: Callable[[Length, Argument], Length], ratio: float = 1.0) -> Self:
        """Return the schedule with every length changed, also in the schedules that it is made of.

        Args:
            change: of a length, and whose it is.
            ratio: by what the change multiplies all times.
        """
        if ratio != 1 and not self.can_be_stretched:
            raise ValueError(
                f"{self!r} cannot be stretched: it is given step by step. Make another of the new length, or follow it "
                "more slowly from some step on with schedules.Slowed."
            )
        changes: dict[str, Any] = {}
        for name, annotation in self._annotations().items():
            held, argument = getattr(self, name), self._argument(name)
            if annotation == Lengths:
                changes[name] = tuple(change(one, argument) for one in held)
            elif annotation in (Length, LengthOrZero, LengthOrNone) and held is not None:
                changes[name] = change(held, argument)
            elif annotation == AStep:
                changes[name] = held / ratio
            elif isinstance(held, Schedule):
                changes[name] = held._mapped(change, ratio)
            elif isinstance(held, tuple) and any(isinstance(one, Schedule) for one in held):
                changes[name] = tuple(one._mapped(change, ratio) for one in held)
        with computed():
            return dataclasses.replace(self, **changes) if changes else self

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Make the schedule again from what `get_config` returned."""
        with computed():
            return super().from_config(config)

    def resolved(self, *, steps_per_epoch: float | None = None, total_steps: float | None = None) -> Self:
        """Return the schedule with epochs and fractions turned into steps.

        Args:
            steps_per_epoch: updates in one pass over the data; needed where a length is in `Epochs`.
            total_steps: updates in the whole run; needed where a length is a `Fraction`.

        Raises:
            ValueError: a number that is needed was not given.
        """
        return self._mapped(lambda given, argument: in_steps(given, steps_per_epoch, total_steps, argument))

    def is_resolved(self) -> bool:
        """Return whether all lengths are in steps."""
        return self._first_unresolved is None

    def check_resolved(self) -> None:
        """Refuse a schedule that speaks of epochs or fractions which nobody turned into steps."""
        if self._first_unresolved is not None:
            argument, given = self._first_unresolved
            raise ValueError(
                f"{argument} is {given!r}, and nobody said yet how many steps that is. Train with "
                "callbacks=[keras_lr.callbacks.Horizon()], with a Guard after it, or call "
                "`.resolved(steps_per_epoch=..., total_steps=...)` yourself. If it was `fit` that said so, build and "
                "compile the model again before: Keras may have lost its weights on JAX, and its optimizer's state on "
                "TensorFlow."
            )

    @functools.cached_property
    def _first_unresolved(self) -> tuple[Argument, Length] | None:
        for field in dataclasses.fields(self):
            held = getattr(self, field.name)
            for one in held if isinstance(held, tuple) else (held,):
                if isinstance(one, Epochs | Fraction):
                    return self._argument(field.name), one
                if isinstance(one, Schedule) and one._first_unresolved is not None:
                    return one._first_unresolved
        return None

    def stretched(self, factor: float) -> Self:
        """Return the schedule with all its times multiplied: one knob for a shorter or longer run.

        ``schedule.stretched(0.1)`` is the same curve for a trial of a tenth of the length. Fractions of the run are
        left alone: the run says how long they are.

        Args:
            factor: above 0; 2 makes everything last twice as long.

        Raises:
            ValueError: the schedule, or a part of it, is given step by step: a function, a table, `TimeBased`,
                `ExpRange`, `SineExp` or `Chebyshev`.
        """
        ratio = number(above=0.0)(factor, Argument("stretched", "factor"))

        def stretch(given: Length, argument: Argument) -> Length:
            match given:
                case Epochs(epochs):
                    return Epochs(epochs * ratio)
                case Fraction():
                    return given
                case _:
                    return given * ratio

        return self._mapped(stretch, ratio)

    # The algebra: what it makes is in `_composition.py`, `_warmup.py` and `_cooldown.py`.

    def __mul__(self, other: Any) -> "Schedule":
        """Return the product with another schedule or a number."""
        return schedules.Product((self, other))

    __rmul__ = __mul__

    def __truediv__(self, divisor: float) -> "Schedule":
        """Return the product with one over a number."""
        return self * (1 / number(above=0.0)(divisor, self._argument("divisor")))

    def __add__(self, other: Any) -> "Schedule":
        """Return the sum with another schedule or a number."""
        return schedules.Sum((self, other))

    __radd__ = __add__

    def then(self, following: Any, *, at_step: Length) -> "Schedule":
        """Return this schedule up to a step, and from there another one, whose clock starts at 0."""
        return schedules.Chain((self, following), (at_step,))

    def at_most(self, other: Any) -> "Schedule":
        """Return the smaller of this rate and another schedule or number."""
        return schedules.Minimum((self, other))

    def at_least(self, other: Any) -> "Schedule":
        """Return the larger of this rate and another schedule or number."""
        return schedules.Maximum((self, other))

    def delayed(self, delay_steps: Length) -> "Schedule":
        """Return the schedule that waits at its first rate and starts later."""
        return schedules.Delayed(self, delay_steps)

    def repeated(self, every_steps: Length) -> "Schedule":
        """Return the schedule that starts again every so many steps."""
        return schedules.Repeated(self, every_steps)

    def warmed_up(self, warmup_steps: Length, **how: Any) -> "Schedule":
        """Return the schedule with a warm-up before it; see `WarmUp` for the keywords."""
        return schedules.WarmUp(self, warmup_steps, **how)

    def cooled_down(self, at_step: Length, cooldown_steps: Length, **how: Any) -> "Schedule":
        """Return the schedule that is brought down on demand; see `Cooldown` for the keywords."""
        return schedules.Cooldown(self, at_step, cooldown_steps, **how)

    def plot(self, steps: int | None = None, **how: Any) -> Any:
        """Draw the rate, with a momentum beside it if given; see `plot` for the keywords. Needs Matplotlib."""
        from keras_lr.schedules._plot import plot

        return plot(self, steps, **how)

    def to_csv(self, steps: npt.ArrayLike) -> str:
        """Return the lines ``step,learning_rate`` of these steps, in full precision."""
        taken = np.atleast_1d(np.asarray(steps))
        rows = zip(taken.tolist(), self.values(taken).tolist(), strict=True)
        return "step,learning_rate\n" + "".join(f"{step},{rate!r}\n" for step, rate in rows)

    def to_json(self) -> str:
        """Return the schedule as JSON; `from_json` reads it."""
        return json.dumps(keras.saving.serialize_keras_object(self))


def _once_resolved(length: property) -> property:
    """Return a length of a schedule that asks first whether its parts are in steps."""

    def read(schedule: Schedule) -> Any:
        schedule.check_resolved()
        return length.fget(schedule)  # type: ignore[misc]

    return property(read, doc=length.__doc__)
