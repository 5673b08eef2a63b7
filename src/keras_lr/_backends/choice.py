"""Chooses the file of a verb by the backend that Keras runs on."""

from importlib import import_module
from typing import Any

import keras

BACKENDS = ("jax", "tensorflow", "torch")


def module_of(verb: str) -> Any:
    """Return the file of this room that has a verb for the backend.

    Raises:
        ImportError: Keras runs on another backend.
    """
    backend = keras.backend.backend()
    if backend not in BACKENDS:
        raise ImportError(
            f"keras_lr runs on the backends {', '.join(BACKENDS)}; Keras runs on {backend!r}. "
            "Set KERAS_BACKEND before the first import of keras."
        )
    return import_module(f"keras_lr._backends.{backend}.{verb}")
