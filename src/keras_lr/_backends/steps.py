"""Picks the `TrainingSteps` of the backend that Keras runs on."""

from collections.abc import Callable
from importlib import import_module

import keras

from keras_lr._backends import steps_interface

BACKENDS = ("jax", "tensorflow", "torch")

if keras.backend.backend() not in BACKENDS:
    raise ImportError(
        f"keras_lr trains on the backends {', '.join(BACKENDS)}; Keras runs on {keras.backend.backend()!r}. "
        "Set KERAS_BACKEND before the first import of keras."
    )

TrainingSteps: Callable[[keras.Model], steps_interface.TrainingSteps] = import_module(
    f"keras_lr._backends.steps_{keras.backend.backend()}"
).TrainingSteps
