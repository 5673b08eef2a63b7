"""Variables of an optimizer that remember nothing: their memory takes what each step computes of all gradients.

`_backends/jax/memory.py` says why that is faster. What is saved does not depend on how an optimizer keeps its memory:
these variables are left out, and what is joined in one is saved variable by variable, so that a model can be loaded
where other variables are joined, or a step has no use for such memory.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from keras_lr._backends import memory

WORTH_LENDING = 2**16  # entries that a tensor needs for its memory to be worth a variable


class LendingOptimizer(keras.optimizers.Optimizer):
    """Base of optimizers that hold all gradients of a step at once, and of those that wrap one."""

    def lend(self, shapes: Sequence[tuple[int, ...]], make: Callable[[int], Any]) -> dict[int, Any]:
        """Return by place the variables that ``make(place)`` made for the tensors of ``shapes`` that are worth it."""
        sizes = [math.prod(shape) for shape in shapes]
        worth = [i for i, size in enumerate(sizes) if size >= WORTH_LENDING] if memory.pays(sum(sizes)) else []
        lent = {i: make(i) for i in worth}
        for variable in lent.values():
            variable.lent = True
        return lent

    def save_own_variables(self, store: Any) -> None:
        """Save what the optimizer remembers."""
        flat: dict[int, Any] = {}
        for i, (variable, entries, shape) in enumerate(self._saved()):
            if id(variable) not in flat:
                flat[id(variable)] = variable.numpy().reshape(-1)
            store[str(i)] = flat[id(variable)][entries].reshape(shape)

    def load_own_variables(self, store: Any) -> None:
        """Load what ``save_own_variables`` saved."""
        saved = self._saved()
        if len(store.keys()) != len(saved):
            super().load_own_variables(store)  # which warns
            return
        parts: dict[int, list[Any]] = {}
        for i, (variable, _, _) in enumerate(saved):
            parts.setdefault(id(variable), []).append(store[str(i)])
        for variable in {id(variable): variable for variable, _, _ in saved}.values():
            first, *others = parts[id(variable)]
            variable.assign(np.concatenate([np.ravel(part) for part in (first, *others)]) if others else first)

    def _saved(self) -> list[tuple[Any, slice, tuple[int, ...]]]:
        """Return what is saved, in the order of the file: of each variable, or part of one, its entries and shape."""
        saved = []
        kept = [variable for variable in self.variables if not getattr(variable, "lent", False)]
        for _, variables in itertools.groupby(kept, key=lambda variable: getattr(variable, "slot", id(variable))):
            parts = []
            for variable in variables:
                begin = 0
                for place, shape in getattr(variable, "members", [(0, tuple(variable.shape))]):
                    end = begin + math.prod(shape)
                    parts.append((place, (variable, slice(begin, end), shape)))
                    begin = end
            saved += [part for _, part in sorted(parts, key=lambda part: part[0])]
        return saved
