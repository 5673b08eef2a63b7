"""Rows that were drawn at random, all of one target, as where one class is rare: any rate looks good on them."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np


def another_target(drawn: Any, rest: Callable[[], Any]) -> int | None:
    """Return the first row of the rest that has another target than those that were drawn, if these all have the same.

    Args:
        drawn: the targets of the rows that were drawn.
        rest: returns those of all other rows; it is called only where it has to be.
    """
    targets = _parts(drawn)
    if not targets or _differ(targets, targets).any():
        return None
    others = np.flatnonzero(_differ(_parts(rest()), targets))
    return int(others[0]) if len(others) else None


def _parts(targets: Any) -> list[np.ndarray]:
    return [keras.ops.convert_to_numpy(part) for part in keras.tree.flatten(targets) if part is not None]


def _differ(targets: list[np.ndarray], drawn: list[np.ndarray]) -> np.ndarray:
    """Return which rows have another target than the first row that was drawn, shape `(rows,)`."""
    parts = [part != one[:1] for part, one in zip(targets, drawn, strict=True)]
    return np.any([part.any(axis=tuple(range(1, part.ndim))) for part in parts], axis=0)
