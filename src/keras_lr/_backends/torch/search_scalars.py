"""The scalars of a search in eager PyTorch: Python floats, read in one transfer.

A chain of operations on tensors of shape () costs a few microseconds each, thirty of them more than the update of
a small model. So all numbers that a decision needs are brought to the host at once.
"""

from collections.abc import Callable
from itertools import islice
from typing import Any

import torch
from torch._utils import _flatten_dense_tensors

CHEAP_TO_COPY = 100_000  # numbers for which one copy costs less than a kernel for each variable


def unpack(*vectors: Any) -> list[list[float]]:
    """Return the entries of each vector (or scalar) as a list of Python floats, in one transfer."""
    flat = [vector.reshape(-1) for vector in vectors]
    if flat[0].is_cpu:
        return [vector.tolist() for vector in flat]  # no transfer to save
    numbers = iter(torch.cat(flat).tolist())
    return [list(islice(numbers, len(vector))) for vector in flat]


def pack(scalars: list[float], like: Any) -> Any:
    """Return a vector of the scalars, with the dtype and on the device of ``like``."""
    return torch.tensor(scalars, dtype=like.dtype, device=like.device)


def at_once(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return ``function(*arguments)``."""
    return function(*arguments)


def either(condition: bool, yes: Callable[[], Any], no: Callable[[], Any]) -> Any:
    """Return what ``yes`` returns where the condition holds, else what ``no`` does; the other is not run."""
    return yes() if condition else no()


def inner(a: list[Any], b: list[Any]) -> Any:
    """Return the inner product over all variables; of few numbers as one kernel instead of two a variable."""
    if sum(x.numel() for x in a) >= CHEAP_TO_COPY:
        return torch.stack([torch.dot(x.reshape(-1), y.reshape(-1)) for x, y in zip(a, b, strict=True)]).sum()
    flat = _flatten_dense_tensors(a)
    return torch.dot(flat, flat if a is b else _flatten_dense_tensors(b))
