"""The first batch of some data, in the kinds that a model of this backend takes."""

from typing import Any

import keras
from keras.src.trainers.data_adapters.tf_dataset_adapter import TFDatasetAdapter


def first_batch(adapter: Any) -> Any | None:
    """Return the first batch of one of Keras' adapters, or None where there is none.

    Of a `tf.data` pipeline on TensorFlow it is as it comes: NumPy has no arrays for texts and rows of different length.
    """
    as_it_comes = keras.backend.backend() == "tensorflow" and isinstance(adapter, TFDatasetAdapter)
    return next(iter(adapter.get_tf_dataset() if as_it_comes else adapter.get_numpy_iterator()), None)
