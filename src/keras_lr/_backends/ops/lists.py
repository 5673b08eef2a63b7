"""Arithmetic on lists of tensors in ``keras.ops``: for JAX and TensorFlow, where a compiler fuses it.

Nothing is overwritten here; that the verbs with an underscore may do so is PyTorch's affair.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from keras import ops

Tensors = list[Any]
_TOO_LARGE_TO_STACK = 2**16  # entries; below, to copy variables of a shape next to each other spares kernels
_Function = TypeVar("_Function", bound=Callable[..., Any])


def without_gradients(function: _Function) -> _Function:
    """Decorate a function that must not be differentiated: nothing to do on these backends."""
    return function


def read(variables: list[Any], dtype: str) -> Tensors:
    """Return the values of ``variables`` as tensors of ``dtype``."""
    return [ops.cast(ops.convert_to_tensor(v), dtype) for v in variables]


def write(variables: list[Any], values: Tensors) -> None:
    """Assign ``values`` to ``variables``, rounded to the dtype of each."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(ops.cast(value, variable.dtype))


def dense(gradients: Sequence[Any], variables: list[Any]) -> Tensors:
    """Return the gradients of ``variables`` as dense tensors; None stays None."""
    return [None if g is None else ops.convert_to_tensor(g, sparse=False) for g in gradients]


def to_dtype(a: Tensors, dtype: str) -> Tensors:
    """Return the tensors in ``dtype``."""
    return [ops.cast(x, dtype) for x in a]


def thin(a: Tensors, every: int) -> Tensors:
    """Return one entry out of ``every`` of each tensor, as vectors; the tensors themselves for 1."""
    return a if every == 1 else [ops.reshape(x, (-1,))[::every] for x in a]


def joined(a: Tensors) -> Any:
    """Return the entries of all tensors, end to end."""
    return ops.concatenate([ops.reshape(x, (-1,)) for x in a])


def parts(vector: Any, shapes: list[tuple[int, ...]]) -> Tensors:
    """Return the tensors of ``shapes`` that lie end to end in a vector."""
    ends = list(itertools.accumulate(math.prod(shape) for shape in shapes))
    return [ops.reshape(x, shape) for x, shape in zip(ops.split(vector, ends[:-1]), shapes, strict=True)]


def larger(a: Any, b: Any) -> Any:
    """Return the larger of the numbers a (a tensor) and b, in the dtype of a."""
    return ops.maximum(a, b)


def smaller(a: Any, b: Any) -> Any:
    """Return the smaller of the numbers a (a tensor) and b, in the dtype of a."""
    return ops.minimum(a, b)


def dots(a: Tensors, b: Tensors, minus: Tensors | None = None) -> Any:
    """⟨aᵢ, bᵢ⟩ for each variable, or ⟨aᵢ, bᵢ - minusᵢ⟩ without cancellation: shape ``(n,)``."""
    if minus is not None:
        return _summed(lambda x, y, z: x * (y - z), a, b, minus)
    return _summed(lambda x, y: x * y, a, b)


def dots_over_root(a: Tensors, b: Tensors, v: Tensors, epsilon: float) -> Any:
    """⟨aᵢ, bᵢ / (√vᵢ + epsilon)⟩ for each variable: shape ``(n,)``."""
    return _summed(lambda x, y, z: x * y / (ops.sqrt(z) + epsilon), a, b, v)


def squares(a: Tensors) -> Any:
    """‖aᵢ‖² for each variable: shape ``(n,)``."""
    return _summed(lambda x: x * x, a)


def norms(a: Tensors) -> Any:
    """‖aᵢ‖₁ for each variable: shape ``(n,)``."""
    return _summed(ops.abs, a)


def distances(a: Tensors, b: Tensors) -> Any:
    """‖aᵢ - bᵢ‖² for each variable: shape ``(n,)``."""
    return _summed(lambda x, y: ops.square(x - y), a, b)


def copy(a: Tensors) -> Tensors:
    """Return a list that may be consumed by a verb with an underscore while ``a`` lives on."""
    return list(a)


def after(number: Any, a: Tensors) -> Any:
    """Return the number, a float or a truth value, known only after the tensors are."""
    return number


def computed(a: Tensors) -> Tensors:
    """Return a, which is computed once, before what is computed from it."""
    return a


def once_known(number: Any, *lists: Tensors) -> tuple[Tensors, ...]:
    """Return the lists, to be overwritten only when ``number``, which was computed from them, is known."""
    return lists


def where_(condition: Any, change: Callable[..., Tensors], a: Tensors, *others: Tensors) -> Tensors:
    """Return ``change(a, *others)`` where the scalar ``condition`` holds, else a. Nothing is computed otherwise."""
    return ops.cond(condition, lambda: change(a, *others), lambda: list(a))


def copy_where_(a: Tensors, b: Tensors, condition: Any) -> Tensors:
    """Return a copy of b where the scalar ``condition`` holds, else a."""
    return where_(condition, lambda _, y: list(y), a, b)


def swap_where_(a: Tensors, b: Tensors, condition: Any) -> tuple[Tensors, Tensors]:
    """Return (b, a) where the scalar ``condition`` holds, else (a, b). Both may be consumed."""

    # XLA copies what a conditional exchanges, even if it does not. A loop that is not entered leaves its lists in
    # place, provided that its body does not merely permute them: hence the choice, which always falls on b.
    def exchange(turns: Any, a: Tensors, b: Tensors) -> tuple[Any, Tensors, Tensors]:
        to_b = [ops.where(turns > 0, y, x) for x, y in zip(a, b, strict=True)]
        to_a = [ops.where(turns > 0, x, y) for x, y in zip(a, b, strict=True)]
        return turns - 1, to_b, to_a

    turns = ops.cast(condition, "int32")
    _, a, b = ops.while_loop(lambda turns, a, b: turns > 0, exchange, (turns, list(a), list(b)))
    return a, b


def add_(a: Tensors, b: Tensors, scale: Any = 1.0) -> Tensors:
    """Return a + scale · b."""
    return [x + s * y for x, y, s in zip(a, b, _each(scale, a), strict=True)]


def scale_(a: Tensors, scale: Any) -> Tensors:
    """Return scale · a."""
    return [s * x for x, s in zip(a, _each(scale, a), strict=True)]


def lerp_(a: Tensors, b: Tensors, weight: Any) -> Tensors:
    """Return a + weight · (b - a)."""
    return [x + w * (y - x) for x, y, w in zip(a, b, _each(weight, a), strict=True)]


def addcmul_(a: Tensors, b: Tensors, c: Tensors, scale: Any = 1.0) -> Tensors:
    """Return a + scale · b · c."""
    return [x + s * (y * z) for x, y, z, s in zip(a, b, c, _each(scale, a), strict=True)]


def addcdiv_(a: Tensors, b: Tensors, c: Tensors, scale: Any = 1.0) -> Tensors:
    """Return a + scale · b / c."""
    return [x + s * (y / z) for x, y, z, s in zip(a, b, c, _each(scale, a), strict=True)]


def maximum_(a: Tensors, b: Tensors) -> Tensors:
    """Return the larger of a and b, entry by entry."""
    return [ops.maximum(x, y) for x, y in zip(a, b, strict=True)]


def clip_(a: Tensors, low: float | None = None, high: float | None = None) -> Tensors:
    """Return a, not below ``low`` and not above ``high``."""
    if low is not None:
        a = [ops.maximum(x, low) for x in a]
    if high is not None:
        a = [ops.minimum(x, high) for x in a]
    return a


def abs_(a: Tensors) -> Tensors:
    """Return |a|."""
    return [ops.abs(x) for x in a]


def multiply_(a: Tensors, b: Tensors) -> Tensors:
    """Return a · b, entry by entry."""
    return [x * y for x, y in zip(a, b, strict=True)]


def under_(a: Tensors, b: Tensors) -> Tensors:
    """Return b / a: the quotient takes the place of the denominator."""
    return [y / x for x, y in zip(a, b, strict=True)]


def root(a: Tensors, epsilon: Any = 0.0) -> Tensors:
    """Return √a + epsilon as a new list."""
    return [ops.sqrt(x) + e for x, e in zip(a, _each(epsilon, a), strict=True)]


def sign_(a: Tensors) -> Tensors:
    """Return the sign of each entry, 0 for 0."""
    return [ops.sign(x) for x in a]


def _each(scale: Any, a: Tensors) -> list[Any]:
    if getattr(scale, "shape", ()) == ():
        return [scale] * len(a)
    return [scale[i] for i in range(len(a))]


def _summed(entries: Callable[..., Any], *lists: Tensors) -> Any:
    """The sum of ``entries(x, y, ...)`` for each variable; small variables of a shape are summed in one kernel."""
    groups: dict[Any, list[int]] = {}
    for i, x in enumerate(lists[0]):
        shape = tuple(x.shape)  # TensorFlow does not know that of the gradient of an embedding
        groups.setdefault(shape if None not in shape and math.prod(shape) < _TOO_LARGE_TO_STACK else i, []).append(i)
    parts = []
    for members in groups.values():
        if len(members) == 1:  # as it is: XLA adds up a tensor of any shape faster than one row
            parts.append(ops.reshape(ops.sum(entries(*(a[members[0]] for a in lists))), (1,)))
        else:
            stacks = [ops.reshape(ops.stack([a[i] for i in members]), (len(members), -1)) for a in lists]
            parts.append(ops.sum(entries(*stacks), axis=1))
    places = [i for members in groups.values() for i in members]
    joined = ops.concatenate(parts)
    if places == sorted(places):
        return joined
    return ops.take(joined, sorted(range(len(places)), key=places.__getitem__))
