"""The random generators outside a model that decide what training does next: Python's, NumPy's and Keras' own."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import keras
import numpy as np
from keras.src.random.seed_generator import global_seed_generator


@contextmanager
def kept_random_state() -> Iterator[None]:
    """Leave the process' random generators as they were, whatever is drawn inside."""
    seeds = global_seed_generator().state
    states = (random.getstate(), np.random.get_state(), keras.ops.convert_to_numpy(seeds).copy())
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        seeds.assign(states[2])
