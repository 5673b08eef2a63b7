"""How long: in steps (a plain number), in epochs, or as a fraction of the run.

A step is one update of the weights. `Epochs` and `Fraction` become steps when the numbers are known: in
`Schedule.resolved`, which `callbacks.Horizon` calls when `fit` knows them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Annotated, Any, TypeAlias

from keras_lr._arguments import Argument, Positive, is_number, or_none, within
from keras_lr._value import Value, value
from keras_lr.schedules._kinds import one_or_more


@value
class Epochs(Value):
    """A length in epochs: ``Epochs(5)``, ``Epochs(0.5)``.

    Args:
        epochs: How many passes over the training data, above 0.

    Example:
    >>> from keras_lr import schedules
    >>> schedules.Cosine(0.1, schedules.Epochs(30)).resolved(steps_per_epoch=100)
    Cosine(initial_learning_rate=0.1, decay_steps=3000)
    """

    epochs: Positive


@value
class Fraction(Value):
    """A length as a fraction of the whole run: ``Fraction(1)`` is the run, ``Fraction(0.1)`` its first tenth.

    Args:
        fraction: Above 0; 1 is the whole run.

    Example:
    >>> from keras_lr import schedules
    >>> schedules.Cosine(0.1, schedules.Fraction(1)).resolved(total_steps=5000)
    Cosine(initial_learning_rate=0.1, decay_steps=5000)
    """

    fraction: Positive


_computed: ContextVar[bool] = ContextVar("_computed", default=False)


@contextmanager
def computed() -> Iterator[None]:
    """Let a length be less than one step: what is computed, as by `stretched`, or read from a file, may be that short.

    By hand nobody means a part of a step.
    """
    token = _computed.set(True)
    try:
        yield
    finally:
        _computed.reset(token)


def _length(given: Any, argument: Argument, wanted: str = "a length of at least one step") -> Any:
    """Check that it is a length above 0: steps, `Epochs` or `Fraction`."""
    if isinstance(given, Epochs | Fraction):
        return given
    if not is_number(given):
        raise TypeError(argument.refusal("a number of steps, Epochs(n) or Fraction(f)", given))
    part = 0 < given < 1
    if not within(given, above=0) or (part and not _computed.get()):
        share = f"For a share of the run give Fraction({given!r}), for a part of an epoch Epochs({given!r})."
        raise ValueError(argument.refusal(wanted, given, share if part else ""))
    return int(given) if given == int(given) else float(given)


def _length_or_zero(given: Any, argument: Argument) -> Any:
    return 0 if is_number(given) and given == 0 else _length(given, argument, "0 or a length of at least one step")


def _lengths(given: Any, argument: Argument) -> tuple[Any, ...]:
    checked = one_or_more(_length)(given, argument)
    steps = [one for one in checked if not isinstance(one, Epochs | Fraction)]
    if not all(in_order(a, b) for a, b in itertools.pairwise(steps)):
        remedy = "So many steps the lengths that were given have come to." if _computed.get() else ""
        raise ValueError(argument.refusal("lengths, each above the one before,", given, remedy))
    return checked


def in_order(first: Length, second: Length) -> bool:
    """Return whether one length is below another, as far as is known; in a short run two may fall together."""
    if isinstance(first, Epochs | Fraction) or isinstance(second, Epochs | Fraction):
        return True
    return bool(first < second or (first == second and _computed.get()))


# `Any` stands for `Epochs | Fraction`: a formula computes with a length only once that is a number.
Length: TypeAlias = Annotated[float | Any, _length]
"""Steps (a number above 0), `Epochs` or `Fraction`."""
LengthOrNone: TypeAlias = Annotated[float | Any | None, or_none(_length)]
LengthOrZero: TypeAlias = Annotated[float | Any, _length_or_zero]
Lengths: TypeAlias = Annotated[tuple[float | Any, ...], _lengths]
"""One or more lengths, each above the one before."""


def in_steps(given: Length, steps_per_epoch: float | None, total_steps: float | None, argument: Argument) -> Length:
    """Return a length in steps; fails with the name of the number that is missing."""
    match given:
        case Epochs(epochs):
            known, name, amount = steps_per_epoch, "steps_per_epoch", epochs
        case Fraction(fraction):
            known, name, amount = total_steps, "total_steps", fraction
        case _:
            return given
    if known is None:
        raise ValueError(f"{argument} is {given!r}; to turn it into steps, pass `{name}`. Received: {name}=None.")
    # Halves go down, so that parts of a run whose fractions add up to 1 are together never longer than the run.
    return max(1, math.ceil(amount * known - 0.5 - 1e-9))
