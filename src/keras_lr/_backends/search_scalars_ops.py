"""The scalars of a search in a compiled step: tensors, and a conditional that is part of the program."""

from collections.abc import Callable
from typing import Any

from keras import ops


def unpack(*vectors: Any) -> list[list[Any]]:
    """Return the entries of each vector (or scalar) as a list of scalars."""
    return [list(ops.unstack(ops.reshape(vector, (-1,)))) for vector in vectors]


def pack(scalars: list[Any], like: Any) -> Any:
    """Return a vector of the scalars, with the dtype of ``like``."""
    return ops.stack([ops.cast(scalar, like.dtype) for scalar in scalars])


def choose(condition: Any, yes: Callable[[], Any], no: Callable[[], Any]) -> Any:
    """Return what ``yes`` returns where the condition holds, else what ``no`` does; one of the two is run."""
    return ops.cond(condition, yes, no)
