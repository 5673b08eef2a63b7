"""Which tensors an optimizer computes with: small variables lie end to end in one vector, large ones stay alone.

What a pass over many small variables costs is their number, not their size: a kernel each, and an array each that
enters and leaves the compiled step.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from keras_lr._backends import lists

WORTH_A_KERNEL = 2**14  # entries that a variable needs for a kernel of its own to cost less than a copy
T = TypeVar("T")


@dataclass(frozen=True)
class Packing:
    """The variables of each tensor, by their place.

    Args:
        shapes: of the variables.
        groups: of each tensor the places of its variables: one alone, or several end to end.
    """

    shapes: tuple[tuple[int, ...], ...]
    groups: tuple[tuple[int, ...], ...]

    @classmethod
    def apart(cls, shapes: Sequence[tuple[int, ...]]) -> "Packing":
        """Leave every variable alone."""
        return cls(tuple(shapes), tuple((i,) for i in range(len(shapes))))

    @classmethod
    def together(cls, shapes: Sequence[tuple[int, ...]], kinds: Sequence[Hashable]) -> "Packing":
        """Join the small variables of a kind; None is the kind of a variable that stays alone."""
        groups: dict[Any, list[int]] = {}
        for i, (shape, kind) in enumerate(zip(shapes, kinds, strict=True)):
            small = kind is not None and math.prod(shape) < WORTH_A_KERNEL
            groups.setdefault(("joined", kind) if small else ("alone", i), []).append(i)
        return cls(tuple(shapes), tuple(tuple(group) for group in groups.values()))

    def shape(self, group: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of a tensor."""
        return self.shapes[group[0]] if len(group) == 1 else (sum(math.prod(self.shapes[i]) for i in group),)

    def first(self, values: Sequence[T]) -> list[T]:
        """Return the value that belongs to each tensor from one a variable, the same for all that it holds."""
        return [values[group[0]] for group in self.groups]

    def pack(self, tensors: Sequence[Any]) -> list[Any]:
        """Return the tensors from one a variable."""
        return [
            tensors[group[0]] if len(group) == 1 else lists.joined([tensors[i] for i in group]) for group in self.groups
        ]

    def unpack(self, tensors: Sequence[Any]) -> list[Any]:
        """Return one tensor a variable."""
        values: list[Any] = [None] * len(self.shapes)
        for group, tensor in zip(self.groups, tensors, strict=True):
            shapes = [self.shapes[i] for i in group]
            parts = [tensor] if len(group) == 1 else lists.parts(tensor, shapes)
            for i, part in zip(group, parts, strict=True):
                values[i] = part
        return values
