"""Logs of a compiled step on JAX, in which all numbers travel as one vector.

`fit` reads every entry of the logs after every step, and each array that it reads costs tens of microseconds, a tenth
of the step of a small model. So the compiled program returns one vector, the loss in it, and it is read once: what an
optimizer reports costs no more arrays than Keras' own step returns.
"""

import math
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np


class Entry:
    """One number of a vector, read when it is asked for.

    Args:
        read: the vector, and after the first reading the numbers in it: shared by the entries of one vector.
        index: which of them.
    """

    __slots__ = ("index", "read")

    def __init__(self, read: list[Any], index: int) -> None:
        self.read = read
        self.index = index

    def __float__(self) -> float:
        if len(self.read) == 1:
            self.read.append(np.asarray(self.read[0]).tolist())
        return float(self.read[1][self.index])

    def __int__(self) -> int:
        return int(float(self))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(float(self), dtype or np.float32)


@jax.tree_util.register_pytree_node_class
class Logs(dict[str, Any]):
    """Logs whose numbers are entries of one vector.

    Args:
        others: what does not fit into the vector, as Keras reports it.
        vector: the numbers.
        places: for each name its place in the vector.
    """

    def __init__(self, others: dict[str, Any], vector: Any, places: tuple[tuple[str, int], ...]) -> None:
        read = [vector]
        super().__init__({**others, **{name: Entry(read, place) for name, place in places}})
        self.parts = (others, vector)
        self.places = places

    def tree_flatten(self) -> tuple[Any, Any]:
        """Return what is computed, and what is known before."""
        return self.parts, self.places

    @classmethod
    def tree_unflatten(cls, places: Any, parts: Any) -> Self:
        """Put both together again."""
        others, vector = parts
        return cls(others, vector, places)


def with_reports(logs: dict[str, Any], reported: dict[str, Any], values: dict[int, Any]) -> dict[str, Any]:
    """Add to the logs what an optimizer reports: see `attached_step_interface.reports_of`.

    Args:
        logs: the logs of Keras' step.
        reported: variables, or pairs of a variable and an index into it, by name.
        values: the new value of a variable by the `id` of the variable.
    """
    if not reported:
        return logs
    pairs = {name: v if isinstance(v, tuple) else (v, 0) for name, v in reported.items()}
    numbers = {name: x for name, x in logs.items() if getattr(x, "shape", None) == () and x.dtype == jnp.float32}
    vectors = {id(v): values[id(v)] for v, _ in pairs.values()}
    sizes = [math.prod(x.shape) for x in vectors.values()]
    begins = dict(zip(vectors, np.cumsum([len(numbers), *sizes]).tolist(), strict=False))
    places = [*zip(numbers, range(len(numbers)), strict=True), *((n, begins[id(v)] + i) for n, (v, i) in pairs.items())]
    parts = [jnp.asarray(x, "float32").reshape(-1) for x in (*numbers.values(), *vectors.values())]
    others = {name: x for name, x in logs.items() if name not in numbers}
    return Logs(others, jnp.concatenate(parts), tuple(places))
