"""The random generators outside a model that decide what training does next: Python's, NumPy's and Keras' own."""

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import keras
import numpy as np
from keras.src.backend.common import global_state
from keras.src.random.seed_generator import GLOBAL_SEED_GENERATOR


@contextmanager
def kept_random_state() -> Iterator[None]:
    """Leave the process' random generators as they were, whatever is drawn inside."""
    python, numpy = random.getstate(), np.random.get_state()
    # A DataLoader draws from torch's generator whatever the backend; who has not imported torch has not used it.
    torch = sys.modules.get("torch")
    drawn = torch.get_rng_state() if torch else None
    # Keras makes its generator when it is first needed, with a seed from Python's: where there is none yet, none stays.
    generator = global_state.get_global_attribute(GLOBAL_SEED_GENERATOR)
    seeds = None if generator is None else keras.ops.convert_to_numpy(generator.state).copy()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        if torch:
            torch.set_rng_state(drawn)
        if generator is None:
            global_state.set_global_attribute(GLOBAL_SEED_GENERATOR, None)
        else:
            generator.state.assign(seeds)
