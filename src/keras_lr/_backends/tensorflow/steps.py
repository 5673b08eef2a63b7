"""The compiled training step on TensorFlow: a `tf.function` that updates variables in place."""

from collections.abc import Sequence
from itertools import islice
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src.trainers.epoch_iterator import EpochIterator

from keras_lr._backends.in_place.steps import StepsInPlace


class TrainingSteps(StepsInPlace):
    """See `steps_interface.TrainingSteps`."""

    def __init__(self, model: keras.Model) -> None:
        if not model.built:
            raise ValueError(
                f"The model {model.name!r} has no weights yet: TensorFlow would build it inside the first step. "
                "Give it a keras.Input, or call it on a batch first."
            )
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        self._is_traced = model.train_function is not None
        self._element_spec: Any = None
        super().__init__(model)
        self.takes_one_batch = model.steps_per_execution == 1 and model.distribute_strategy.num_replicas_in_sync == 1

    def batches(self, iterator_arguments: dict[str, Any], count: int) -> Sequence[Any]:
        adapter = EpochIterator(**iterator_arguments).data_adapter
        data = [iterator_arguments.get(name) for name in ("x", "y", "sample_weight")]
        are_arrays = all(part is None or isinstance(part, np.ndarray) for part in keras.tree.flatten(data))
        if are_arrays and self._is_traced:
            # Slices of the arrays: a dataset, which holds no lists, would copy them whole first.
            found = islice(adapter.get_numpy_iterator(), count)
            return [keras.tree.map_structure(_constant, keras.tree.lists_to_tuples(batch)) for batch in found]
        dataset = adapter.get_tf_dataset()
        self._element_spec = dataset.element_spec
        return list(dataset.take(count))

    def start(self) -> None:
        """Nothing to take in hand: the model's variables are what the steps change."""

    def finish(self) -> None:
        """Nothing is in hand: see `start`."""

    def copy(self) -> Any:
        return [tf.identity(v.value) for v in self._variables()]

    def put(self, values: Any) -> None:
        for variable, value in zip(self._variables(), values, strict=True):
            variable.assign(value)

    def _variables(self) -> list[keras.Variable]:
        # The states of recurrent layers are no variables of the model here, as they are on JAX.
        layers = [layer for layer in self._model._flatten_layers() if getattr(layer, "stateful", False)]
        states = [state for layer in layers for state in keras.tree.flatten(getattr(layer, "states", None) or ())]
        return [*super()._variables(), *states]

    def _taken(self, iterator: Any) -> Any:
        self._is_traced = True
        return iterator[0] if isinstance(iterator, list) else next(iterator)  # a list where a Monitor took it first

    def _fed(self, batch: Any) -> Any:
        if self._is_traced:
            return [batch]
        # The first step must be traced through an iterator with the specification that `fit` will have, or `fit` would
        # trace it again. An iterator for every step would cost more than many a step.
        self._is_traced = True
        return iter(tf.data.Dataset.from_generator(lambda: (batch,), output_signature=self._element_spec))


def _constant(array: np.ndarray | None) -> tf.Tensor | None:
    return None if array is None else tf.constant(array)
