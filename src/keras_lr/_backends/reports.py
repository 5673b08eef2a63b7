"""Numbers of the logs that travel in one vector: each array that `fit` reads by itself costs tens of microseconds."""

from typing import Any

import numpy as np


class Entry:
    """One number of a vector, read when it is asked for.

    Args:
        read: the vector, and after the first reading the numbers in it: shared by the entries of one vector.
        index: which of them.
    """

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
