"""Variables of an optimizer that remember nothing: their memory takes what each step computes of all gradients.

`_backends/jax/memory.py` says why that is faster. They are left out of what is saved, so that a model can be loaded
on a machine where a step has no use for them.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras

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
        for i, variable in enumerate(self._saved()):
            store[str(i)] = variable.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Load what ``save_own_variables`` saved."""
        saved = self._saved()
        if len(store.keys()) != len(saved):
            super().load_own_variables(store)  # which warns
            return
        for i, variable in enumerate(saved):
            variable.assign(store[str(i)])

    def _saved(self) -> list[Any]:
        return [variable for variable in self.variables if not getattr(variable, "lent", False)]
