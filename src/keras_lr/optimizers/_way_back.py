"""How far a trial may take the weights: they come back by subtraction, for want of memory for a second set."""

import math
from collections.abc import Sequence

import keras

LOST = 1e-3  # root mean square of what rounding may change in the weights on the way back
FRACTION_BITS = {"float16": 10, "bfloat16": 7, "float32": 23, "float64": 52}


def farthest(variables: Sequence[keras.Variable]) -> float:
    """Return the length of the longest step from which weights come back."""
    weights = sum(math.prod(v.shape) for v in variables)
    bits = min(FRACTION_BITS[keras.backend.standardize_dtype(v.dtype)] for v in variables)
    return LOST * 2**bits * math.sqrt(weights)
