"""What JAX needs of its own in the vocabulary of lists.

Outside of `jit` a conditional would be compiled each time. Inside, XLA decides when an array is overwritten, and copies
it where it puts the writing before a reading.
"""

import itertools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from keras_lr._backends.jax import rows
from keras_lr._backends.ops import lists

Tensors = list[Any]
_IN_ORDER = 8  # kernels of a computation that XLA runs one after the other, in one thread


def where_(condition: Any, change: Callable[..., Tensors], a: Tensors, *others: Tensors) -> Tensors:
    """Return ``change(a, *others)`` where the scalar ``condition`` holds, else a. Nothing is computed otherwise."""
    if isinstance(condition, jax.core.Tracer):
        return lists.where_(condition, change, a, *others)
    return change(a, *others) if condition else a


def copy_where_(a: Tensors, b: Tensors, condition: Any) -> Tensors:
    """Return a copy of b where the scalar ``condition`` holds, else a."""
    return where_(condition, lambda _, y: list(y), a, b)


def swap_where_(a: Tensors, b: Tensors, condition: Any) -> tuple[Tensors, Tensors]:
    """Return (b, a) where the scalar ``condition`` holds, else (a, b). Both may be consumed."""
    if isinstance(condition, jax.core.Tracer):
        return lists.swap_where_(a, b, condition)
    return (b, a) if condition else (a, b)


def parts(vector: Any, shapes: list[tuple[int, ...]]) -> Tensors:
    """Return the tensors of ``shapes`` that lie end to end in a vector.

    XLA hands the kernels of a large computation to the threads of a CPU one by one, which takes longer than a small
    part takes to copy; those of a small computation it runs itself. A conditional is a computation of its own.
    """
    if not isinstance(vector, jax.core.Tracer) or jax.default_backend() != "cpu":
        return lists.parts(vector, shapes)
    ends = list(itertools.accumulate(map(math.prod, shapes), initial=0))
    found: Tensors = []
    for first in range(0, len(shapes), _IN_ORDER):
        here = shapes[first : first + _IN_ORDER]

        def cut(vector: Any, here: list[tuple[int, ...]] = here, begin: int = ends[first]) -> Tensors:
            return lists.parts(vector[begin : begin + sum(map(math.prod, here))], here)

        found += jax.lax.cond(vector[0] > 0.0, cut, cut, vector)
    return found


def after(number: Any, a: Tensors) -> Any:
    """Return the number, a float or a truth value, known only after the tensors are.

    What depends on it overwrites the weights, and the gradients are the last to need them.
    """
    zero = _zero([x.reshape(-1)[:1] for x in a])
    return number | (zero > 0.0) if number.dtype == bool else number + zero


def once_known(number: Any, *lists: Tensors) -> tuple[Tensors, ...]:
    """Return the lists, to be overwritten only when ``number``, which was computed from them, is known."""
    zero = _zero([number])
    return tuple([x + zero for x in a] for a in lists)


def computed(a: Tensors) -> Tensors:
    """Return a, which is computed once, before what is computed from it."""
    one = 1.0 + _zero([a[0].reshape(-1)[:1]])
    return [x / one for x in a]


def dots_over_root(a: Tensors, b: Tensors, v: Tensors, epsilon: float) -> Any:
    """⟨aᵢ, bᵢ / (√vᵢ + epsilon)⟩ for each variable: shape ``(n,)``. By rows, or XLA would write arrays of epsilons."""
    triples = zip(a, b, v, strict=True)
    return jnp.stack([rows.sums([lambda x, y, z: x * y / (jnp.sqrt(z) + epsilon)], *t)[0] for t in triples])


def _zero(numbers: list[Any]) -> Any:
    """Return a zero that depends on the numbers: nothing but a dependence keeps XLA from writing before it reads."""
    total = sum(jnp.sum(jnp.nan_to_num(number)) for number in numbers)
    return 0.0 * jnp.clip(total, -1.0, 1.0)
