"""A schedule, a shape and a unit are values: frozen, checked, compared by content, printed as the call that makes them.

The annotation of a field says what it holds, and that is all a class has to say: ``Rate``, ``Length`` and their like
are a type together with the function that checks and converts what is given (an int becomes a float, a list a tuple).
They also choose what resolving units and stretching do to it.
"""

import dataclasses
import enum
import functools
import math
import numbers
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Self, TypeAlias, TypeVar, dataclass_transform, get_origin, get_type_hints

import keras

_T = TypeVar("_T")


@dataclasses.dataclass(frozen=True, repr=False, eq=False)
class Value:
    """Gives a frozen dataclass its checks, its short ``repr`` and its configuration."""

    def __post_init__(self) -> None:
        for name, annotation in self._annotations().items():
            if get_origin(annotation) is Annotated:
                (check,) = annotation.__metadata__
                object.__setattr__(self, name, check(getattr(self, name), self._called(name)))

    @classmethod
    @functools.cache
    def _annotations(cls) -> dict[str, Any]:
        """Return the annotation of each field by name: ``Annotated[type, check]`` where there is a check."""
        found = get_type_hints(cls, include_extras=True)
        return {field.name: found[field.name] for field in dataclasses.fields(cls)}

    @classmethod
    def _called(cls, argument: str) -> str:
        return f"{cls.__name__}: the argument `{argument}`"

    def __repr__(self) -> str:
        """Return the call that makes this value; arguments at their default are left out."""
        shown = []
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.default is dataclasses.MISSING or value != field.default:
                shown.append(f"{field.name}={_printed(value)}")
        return f"{_public_name(type(self))}({', '.join(shown)})"

    def get_config(self) -> dict[str, Any]:
        """Return the arguments, as plain values that JSON can hold."""
        return {
            field.name: _plain(getattr(self, field.name), self._called(field.name))
            for field in dataclasses.fields(self)
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Make the value again from what `get_config` returned."""
        return cls(**{name: _restored(value) for name, value in config.items()})


@dataclass_transform(frozen_default=True)
def value(cls: type[_T]) -> type[_T]:
    """Turn a class into a frozen dataclass that Keras can save and load."""
    frozen = dataclasses.dataclass(frozen=True, repr=False)(cls)
    return keras.saving.register_keras_serializable(package="keras_lr", name=_public_name(cls))(frozen)


def real(given: Any, called: str) -> float:
    """Return a finite number as a float."""
    if isinstance(given, bool) or not isinstance(given, numbers.Real):
        raise TypeError(f"{called} must be a number. Received: {given!r}.")
    if not math.isfinite(given):
        raise ValueError(f"{called} must be finite. Received: {given!r}.")
    return float(given)


def rate(given: Any, called: str) -> float:
    number = real(given, called)
    if number < 0:
        raise ValueError(f"{called} must be at least 0: a negative rate climbs the loss. Received: {given!r}.")
    return number


def not_negative(given: Any, called: str) -> float:
    number = real(given, called)
    if number < 0:
        raise ValueError(f"{called} must be at least 0. Received: {given!r}.")
    return number


def positive(given: Any, called: str) -> float:
    number = real(given, called)
    if number <= 0:
        raise ValueError(f"{called} must be above 0. Received: {given!r}.")
    return number


def a_step(given: Any, called: str) -> float:
    return not_negative(given, called)


def share(given: Any, called: str) -> float:
    number = real(given, called)
    if not 0 <= number <= 1:
        raise ValueError(f"{called} must lie between 0 and 1. Received: {given!r}.")
    return number


def count(given: Any, called: str) -> int:
    number = real(given, called)
    if number < 0 or number != int(number):
        raise ValueError(f"{called} must be a whole number, at least 0. Received: {given!r}.")
    return int(number)


def a_function(what: str) -> Callable[[Any, str], Any]:
    """Return what checks a function and says `what` function it must be."""

    def checked(given: Any, called: str) -> Any:
        if not callable(given) or isinstance(given, type):
            raise TypeError(f"{called} must be {what}. Received: {given!r}.")
        return given

    return checked


def several(given: Any, called: str) -> tuple[Any, ...]:
    """Return what a list or another sequence of values holds."""
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise TypeError(f"{called} must be a tuple or a list. Received: {given!r}.")
    return tuple(given)


def rates(given: Any, called: str) -> tuple[float, ...]:
    rates = tuple(rate(one, called) for one in several(given, called))
    if not rates:
        raise ValueError(f"{called} must hold at least one rate. Received: {given!r}.")
    return rates


Rate: TypeAlias = Annotated[float, rate]
"""A learning rate or another value of a hyperparameter: finite and at least 0."""
Rates: TypeAlias = Annotated[tuple[float, ...], rates]
"""One or more rates."""
Positive: TypeAlias = Annotated[float, positive]
"""A finite number above 0."""
NotNegative: TypeAlias = Annotated[float, not_negative]
"""A finite number, at least 0."""
AStep: TypeAlias = Annotated[float, a_step]
"""An amount a step, at least 0: half of it where everything lasts twice as long."""
Real: TypeAlias = Annotated[float, real]
"""A finite number."""
Share: TypeAlias = Annotated[float, share]
"""A number between 0 and 1."""
Count: TypeAlias = Annotated[int, count]
"""A whole number, at least 0."""


def _public_name(cls: type) -> str:
    """Return the name with the public module that it stands in, if there is one: ``shapes.Cosine``."""
    module = cls.__module__.rsplit(".", 1)[-1]
    return cls.__name__ if module.startswith("_") else f"{module}.{cls.__name__}"


def _printed(item: Any) -> str:
    if isinstance(item, enum.Enum):
        return str(item)
    if isinstance(item, tuple):
        return f"({', '.join(map(_printed, item))}{',' * (len(item) == 1)})"
    return getattr(item, "__name__", "function") if callable(item) and not isinstance(item, Value) else repr(item)


def _plain(item: Any, called: str) -> Any:
    if isinstance(item, enum.Enum):
        return item.value
    if isinstance(item, tuple):
        return [_plain(one, called) for one in item]
    if getattr(item, "__name__", "") == "<lambda>":
        raise ValueError(
            f"{called} is a lambda, which cannot be saved. Write a function with `def` and register it with "
            "@keras.saving.register_keras_serializable()."
        )
    return keras.saving.serialize_keras_object(item)


def _restored(item: Any) -> Any:
    if isinstance(item, list | tuple):
        return tuple(_restored(one) for one in item)
    return keras.saving.deserialize_keras_object(item) if isinstance(item, dict) else item
