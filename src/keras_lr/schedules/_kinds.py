"""What a field of a schedule may hold: a rate, a share, an amount a step, each checked by its annotation.

``Rate``, ``Length`` and their like are a type together with the function that checks and converts what is given (an int
becomes a float, a list a tuple). They also choose what resolving units and stretching do to it.
"""

import math
import numbers
from collections.abc import Callable, Iterable
from typing import Annotated, Any, TypeAlias


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
