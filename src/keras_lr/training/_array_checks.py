"""Arrays and tables that Keras cannot train on, refused with what to do about them."""

from typing import Any

import keras
import numpy as np
from keras.src.trainers.data_adapters import array_slicing
from keras.src.trainers.data_adapters.array_data_adapter import can_convert_arrays


def refuse_beside_data(x: Any, **given: Any) -> None:
    """Raise `ValueError` where something is given beside data that hold it themselves."""
    # Of several the one that is no array is named first.
    for name, value in sorted(given.items(), key=lambda item: can_convert_arrays((item[1],))):
        if value is not None:
            raise ValueError(
                f"x is a {type(x).__name__} and {name} a {type(value).__name__}, which Keras does not take together. "
                "Give arrays, tensors or DataFrames for both (np.asarray makes an array of a list of numbers), or only "
                "x, a data set whose batches hold the targets."
            )


def check_rows(**arrays: Any) -> None:
    """Raise `ValueError` unless all have rows, and the same number of them."""
    given = {name: keras.tree.flatten(value) for name, value in arrays.items() if value is not None}
    for name, parts in given.items():
        if not parts or any(part is not None and part.shape == () for part in parts):
            kind = type(arrays[name]).__name__
            shown = f" is a {kind} of {len(parts):,} values, and" if len(parts) > 1 else f"={arrays[name]!r}"
            raise ValueError(
                f"{name}{shown} has no rows: give an array with a row for each example; np.asarray makes one of lists."
            )
    rows = {name: sorted({part.shape[0] for part in parts if part is not None}) for name, parts in given.items()}
    if len({count for counts in rows.values() for count in counts}) > 1:
        found = ", ".join(f"{name} has {' and '.join(map(str, counts))} rows" for name, counts in rows.items())
        lists = [name for name, value in arrays.items() if isinstance(value, list) and len(value) > 1]
        several = f" The list {lists[0]} is taken for several arrays; np.stack makes one of them." if lists else ""
        raise ValueError(f"{found}. All need the same number: look at how they were cut or split.{several}")


def check_values(**arrays: Any) -> None:
    """Raise `ValueError` for arrays and tables whose values are no numbers to Keras, as texts and dates are none."""
    for name, value in arrays.items():
        for part in keras.tree.flatten(value):
            if not isinstance(part, np.ndarray) and not hasattr(part, "to_numpy"):
                continue  # a tensor
            try:
                array_slicing.convert_to_sliceable(part[:1])
            except (TypeError, ValueError) as error:
                remedy = (
                    "number the classes, as by `classes, y = np.unique(y, return_inverse=True)`"
                    if name == "y"
                    else f"make floats of them, as by `{name}.astype('float32')`, or encode them, as "
                    "keras.utils.FeatureSpace does"
                )
                raise ValueError(
                    f"{name} has values that are no numbers to Keras, {_where(part)}: {remedy}."
                ) from error


def _where(part: Any) -> str:
    """Return the dtype of an array, or the columns of a table that hold no numbers, with theirs."""
    if not hasattr(part, "columns"):
        return f"of dtype {part.dtype}"
    wrong = [f"{column!r} ({dtype})" for column, dtype in part.dtypes.items() if not _is_known(dtype)]
    return f"in columns {', '.join(wrong[:3])}" + (f" and {len(wrong) - 3} more" if len(wrong) > 3 else "")


def _is_known(dtype: Any) -> bool:
    try:
        keras.backend.standardize_dtype(dtype)
    except ValueError:
        return False
    return True
