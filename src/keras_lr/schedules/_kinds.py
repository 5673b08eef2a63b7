"""What only a schedule holds: a rate, an amount a step, a count, a function, one or more of something.

``Rate``, ``Length`` and their like are a type together with its check. They also choose what resolving units and
stretching do to a field, so two of them may have the same range and be two.
"""

from collections.abc import Iterable
from typing import Annotated, Any, TypeAlias

from keras_lr._arguments import Argument, Check, number, within


def count(given: Any, argument: Argument) -> int:
    """Check that it is a whole number of at least 0, be it a float such as 100.0."""
    whole = int(given) if within(given) and given == int(given) else given
    return number(least=0, whole=True)(whole, argument)


def a_function(what: str) -> Check:
    """Return the check for a function, which says `what` function it must be."""

    def checked(given: Any, argument: Argument) -> Any:
        if not callable(given) or isinstance(given, type):
            raise TypeError(argument.refusal(what, given))
        return given

    return checked


def one_or_more(check: Check) -> Check:
    """Return the check for a list or another sequence of what a check lets pass, which makes it a tuple."""
    wanted = "one or more, in a tuple or a list,"

    def checked(given: Any, argument: Argument) -> tuple[Any, ...]:
        if isinstance(given, str) or not isinstance(given, Iterable):
            raise TypeError(argument.refusal(wanted, given))
        owner, name = argument
        held = tuple(check(one, Argument(owner, f"{name}[{i}]")) for i, one in enumerate(given))
        if not held:
            raise ValueError(argument.refusal(wanted, given))
        return held

    return checked


rate = number(least=0.0)

Rate: TypeAlias = Annotated[float, rate]
"""A learning rate or another value of a hyperparameter: finite and at least 0."""
Rates: TypeAlias = Annotated[tuple[float, ...], one_or_more(rate)]
"""One or more rates."""
AStep: TypeAlias = Annotated[float, number(least=0.0)]
"""An amount a step, at least 0: half of it where everything lasts twice as long."""
Count: TypeAlias = Annotated[int, count]
"""A whole number, at least 0."""
