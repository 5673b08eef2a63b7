"""The scalars of a search in a compiled step: tensors, and a conditional that is part of the program."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_lr.line_search._scalars import choose

FIT_IN_CACHE = 100_000  # numbers that the cache of the processor holds, so that passes over them are cheap


def unpack(*vectors: Any) -> list[list[Any]]:
    """Return the entries of each vector (or scalar) as a list of scalars."""
    return [list(ops.unstack(vector)) if len(vector.shape) else [vector] for vector in vectors]


def pack(scalars: list[Any], like: Any) -> Any:
    """Return a vector of the scalars, with the dtype of ``like``."""
    return ops.stack([ops.cast(scalar, like.dtype) for scalar in scalars])


def at_once(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return ``function(*arguments)``, scalars made of scalars.

    On TensorFlow operation by operation: to launch one kernel of XLA's takes longer than a hundred of these.
    """
    return function(*arguments)


def either(condition: Any, yes: Callable[[], Any], no: Callable[[], Any]) -> Any:
    """Return what ``yes`` returns where the condition holds, else what ``no`` does; both are run.

    XLA copies tensors that pass a conditional.
    """
    return keras.tree.map_structure(lambda a, b: ops.where(condition, a, b), yes(), no())


def seldom(condition: Any, numbers: int, yes: Callable[[], Any], no: Callable[[], Any]) -> Any:
    """Return what ``yes`` returns, a sum over so many numbers, where the condition holds, else what ``no`` does."""
    return choose(condition, yes, no)


def inner(a: list[Any], b: list[Any]) -> Any:
    """Return the inner product over all variables; of few numbers as one kernel instead of three a variable.

    XLA's dot is twice as fast on a CPU as its sum of products.
    """
    a, b = ([ops.reshape(x, (-1,)) for x in part] for part in (a, b))
    if sum(x.shape[0] for x in a) < FIT_IN_CACHE:
        return ops.dot(ops.concatenate(a), ops.concatenate(b))
    return sum(ops.dot(x, y) for x, y in zip(a, b, strict=True))
