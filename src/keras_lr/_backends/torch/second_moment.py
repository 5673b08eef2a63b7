"""A gradient over the root of its second moment on PyTorch: block by block, in the memory of the old ones.

Six kernels one after the other would fetch three large arrays again for each of them. A block of each stays in the
cache of a processor while all six pass over it, and no fresh memory is written.
"""

from collections.abc import Iterator
from typing import Any

import torch

from keras_lr._backends.torch.search_scalars import CHEAP_TO_COPY

Tensors = list[Any]
_BLOCK = 65536  # numbers; three arrays of them are 768 KiB


def over_root_(u: Tensors, v: Tensors, g: Tensors, epsilon: Any, rho: float | None = None) -> tuple[Tensors, Tensors]:
    """Return u = g / (√v + epsilon) and the new v: v + g², or with ``rho`` the mean rho · v + (1 - rho) · g²."""
    for ours, moment, gradient in _blocks(u, v, g):
        if rho is not None:
            torch._foreach_mul_(moment, rho)
        torch._foreach_addcmul_(moment, gradient, gradient, value=1.0 if rho is None else 1.0 - rho)
        torch._foreach_copy_(ours, moment)
        torch._foreach_sqrt_(ours)
        torch._foreach_add_(ours, epsilon)
        torch._foreach_reciprocal_(ours)
        torch._foreach_mul_(ours, gradient)
    return u, v


def _blocks(*lists: Tensors) -> Iterator[tuple[Tensors, ...]]:
    """Yield the lists cut alike into parts that fit a cache; as they are where they are small or not on a processor."""
    first = lists[0]
    if first[0].device.type != "cpu" or sum(x.numel() for x in first) < CHEAP_TO_COPY:
        yield lists
        return
    for tensors in zip(*lists, strict=True):
        for parts in zip(*(x.reshape(-1).split(_BLOCK) for x in tensors), strict=True):
            yield tuple([part] for part in parts)
