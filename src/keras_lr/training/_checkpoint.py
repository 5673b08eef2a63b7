"""One file that holds a training at the end of an epoch: arrays to the last bit, and facts about it as JSON.

The file is replaced in one move, so that a kill in the middle of writing leaves the one before. No pickle is in it.
"""

import json
import os
import pathlib
import zipfile
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

FORMAT = "keras-lr backup 1"
_FILE, _FACTS = "training.npz", "facts"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What one file holds.

    Attributes:
        facts: whatever JSON can hold, NaN and infinity included.
        values: by name, the arrays that `arrays_of` made of what a training step works on.
    """

    facts: dict[str, Any]
    values: dict[str, list[np.ndarray]]


def write_checkpoint(directory: pathlib.Path, checkpoint: Checkpoint) -> None:
    """Write a file into a directory, in the place of the one before."""
    facts = json.dumps({"format": FORMAT, **checkpoint.facts}, default=lambda array: array.tolist())
    arrays: dict[str, Any] = {_FACTS: np.frombuffer(facts.encode(), np.uint8)}
    for name, values in checkpoint.values.items():
        arrays |= {f"{name}/{i}": array for i, array in enumerate(values)}
    unfinished = directory / f"{_FILE}.unfinished"
    with unfinished.open("wb") as file:
        np.savez(file, **arrays)
        file.flush()
        os.fsync(file.fileno())
    os.replace(unfinished, directory / _FILE)


def make_directory(directory: pathlib.Path) -> None:
    """Make the directory, unless it is there.

    Raises:
        ValueError: it is a file, or nothing can be written into it.
    """
    if directory.is_file():
        raise ValueError(f"backup_dir={str(directory)!r} is a file; name a directory, which need not exist yet.")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        why = "" if os.access(directory, os.W_OK) else "it is there, but not for you to write into"
    except OSError as error:
        why = f"it cannot be made ({error.strerror})"
    if why:
        raise ValueError(f"backup_dir={str(directory)!r}: {why}. Name a directory that you may write into.")


def read_checkpoint(directory: pathlib.Path) -> Checkpoint | None:
    """Return what the directory holds, or None where there is nothing.

    Raises:
        ValueError: the file is not one of ours.
    """
    path = directory / _FILE
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as stored:
            facts = json.loads(stored[_FACTS].tobytes())
            found = facts.pop("format")
            values: dict[str, list[np.ndarray]] = {}
            for key in stored.files:
                if key != _FACTS:
                    values.setdefault(key.rpartition("/")[0], []).append(stored[key])
    except (zipfile.BadZipFile, EOFError, KeyError, ValueError) as error:
        raise ValueError(f"{str(path)!r} is not a backup of keras_lr; delete it to begin anew.") from error
    if found != FORMAT:
        raise ValueError(f"{str(path)!r} has the format {found!r}, and {FORMAT!r} is what can be read.")
    return Checkpoint(facts, values)


def delete_checkpoint(directory: pathlib.Path) -> None:
    """Delete the file, and the directory if nothing else is in it."""
    for name in (_FILE, f"{_FILE}.unfinished"):
        (directory / name).unlink(missing_ok=True)
    if directory.is_dir() and not any(directory.iterdir()):
        directory.rmdir()


def arrays_of(values: Any) -> list[np.ndarray]:
    """Return the tensors of a nested structure as arrays, in a fixed order."""
    return [keras.ops.convert_to_numpy(tensor) for tensor in keras.tree.flatten(values)]


def values_of(arrays: list[np.ndarray], like: Any) -> Any:
    """Return arrays as tensors in the structure of `like`, on the devices of its tensors."""
    tensors = [_tensor(array, tensor) for array, tensor in zip(arrays, keras.tree.flatten(like), strict=True)]
    return keras.tree.pack_sequence_as(like, tensors)


def plain(value: Any) -> Any:
    """Return what `fit` reports as JSON can hold it: a number, or lists of numbers for a metric that has several."""
    return keras.ops.convert_to_numpy(value).tolist() if hasattr(value, "shape") else value


def _tensor(array: np.ndarray, like: Any) -> Any:
    dtype = keras.ops.convert_to_numpy(like).dtype
    if array.dtype.kind == "V":  # NumPy's files know bfloat16 only as two bytes
        array = array.view(dtype)
    tensor = keras.ops.convert_to_tensor(array, dtype=keras.backend.standardize_dtype(like.dtype))
    return tensor.to(like.device) if keras.backend.backend() == "torch" else tensor
