"""What an argument may be: one rule for numbers, flags, choices and values, and one sentence for what is none of them.

A field of a value says it in its annotation, as in ``measure: Positive``: a type together with the `Check` of what is
given. What is no value calls `check`, which is the same rule. A bool is no number, an array or a tensor without axes is
one, NaN lies nowhere, and infinity only where `below=None` lets it in.
"""

import enum
import math
import numbers
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple, TypeAlias, TypedDict, TypeGuard, Unpack

import numpy as np


class Argument(NamedTuple):
    """An argument: of what, and its name."""

    owner: str
    name: str

    def refusal(self, wanted: str, given: Any, remedy: str = "") -> str:
        """Return the sentence that says what it may be, what it was, and what to do."""
        return f"{self.owner} takes {wanted} as {self.name}. Received: {self.name}={given!r}. {remedy}".rstrip()

    def __str__(self) -> str:
        return f"{self.owner}: {self.name}"


Check: TypeAlias = Callable[[Any, Argument], Any]
"""Returns what is given in its own type, such as a float; raises `ValueError` or `TypeError` for what will not do."""


def is_number(given: Any) -> TypeGuard[Any]:
    """Return whether it is a real number, or an array, a tensor or a variable that holds one; a bool is none."""
    if isinstance(given, numbers.Real):
        return not isinstance(given, bool)
    dtype = str(getattr(given, "dtype", ""))  # "float32", or "torch.float32", or "<dtype: 'float32'>"
    return getattr(given, "shape", None) == () and ("float" in dtype or "int" in dtype)


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
    if not is_number(given) or (whole and not isinstance(given, numbers.Integral)):
        return False
    real: Any = given if whole else float(given)
    return bool(real > above and least <= real <= most and (below is None or real < below))


class Range(TypedDict, total=False):
    """The ends of a range, as `within` takes them."""

    above: float
    least: float
    below: float | None
    most: float


def number(*, whole: bool = False, remedy: str = "", **ends: Unpack[Range]) -> Check:
    """Return the check for a number in a range, which makes it a float, or an int where it is to be whole."""
    words = {"above": "above", "least": "of at least", "below": "below", "most": "at most"}
    bounds = " and ".join(f"{words[end]} {bound:.12g}" for end, bound in ends.items() if bound is not None)

    def checked(given: Any, argument: Argument) -> Any:
        if within(given, whole=whole, **ends):
            return int(given) if whole else float(given)
        endless = is_number(given) and given == math.inf
        kind = "whole number" if whole else "finite number" if endless or not bounds else "number"
        raise ValueError(argument.refusal(f"a {kind} {bounds}".rstrip(), given, remedy))

    return checked


def flag(given: Any, argument: Argument) -> bool:
    """Check that it is true or false; a text would count as true, whatever it says."""
    if not isinstance(given, numbers.Integral | np.bool_) or given not in (0, 1):
        raise ValueError(argument.refusal("True or False", given))
    return bool(given)


def member(kind: type[enum.Enum]) -> Check:
    """Return the check for a member of an enumeration; its value, which a saved configuration holds, will do."""
    *others, last = (f"{kind.__name__}.{one.name}" for one in kind)

    def checked(given: Any, argument: Argument) -> enum.Enum:
        try:
            return kind(given)
        except ValueError:
            raise ValueError(argument.refusal(f"{', '.join(others)} or {last}", given)) from None

    return checked


def or_none(check: Check) -> Check:
    """Return the check that lets None pass too."""
    return lambda given, argument: None if given is None else check(given, argument)


Real: TypeAlias = Annotated[float, number()]
"""A finite number."""
Positive: TypeAlias = Annotated[float, number(above=0.0)]
"""A finite number above 0."""
NotNegative: TypeAlias = Annotated[float, number(least=0.0)]
"""A finite number of at least 0."""
AboveOne: TypeAlias = Annotated[float, number(above=1.0)]
"""A finite number above 1."""
AtLeastOne: TypeAlias = Annotated[float, number(least=1.0)]
"""A finite number of at least 1."""
Share: TypeAlias = Annotated[float, number(least=0.0, most=1.0)]
"""A number from 0 to 1."""
Part: TypeAlias = Annotated[float, number(above=0.0, below=1.0)]
"""A number above 0 and below 1."""
Beta: TypeAlias = Annotated[float, number(least=0.0, below=1.0)]
"""The weight of the old in a running mean: a number of at least 0 and below 1."""
Limit: TypeAlias = Annotated[float, number(above=0.0, below=None)]
"""A number above 0; infinity says: no limit."""
Natural: TypeAlias = Annotated[int, number(least=1, whole=True)]
"""A whole number of at least 1."""
Flag: TypeAlias = Annotated[bool, flag]
"""True or False."""


def check(owner: Any, *names: str, whole: bool = False, remedy: str = "", **ends: Unpack[Range]) -> None:
    """Check that attributes are numbers in a range; of an array that holds one, keep the number."""
    for name in names:
        given = getattr(owner, name)
        found = number(whole=whole, remedy=remedy, **ends)(given, _argument(owner, name))
        if not isinstance(given, numbers.Real):
            setattr(owner, name, found)


def check_flags(owner: Any, **given: Any) -> None:
    """Check that all are true or false."""
    for name, one in given.items():
        flag(one, _argument(owner, name))


def check_kind(owner: Any, name: str, kind: Any, wanted: str) -> None:
    """Raise `ValueError` unless the attribute `name` is an instance of a class."""
    given = getattr(owner, name)
    if not isinstance(given, kind):
        raise ValueError(_argument(owner, name).refusal(wanted, given))


def check_seed(owner: str, seed: Any) -> None:
    """Raise `ValueError` unless NumPy and Keras take it for a seed."""
    if not within(seed, least=0, below=2**32, whole=True):
        same = "The same one draws the same again."
        raise ValueError(Argument(owner, "seed").refusal("a whole number from 0 to 2^32 - 1", seed, same))


def _argument(owner: Any, name: str) -> Argument:
    return Argument(owner if isinstance(owner, str) else type(owner).__name__, name)
