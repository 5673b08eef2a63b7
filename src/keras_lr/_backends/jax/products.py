"""Two inner products in one pass on JAX: XLA's CPU compiler reads an array again for every sum that it is part of.

For a large model those passes over the memory are what a search costs. A scan over rows keeps two sums at once.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp

from keras_lr._backends.ops.search_scalars import SMALL, inner

_WIDEST, _NARROWEST = 4096, 256  # of a row; in narrower ones the loop costs more than the second pass


def products(a: list[Any], b: list[Any]) -> tuple[Any, Any]:
    """Return ⟨a, b⟩ and ⟨a, a⟩ over all variables."""
    if sum(x.size for x in a) < SMALL:
        return inner(a, b), inner(a, a)
    pairs = [_products(x, y) for x, y in zip(a, b, strict=True)]
    return sum(mixed for mixed, _ in pairs), sum(square for _, square in pairs)


def _products(a: Any, b: Any) -> tuple[Any, Any]:
    width = math.gcd(a.size, _WIDEST)
    if a.size < SMALL or width < _NARROWEST:
        return jnp.sum(a * b), jnp.sum(a * a)

    def add(sums: tuple[Any, Any], rows: tuple[Any, Any]) -> tuple[tuple[Any, Any], None]:
        x, y = rows
        return (sums[0] + x * y, sums[1] + x * x), None

    nothing = jnp.zeros(width, a.dtype)
    (mixed, square), _ = jax.lax.scan(add, (nothing, nothing), (a.reshape(-1, width), b.reshape(-1, width)))
    return jnp.sum(mixed), jnp.sum(square)
