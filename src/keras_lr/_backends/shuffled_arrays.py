"""Arrays in an order that NumPy's generator draws anew for every epoch, as `fit` on JAX does it.

On TensorFlow Keras leaves the order to `tf.random.shuffle` inside a `tf.data` pipeline. That repeats one order in every
epoch once a seed is set, and without a seed nobody can draw the same order again.
"""

import importlib
from typing import Any

import keras


def shuffled_arrays(x: Any, y: Any, sample_weight: Any, *, class_weight: Any, batch_size: int) -> Any | None:
    """Return what `model.fit` takes as `x` instead of all that is given, or None where it needs no help."""
    if keras.backend.backend() != "tensorflow":
        return None
    arrays = importlib.import_module("keras_lr._backends.tensorflow.shuffled_arrays").ShuffledArrays
    return arrays(x, y, sample_weight=sample_weight, class_weight=class_weight, batch_size=batch_size, shuffle=True)
