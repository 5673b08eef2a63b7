"""Rows that hold NaN or infinity, and whether a model can do with them."""

from typing import Any

import keras
import numpy as np

from keras_lr.training._borrow import borrowed
from keras_lr.training._executed_together import executed_together
from keras_lr.training._training_data import TrainingData

LEFT_OUT = "a step on them leaves no finite weights, so they are left out; fill them if they are to be learnt from"
NOT_TRIED = (
    "unless the model is made for that, a batch with such a row has no finite loss, and its step is lost; leave these "
    "rows out, or fill them"
)
ON_DISK = (
    "a batch with such a row has no finite loss, and its step is lost; a file that is mapped into memory is not copied "
    "without them: leave these rows out, or fill them"
)
NOT_EVALUATED = "unless the model is made for that, val_loss is not finite; leave these rows out, or fill them"


def leave_out_spoilt_rows(model: keras.Model, data: TrainingData) -> str:
    """Leave rows that are not finite out of arrays, where a step on them spoils the model; returns what was done.

    A model may be made for such rows, by a mask or a loss of its own, which only a step can tell. It is made on a batch
    that is half of such rows, as a loss that divides by the number of good targets needs some, and taken back. An array
    that is mapped from a file, and may be larger than the memory, stays whole.

    Args:
        model: built and compiled.
        data: from which the rows are taken.

    Returns:
        How a sentence about such rows goes on; "" where the model can do with them.
    """
    rows = not_finite(data.training_arrays)
    if rows is None or not rows.any() or rows.all() or executed_together(model) > 1:
        return NOT_TRIED
    spoilt, sound = np.flatnonzero(rows), np.flatnonzero(~rows)
    in_turn = np.stack([np.resize(places, len(rows)) for places in (spoilt, sound)], axis=1).ravel()
    with borrowed(model) as steps:
        loss = float(steps.step(data.batch_of(steps, in_turn), 0.0))
        if np.isfinite(loss) and steps.finite():
            return ""
    if any(isinstance(part, np.memmap) for part in keras.tree.flatten(data.training_arrays)):
        return ON_DISK
    data.leave_out(rows)
    return LEFT_OUT


def not_finite(nested: Any) -> np.ndarray | None:
    """Return which rows hold NaN or infinity; None where no part is a NumPy array or pandas table of fractions."""
    parts = [rows for part in keras.tree.flatten(nested) if (rows := _not_finite(part)) is not None]
    return np.any(parts, axis=0) if parts else None


def _not_finite(given: Any) -> np.ndarray | None:
    array = given.to_numpy() if hasattr(given, "to_numpy") else given
    if not isinstance(array, np.ndarray) or array.dtype.kind != "f" or not array.ndim:
        return None
    with np.errstate(invalid="ignore", over="ignore"):
        if np.isfinite(np.sum(array, dtype=np.float64)):  # quick, and the rule
            return np.zeros(len(array), bool)
        within = tuple(range(1, array.ndim))
        rows = ~np.isfinite(np.sum(array, axis=within, dtype=np.float64))
    rows[rows] = ~np.all(np.isfinite(array[rows]), axis=within)  # a sum may have overflowed
    return rows
