"""The compiled training step on TensorFlow: a `tf.function` that updates variables in place."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras.src.backend.tensorflow.trainer import TFEpochIterator

from keras_lr._backends.learning_rate_variable import learning_rate_variable
from keras_lr._backends.steps_interface import distance_and_length, unsteered


class TrainingSteps:
    """See `steps_interface.TrainingSteps`."""

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        if not model.built:
            raise ValueError(
                f"The model {model.name!r} has no weights yet: TensorFlow would build it inside the first step. "
                "Give it a keras.Input, or call it on a batch first."
            )
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        model.make_train_function()
        self._train_function = unsteered(model.train_function)
        self._rate = learning_rate_variable(model.optimizer)
        self._element_spec: Any = None
        self._batch: Any = None

    def batches(self, iterator_arguments: dict[str, Any], count: int) -> Sequence[Any]:
        epoch = TFEpochIterator(distribute_strategy=self._model.distribute_strategy, **iterator_arguments)
        dataset = epoch.data_adapter.get_tf_dataset()
        # The same element specification as in `fit`, or the step would be traced again.
        self._element_spec = dataset.element_spec
        # One endless iterator for all steps: making one a step would cost more than many a step.
        self._feed = self._fed(lambda: iter(lambda: self._batch, None))
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

    def whole(self) -> bool:
        return True

    def finite(self) -> bool:
        weights = self._model.trainable_variables
        return all(bool(keras.ops.all(keras.ops.isfinite(v))) for v in weights)

    def moved(self, values: Any) -> tuple[float, float]:
        start = {id(v): value for v, value in zip(self._variables(), values, strict=True)}
        weights = self._model.trainable_variables
        to_numpy = keras.ops.convert_to_numpy
        return distance_and_length([to_numpy(v) for v in weights], [to_numpy(start[id(v)]) for v in weights])

    def reset_metrics(self) -> None:
        self._model.reset_metrics()

    def set_learning_rate(self, learning_rate: float) -> None:
        self._rate.assign(learning_rate)

    def step(self, batch: Any, learning_rate: float) -> Any:
        self.set_learning_rate(learning_rate)
        # A fresh loss metric at every step makes the reported mean the loss of this batch.
        self._model._loss_tracker.reset_state()
        self._batch = batch
        iterator = self._feed if self._model.steps_per_execution == 1 else self._fed(lambda: (batch,))
        return self._train_function(iterator)["loss"]

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

    def _fed(self, generator: Callable[[], Any]) -> Any:
        dataset = tf.data.Dataset.from_generator(generator, output_signature=self._element_spec)
        options = tf.data.Options()
        options.experimental_optimization.inject_prefetch = False  # it would fetch the batch of the step before
        return iter(dataset.with_options(options))

    def _variables(self) -> list[keras.Variable]:
        return [*self._model.variables, *self._model.optimizer.variables]
