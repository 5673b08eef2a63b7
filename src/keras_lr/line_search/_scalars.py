"""Choices between scalars that read the same for Python floats and for traced tensors.

The rules of this room are arithmetic on a few scalars. Inside a compiled step those are tensors; on an eager
backend they are Python floats, because one transfer to the host is cheaper than thirty operations on the device.
A condition that is a `bool` says which of the two it is.
"""

import math
from typing import Any

from keras import ops

Scalar = Any
"""A Python float, or a tensor of shape () of any backend."""


def where(condition: Any, yes: Scalar, no: Scalar) -> Scalar:
    """Return `yes` where the condition holds, else `no`; both are evaluated."""
    if isinstance(condition, bool):
        return yes if condition else no
    return ops.where(condition, yes, no)


def minimum(first: Scalar, second: Scalar) -> Scalar:
    """Return the smaller of two finite scalars."""
    return where(first < second, first, second)


def maximum(first: Scalar, second: Scalar) -> Scalar:
    """Return the larger of two finite scalars."""
    return where(first > second, first, second)


def clip(value: Scalar, low: Scalar, high: Scalar) -> Scalar:
    """Return the value moved into [low, high]; `high` wins where they cross."""
    return minimum(maximum(value, low), high)


def exp(value: Scalar) -> Scalar:
    """Return e to the value."""
    return math.exp(value) if isinstance(value, float) else ops.exp(value)


def sqrt(value: Scalar) -> Scalar:
    """Return the square root of a value that is not negative."""
    return math.sqrt(value) if isinstance(value, float) else ops.sqrt(value)


def is_finite(value: Scalar) -> Any:
    """Say whether the value is neither infinite nor NaN."""
    return math.isfinite(value) if isinstance(value, float) else ops.isfinite(value)
