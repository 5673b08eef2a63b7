"""Data that are read for an experiment, and left as if nobody had looked."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras

from keras_lr.training._random_state import kept_random_state


@contextmanager
def unread(x: Any) -> Iterator[None]:
    """Leave the process' random generators as they were, and those of a `DataLoader`, whatever is read inside.

    A `PyDataset` is read without its workers: Keras stops them at the end of an epoch, and here none ends.
    """
    batches = getattr(x, "batch_sampler", None)
    holders = (x, getattr(x, "sampler", None), batches, getattr(batches, "sampler", None))
    generators: list[Any] = [getattr(holder, "generator", None) for holder in holders]
    own = [generator for generator in generators if hasattr(generator, "get_state")]
    states = [generator.get_state() for generator in own]
    workers = x.workers if isinstance(x, keras.utils.PyDataset) else None
    try:
        if workers:
            x.workers = 0
        with kept_random_state():
            yield
    finally:
        if workers:
            x.workers = workers
        for generator, state in zip(own, states, strict=True):
            generator.set_state(state)
