"""Two inner products, one after the other: where a kernel of the framework's own is the fastest."""

from typing import Any

from keras_lr._backends.search_scalars import inner


def products(a: list[Any], b: list[Any]) -> tuple[Any, Any]:
    """Return ⟨a, b⟩ and ⟨a, a⟩ over all variables."""
    return inner(a, b), inner(a, a)
