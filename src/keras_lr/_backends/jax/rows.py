"""Sums over large arrays on JAX, row by row: each array is read once for all the sums that it is part of.

XLA's CPU compiler reads an array again for every sum, and writes what is computed of several arrays before it adds it
up. A scan over rows keeps the sums of all columns at once and writes nothing.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from keras_lr._backends.ops.search_scalars import FIT_IN_CACHE

_WIDEST, _NARROWEST = 4096, 256  # of a row; in narrower ones the loop costs more than another pass


def sums(functions: Sequence[Callable[..., Any]], *tensors: Any) -> tuple[Any, ...]:
    """Return for each function, which works entry by entry, the sum of what it makes of the tensors."""
    first = tensors[0]
    width = math.gcd(first.size, _WIDEST)
    if first.size < FIT_IN_CACHE or width < _NARROWEST:
        return tuple(jnp.sum(function(*tensors)) for function in functions)

    def add(totals: tuple[Any, ...], rows: tuple[Any, ...]) -> tuple[tuple[Any, ...], None]:
        return tuple(total + function(*rows) for total, function in zip(totals, functions, strict=True)), None

    nothing = (jnp.zeros(width, first.dtype),) * len(functions)
    totals, _ = jax.lax.scan(add, nothing, tuple(x.reshape(-1, width) for x in tensors))
    return tuple(jnp.sum(total) for total in totals)
