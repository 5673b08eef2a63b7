"""Two inner products in one pass on JAX: for a large model, passes over the memory are what a search costs."""

from typing import Any

from keras_lr._backends.jax import rows
from keras_lr._backends.ops.search_scalars import FIT_IN_CACHE, inner


def products(a: list[Any], b: list[Any]) -> tuple[Any, Any]:
    """Return ⟨a, b⟩ and ⟨a, a⟩ over all variables."""
    if sum(x.size for x in a) < FIT_IN_CACHE:
        return inner(a, b), inner(a, a)
    pairs = [rows.sums((lambda x, y: x * y, lambda x, y: x * x), x, y) for x, y in zip(a, b, strict=True)]
    return sum(mixed for mixed, _ in pairs), sum(square for _, square in pairs)
