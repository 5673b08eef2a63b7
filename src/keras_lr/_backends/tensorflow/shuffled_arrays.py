"""Keras' adapter of arrays, with the order of every epoch drawn by NumPy's generator."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src.trainers.data_adapters import array_slicing
from keras.src.trainers.data_adapters.array_data_adapter import ArrayDataAdapter


class ShuffledArrays(ArrayDataAdapter):
    """See `_backends.shuffled_arrays`."""

    def get_tf_dataset(self) -> tf.data.Dataset:
        """Return one epoch's batches; the order is drawn when the first of them is asked for."""
        rows, size = self._num_samples, self._batch_size
        whole = rows // size * size
        inputs = keras.tree.lists_to_tuples(
            array_slicing.convert_to_sliceable(self._inputs, target_backend="tensorflow")
        )

        def drawn(_: Any) -> Any:
            order = tf.numpy_function(lambda: np.random.permutation(rows).astype(np.int64), [], tf.int64)
            return tf.ensure_shape(order, (rows,))

        def in_batches(order: Any) -> tf.data.Dataset:
            batches = tf.data.Dataset.from_tensor_slices(tf.reshape(order[:whole], (-1, size)))
            return batches.concatenate(tf.data.Dataset.from_tensors(order[whole:])) if whole < rows else batches

        orders = tf.data.Dataset.range(1).map(drawn).flat_map(in_batches)
        every = tf.data.Dataset.from_tensors(inputs).repeat()
        batches = tf.data.Dataset.zip((orders, every)).map(_taken, num_parallel_calls=tf.data.AUTOTUNE)
        options = tf.data.Options()
        options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
        # As in Keras: the optimizations would copy all the data once more to look at the pipeline.
        options.experimental_optimization.apply_default_optimizations = False
        return batches.with_options(options).prefetch(tf.data.AUTOTUNE)


def _taken(rows: Any, inputs: Any) -> Any:
    def taken(x: Any) -> Any:
        if isinstance(x, array_slicing.TensorflowSparseWrapper):
            return array_slicing.slice_tensorflow_sparse_wrapper(x, rows)
        return tf.gather(x, rows, axis=0) if tf.is_tensor(x) else None

    return keras.tree.traverse(taken, inputs)
