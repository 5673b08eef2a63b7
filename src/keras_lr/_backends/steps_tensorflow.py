"""The compiled training step on TensorFlow: a `tf.function` that updates variables in place."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras.src.backend.tensorflow.trainer import TFEpochIterator

from keras_lr._backends.learning_rate_variable import learning_rate_variable
from keras_lr._backends.steps_interface import unsteered


class TrainingSteps:
    """See `steps_interface.TrainingSteps`."""

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        model.make_train_function()
        self._train_function = unsteered(model.train_function)
        self._rate = learning_rate_variable(model.optimizer)
        self._element_spec: Any = None

    def batches(self, iterator_arguments: dict[str, Any], count: int) -> Sequence[Any]:
        epoch = TFEpochIterator(distribute_strategy=self._model.distribute_strategy, **iterator_arguments)
        dataset = epoch.data_adapter.get_tf_dataset()
        # The same element specification as in `fit`, or the step would be traced again.
        self._element_spec = dataset.element_spec
        return list(dataset.take(count))

    def start(self) -> None:
        """Nothing to do: see `finish`."""

    def finish(self) -> None:
        """Nothing is in hand: the model's variables are what the steps change."""

    def copy(self) -> Any:
        return [tf.identity(v.value) for v in self._variables()]

    def put(self, values: Any) -> None:
        for variable, value in zip(self._variables(), values, strict=True):
            variable.assign(value)

    def reset_metrics(self) -> None:
        self._model.reset_metrics()

    def set_learning_rate(self, learning_rate: float) -> None:
        self._rate.assign(learning_rate)

    def step(self, batch: Any, learning_rate: float) -> Any:
        self.set_learning_rate(learning_rate)
        # A fresh loss metric at every step makes the reported mean the loss of this batch.
        self._model._loss_tracker.reset_state()
        one_batch = tf.data.Dataset.from_generator(lambda: (batch,), output_signature=self._element_spec)
        return self._train_function(iter(one_batch))["loss"]

    def steer(self, before: Callable[[], None], after: Callable[[dict[str, Any]], None]) -> None:
        def steered(iterator: Any) -> dict[str, Any]:
            before()
            logs = self._train_function(iterator)
            after(logs)
            return logs

        steered.unsteered = self._train_function  # type: ignore[attr-defined]
        self._model.train_function = steered

    def release(self) -> None:
        self._model.train_function = self._train_function

    def _variables(self) -> list[keras.Variable]:
        return [*self._model.variables, *self._model.optimizer.variables]
