"""What an argument may be: one rule for numbers, flags, choices and values, and one sentence for what is none of them.

A bool is no number, NaN lies nowhere, and infinity only where `below=None` lets it in.
"""

import enum
import math
import numbers
from typing import Any, TypedDict, TypeVar, Unpack

import numpy as np

_Choice = TypeVar("_Choice", bound=enum.Enum)


def within(
    given: Any,
    *,
    above: float = -math.inf,
    least: float = -math.inf,
    below: float | None = math.inf,
    most: float = math.inf,
    whole: bool = False,
) -> bool:
    """Return whether an argument is a number in a range; anything may be asked about."""
    if isinstance(given, bool) or not isinstance(given, numbers.Integral if whole else numbers.Real):
        return False
    number: Any = given if whole else float(given)
    return bool(number > above and least <= number <= most and (below is None or number < below))


class Range(TypedDict, total=False):
    """The ends of a range, as `within` takes them."""

    above: float
    least: float
    below: float | None
    most: float


def check(owner: Any, name: str, *, whole: bool = False, **ends: Unpack[Range]) -> None:
    """Raise `ValueError` unless the attribute `name` is a number in its range."""
    given = getattr(owner, name)
    if not within(given, whole=whole, **ends):
        signs = {"above": ">", "least": ">=", "below": "<", "most": "<="}
        bounds = " and ".join(f"{signs[end]} {bound:g}" for end, bound in ends.items() if bound is not None)
        kind = "whole number" if whole else "number" if bounds else "finite number"
        wanted = f"a {kind} {name} {bounds}".rstrip()
        raise ValueError(f"{_named(owner)} takes {wanted}. Received: {name}={given!r}.")


def check_flags(owner: Any, **given: Any) -> None:
    """Raise `ValueError` unless all are true or false; a text would count as true, whatever it says."""
    for name, flag in given.items():
        if not isinstance(flag, numbers.Integral | np.bool_) or flag not in (0, 1):
            raise ValueError(f"{_named(owner)} takes True or False as {name}. Received: {name}={flag!r}.")


def check_kind(owner: Any, name: str, kind: Any, such_as: str) -> None:
    """Raise `ValueError` unless the attribute `name` is an instance of a class."""
    given = getattr(owner, name)
    if not isinstance(given, kind):
        raise ValueError(f"{_named(owner)} takes as {name} one such as {such_as}. Received: {name}={given!r}.")


def check_seed(seed: Any) -> None:
    """Raise `ValueError` unless NumPy and Keras take it for a seed."""
    if not within(seed, least=0, below=2**32, whole=True):
        raise ValueError(f"seed={seed!r}: give a whole number from 0 to 2^32 - 1; the same one draws the same again.")


def chosen(kind: type[_Choice], given: Any, name: str) -> _Choice:
    """Return the member of an enumeration; its value, which a saved configuration holds, will do.

    Raises:
        ValueError: it is none.
    """
    try:
        return kind(given)
    except ValueError:
        members = ", ".join(f"{kind.__name__}.{member.name}" for member in kind)
        raise ValueError(f"{name}={given!r}: give one of {members}.") from None


def _named(owner: Any) -> str:
    return owner if isinstance(owner, str) else type(owner).__name__
