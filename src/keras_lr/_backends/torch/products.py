"""Two inner products on PyTorch, one after the other: its own kernel for one is the fastest."""

from typing import Any

from keras_lr._backends.torch.search_scalars import inner


def products(a: list[Any], b: list[Any]) -> tuple[Any, Any]:
    """Return ⟨a, b⟩ and ⟨a, a⟩ over all variables."""
    return inner(a, b), inner(a, a)
