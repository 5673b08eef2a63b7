"""Shapes: how to come from 1 down to 0 while the progress goes from 0 to 1.

One shape serves every place that falls or rises: a decay, the end of a warm-up–stable–decay schedule, a warm-up (read
backwards), the phases of one-cycle. A function ``f(p)`` of the progress with the same ends is a shape as well.
"""

from __future__ import annotations

import math
from typing import Any

from keras_lr._arguments import Positive
from keras_lr._value import Value, value


class Shape(Value):
    """A function from [0, 1] to [0, 1] that is 1 at 0 and 0 at 1.

    Example:
    >>> from keras_lr import schedules
    >>> class Parabola(schedules.shapes.Shape):
    ...     def __call__(self, p, xp):
    ...         return 1 - p**2
    >>> schedules.Decay(1.0, 4, shape=Parabola()).values(range(5)).tolist()
    [1.0, 0.9375, 0.75, 0.4375, 0.0]
    """

    def __call__(self, p: Any, xp: Any) -> Any:
        """Return the shape at progress `p`, with the functions of `xp`."""
        raise NotImplementedError(f"{type(self).__name__} must define `__call__(p, xp)`.")


@value
class Linear(Shape):
    """``1 - p``.

    Example:
    >>> import numpy as np
    >>> from keras_lr.schedules import shapes
    >>> shapes.Linear()(np.array([0.0, 0.25, 0.5, 0.75, 1.0]), np).tolist()
    [1.0, 0.75, 0.5, 0.25, 0.0]
    """

    def __call__(self, p: Any, xp: Any) -> Any:
        """Return the shape at progress `p`."""
        return 1 - p


@value
class Power(Shape):
    """``(1 - p)^power``: steep first for a power above 1.

    Args:
        power: above 0; 1 is `Linear`. Default 2.

    Example:
    >>> from keras_lr.schedules import Decay, shapes
    >>> Decay(1.0, 4, shape=shapes.Power(2)).values(range(5)).tolist()
    [1.0, 0.5625, 0.25, 0.0625, 0.0]
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

    Example:
    >>> from keras_lr.schedules import Decay, shapes
    >>> Decay(1.0, 4, shape=shapes.OneMinusPower(2)).values(range(5)).tolist()
    [1.0, 0.9375, 0.75, 0.4375, 0.0]
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

    Example:
    >>> from keras_lr.schedules import Decay, shapes
    >>> Decay(1.0, 4, shape=shapes.Cosine()).values(range(5)).round(3).tolist()
    [1.0, 0.854, 0.5, 0.146, 0.0]
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

    Raises:
        ValueError: `ratio` is 1.

    Example:
    >>> from keras_lr.schedules import Decay, shapes
    >>> Decay(1.0, 4, 0.0625, shapes.Exponential(0.0625)).values(range(5)).round(12).tolist()
    [1.0, 0.5, 0.25, 0.125, 0.0625]
    """

    ratio: Positive = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.ratio == 1:
            remedy = "For that limit take Linear()."
            raise ValueError(self._argument("ratio").refusal("a number other than 1", self.ratio, remedy))

    def __call__(self, p: Any, xp: Any) -> Any:
        """Return the shape at progress `p`."""
        return (self.ratio**p - self.ratio) / (1 - self.ratio)


@value
class REX(Shape):
    """``(1 - p) / (1 - p / 2)``: above linear, steep at the end (arXiv 2107.04197).

    Example:
    >>> from keras_lr.schedules import Decay, shapes
    >>> Decay(1.0, 4, shape=shapes.REX()).values(range(5)).round(3).tolist()
    [1.0, 0.857, 0.667, 0.4, 0.0]
    """

    def __call__(self, p: Any, xp: Any) -> Any:
        """Return the shape at progress `p`."""
        return (1 - p) / (1 - p / 2)


@value
class Sigmoid(Shape):
    """The logistic curve around the middle, moved to hit both ends.

    Args:
        steepness: above 0. Default 10.

    Example:
    >>> from keras_lr.schedules import Decay, shapes
    >>> Decay(1.0, 4, shape=shapes.Sigmoid()).values(range(5)).round(3).tolist()
    [1.0, 0.93, 0.5, 0.07, 0.0]
    """

    steepness: Positive = 10.0

    def __call__(self, p: Any, xp: Any) -> Any:
        """Return the shape at progress `p`."""
        half = self.steepness / 2
        return (1 - xp.tanh(half * (p - 0.5)) / xp.tanh(half / 2)) / 2


@value
class Sine(Shape):
    """``1 - sin(pi p / 2)``: falls at once and flattens towards its end.

    Example:
    >>> from keras_lr.schedules import Decay, shapes
    >>> Decay(1.0, 4, shape=shapes.Sine()).values(range(5)).round(3).tolist()
    [1.0, 0.617, 0.293, 0.076, 0.0]
    """

    def __call__(self, p: Any, xp: Any) -> Any:
        """Return the shape at progress `p`."""
        return 1 - xp.sin(math.pi / 2 * p)
