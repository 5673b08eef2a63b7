"""The first `fit` of a new model, which looks at a batch before it begins and so moves the shuffling generator."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras


@contextmanager
def first_fit_unspent(model: keras.Model) -> Iterator[None]:
    """Let the first `fit` of a new model still be its first, whatever builds the model inside."""
    mark = _mark(model)
    was_built = mark is None or mark.built
    try:
        yield
    finally:
        if not was_built:
            first_fit_to_come(model)


def first_fit_to_come(model: keras.Model) -> None:
    """Let the next `fit` of a built model begin as that of a new one.

    On JAX and PyTorch that looks at a batch before it begins, where the loss (or the metrics of a model that computes
    its loss itself) are not built yet. Keras' own mark is the only thing that it asks, so the mark is put back.
    """
    mark = _mark(model)
    if mark is None or keras.backend.backend() == "tensorflow":
        return
    if mark is model._compile_loss:
        mark.metrics.clear()  # building adds one mean for each of several outputs
    mark.built = False


def _mark(model: keras.Model) -> Any:
    return getattr(model, "_compile_loss", None) or getattr(model, "_compile_metrics", None)
