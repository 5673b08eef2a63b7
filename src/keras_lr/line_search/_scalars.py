"""Arithmetic on scalars that reads the same for Python floats and for traced tensors.

The rules of this room are arithmetic on a few scalars. Inside a compiled step those are tensors; on an eager
backend they are Python floats, because one transfer to the host is cheaper than thirty operations on the device.
A condition that is a `bool` says which of the two it is.
"""

import math
from collections.abc import Callable
from typing import Any, TypeVar

import keras
from keras import ops

from keras_lr.line_search._line import Point

Scalar = Any
"""A Python float, or a tensor of shape () of any backend."""
Scalars = TypeVar("Scalars", bound=tuple[Any, ...])
"""A named tuple of them."""


def where(condition: Any, yes: Scalar, no: Scalar) -> Scalar:
    """Return `yes` where the condition holds, else `no`; both are evaluated."""
    if isinstance(condition, bool):
        return yes if condition else no
    return ops.where(condition, yes, no)


def select(condition: Any, yes: Scalars, no: Scalars) -> Scalars:
    """Return one of two named tuples of scalars, field by field; a field that both have in common stays."""
    return type(yes)(*(a if a is b else where(condition, a, b) for a, b in zip(yes, no, strict=True)))


def choose(condition: Any, yes: Callable[[], Any], no: Callable[[], Any]) -> Any:
    """Return what `yes` returns where the condition holds, else what `no` does; one of the two is run."""
    if isinstance(condition, bool):
        return yes() if condition else no()
    return ops.cond(condition, yes, no)


def loop(go_on: Callable[..., Any], body: Callable[..., Any], state: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the state after `state = body(*state)` as often as `go_on(*state)` holds.

    What `go_on` makes of known scalars it should make anew each time: on JAX a scalar that enters a loop from outside
    costs a kernel, even where the loop makes no turn.
    """
    if isinstance(go_on(*state), bool):
        while go_on(*state):
            state = body(*state)
        return state
    return ops.while_loop(go_on, body, state)


def opposite(condition: Any) -> Any:
    """Return whether the condition does not hold."""
    return not condition if isinstance(condition, bool) else ops.logical_not(condition)


def like(value: Scalar, other: Scalar) -> Scalar:
    """Return the value as what `other` is: a Python float, or a tensor of its dtype."""
    return float(value) if isinstance(other, float) else ops.cast(value, other.dtype)


def count(number: int, other: Scalar) -> Any:
    """Return a whole number beside the scalar `other`: an int, or a tensor, since loops need a dtype that stays."""
    return int(number) if isinstance(other, float) else ops.convert_to_tensor(int(number), dtype="int32")


def alike(start: Point, alpha: Scalar) -> tuple[Point, Scalar]:
    """Return start and first trial as scalars of one kind: floats if Python numbers, else tensors of one dtype.

    A tensor of the right dtype is returned as it is: the weights may stand at the first trial already, and the line
    knows it by its identity.
    """
    if isinstance(start.value, float) or not ops.is_tensor(start.value):
        return Point(0.0, float(start.value), float(start.slope)), float(alpha)
    dtype = keras.backend.standardize_dtype(start.value.dtype)
    if not (ops.is_tensor(alpha) and keras.backend.standardize_dtype(alpha.dtype) == dtype):
        alpha = ops.convert_to_tensor(alpha, dtype=dtype)
    return Point(ops.zeros_like(start.value), start.value, ops.cast(start.slope, dtype)), alpha


def minimum(first: Scalar, second: Scalar) -> Scalar:
    """Return the smaller of two finite scalars."""
    return where(first < second, first, second)


def maximum(first: Scalar, second: Scalar) -> Scalar:
    """Return the larger of two finite scalars."""
    return where(first > second, first, second)


def at_most(x: Scalar, limit: Scalar) -> Scalar:
    """Return the smaller of x and a limit in the dtype of x (`ops.minimum` rounds float64 on PyTorch); NaN stays."""
    return where(x > limit, limit, x)


def at_least(x: Scalar, limit: Scalar) -> Scalar:
    """Return the larger of x and a limit in the dtype of x; NaN stays NaN."""
    return where(x < limit, limit, x)


def clip(value: Scalar, low: Scalar, high: Scalar) -> Scalar:
    """Return the value moved into [low, high]; `high` wins where they cross."""
    return minimum(maximum(value, low), high)


def ratio(numerator: Scalar, denominator: Scalar) -> Scalar:
    """Return the quotient as IEEE 754 has it: infinite or NaN where the denominator is 0."""
    if isinstance(denominator, float) and denominator == 0.0:
        return math.nan if numerator == 0.0 or math.isnan(numerator) else math.copysign(math.inf, numerator)
    return numerator / denominator


def exp(value: Scalar) -> Scalar:
    """Return e to the value."""
    return math.exp(value) if isinstance(value, float) else ops.exp(value)


def sqrt(value: Scalar) -> Scalar:
    """Return the square root of a value that is not negative."""
    return math.sqrt(value) if isinstance(value, float) else ops.sqrt(value)


def is_finite(value: Scalar) -> Any:
    """Say whether the value is neither infinite nor NaN."""
    return math.isfinite(value) if isinstance(value, float) else ops.isfinite(value)
