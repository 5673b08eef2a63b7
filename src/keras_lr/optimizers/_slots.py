"""What an optimizer remembers of each variable, and how it is read where some variables are left out."""

from collections.abc import Sequence
from typing import Any

from keras_lr._backends import lists
from keras_lr.optimizers._packing import Packing


class Slots:
    """Lists of Keras variables by name, one for each tensor of a packing.

    Args:
        packing: how the variables of the model are joined.
        dtype: of what is read.
    """

    def __init__(self, packing: Packing, dtype: str) -> None:
        self.packing = packing
        self.dtype = dtype
        self.variables: dict[str, list[Any]] = {}

    def read(self, packing: Packing, present: Sequence[int]) -> dict[str, list[Any]]:
        """Return all slots of the variables that are present, joined as ``packing`` says: as here, or not at all."""
        if packing is self.packing:
            return {name: lists.read(slot, self.dtype) for name, slot in self.variables.items()}
        return {name: self.apart(name, present) for name in self.variables}

    def write(self, name: str, values: list[Any], packing: Packing, present: Sequence[int]) -> None:
        """Store values that are joined as ``packing`` says."""
        if packing is not self.packing:
            every = self.apart(name, range(len(self.packing.shapes)))
            for i, value in zip(present, values, strict=True):
                every[i] = value
            values = self.packing.pack(every)
        lists.write(self.variables[name], values)

    def apart(self, name: str, present: Sequence[int]) -> list[Any]:
        """Return one tensor for each variable that is present."""
        values = self.packing.unpack(lists.read(self.variables[name], self.dtype))
        return [values[i] for i in present]
