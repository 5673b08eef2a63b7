"""Shapes: how to come from 1 down to 0 while the progress goes from 0 to 1.

One shape serves every place that falls or rises: a decay, the end of a warm-up–stable–decay schedule, a warm-up (read
backwards), the phases of one-cycle. A function ``f(p)`` of the progress with the same ends is a shape as well.
"""

from __future__ import annotations

import math
from typing import Any

from keras_lr.schedules._value import Positive, Value, value


class Shape(Value):
    """A function from [0, 1] to [0, 1] that is 1 at 0 and 0 at 1."""

    def __call__(self, p: Any, xp: Any) -> Any:
        """Return the shape at progress `p`, with the functions of `xp`."""
        raise NotImplementedError(f"{type(self).__name__} must define `__call__(p, xp)`.")


@value
class Linear(Shape):
    """``1 - p``."""

    def __call__(self, p: Any, xp: Any) -> Any:
        """Return the shape at progress `p`."""
        return 1 - p


@value
class Power(Shape):
    """``(1 - p)^power``: steep first for a power above 1.

    Args:
        power: above 0; 1 is `Linear`. Default 2.
    """

    power: Positive = 2.0

    def __call__(self, p: Any, xp: Any) -> Any:
        """Return the shape at progress `p`."""
        return (1 - p) ** self.power


@value
class OneMinusPower(Shape):
    """``1 - p^power``: flat first for a power above 1; the half is 1-sqrt, the best cooldown in arXiv 2405.18392.

    Args:
        power: above 0. Default 0.5.
    """

    power: Positive = 0.5

    def __call__(self, p: Any, xp: Any) -> Any:
        """Return the shape at progress `p`."""
        return 1 - p**self.power


@value
class Cosine(Shape):
    """``(1 + cos(pi p^power)) / 2``; a power above 1 is k-decay (arXiv 2004.05909).

    Args:
        power: above 0. Default 1.
    """

    power: Positive = 1.0

    def __call__(self, p: Any, xp: Any) -> Any:
        """Return the shape at progress `p`."""
        return (1 + xp.cos(math.pi * (p if self.power == 1 else p**self.power))) / 2


@value
class Exponential(Shape):
    """``(r^p - r) / (1 - r)``: a straight line on a logarithmic axis when the end is `r` times the start.

    Args:
        ratio: `r`, above 0, not 1. Default 0.1.
    """

    ratio: Positive = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.ratio == 1:
            raise ValueError("Exponential: the argument `ratio` must differ from 1; for that limit take Linear().")

    def __call__(self, p: Any, xp: Any) -> Any:
        """Return the shape at progress `p`."""
        return (self.ratio**p - self.ratio) / (1 - self.ratio)


@value
class REX(Shape):
    """``(1 - p) / (1 - p / 2)``: above linear, steep at the end (arXiv 2107.04197)."""

    def __call__(self, p: Any, xp: Any) -> Any:
        """Return the shape at progress `p`."""
        return (1 - p) / (1 - p / 2)


@value
class Sigmoid(Shape):
    """The logistic curve around the middle, moved to hit both ends.

    Args:
        steepness: above 0. Default 10.
    """

    steepness: Positive = 10.0

    def __call__(self, p: Any, xp: Any) -> Any:
        """Return the shape at progress `p`."""
        half = self.steepness / 2
        return (1 - xp.tanh(half * (p - 0.5)) / xp.tanh(half / 2)) / 2


@value
class Sine(Shape):
    """``1 - sin(pi p / 2)``: falls at once and flattens towards its end."""

    def __call__(self, p: Any, xp: Any) -> Any:
        """Return the shape at progress `p`."""
        return 1 - xp.sin(math.pi / 2 * p)
