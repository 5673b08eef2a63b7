"""The first `fit` of a new model, which looks at a batch before it begins and so moves the shuffling generator."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras


@contextmanager
def first_fit_unspent(model: keras.Model) -> Iterator[None]:
    """Let the first `fit` of a new model still be its first, whatever builds the model inside."""
    loss = getattr(model, "_compile_loss", None)
    was_built = loss is None or loss.built
    try:
        yield
    finally:
        if not was_built:
            first_fit_to_come(model)


def first_fit_to_come(model: keras.Model) -> None:
    """Let the next `fit` of a built model begin as that of a new one.

    On JAX and PyTorch that looks at a batch before it begins, where the loss is not built yet. Keras' own mark is the
    only thing that it asks, so the mark is put back.
    """
    loss = getattr(model, "_compile_loss", None)
    if loss is not None and keras.backend.backend() != "tensorflow":
        loss.metrics.clear()  # building adds one mean for each of several outputs
        loss.built = False
