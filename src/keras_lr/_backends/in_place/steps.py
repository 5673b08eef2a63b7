"""The training step where it updates the model's variables in place: what TensorFlow and PyTorch have in common."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from keras_lr._backends.learning_rate_variable import learning_rate_variable
from keras_lr._backends.steps_interface import Parts, Steered, distance_and_length, loss_of, unsteered
from keras_lr._backends.wrapped_optimizers import innermost, skips_overflows


class StepsInPlace(ABC):
    """See `steps_interface.TrainingSteps`; a backend adds `batches`, `start`, `finish` and the rest."""

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        self.takes_one_batch = True
        self.kept_batch, self._keeps_next = None, False
        model.make_train_function()
        self._train_function = unsteered(model.train_function)
        self._rate = learning_rate_variable(model.optimizer)
        self._count = innermost(model.optimizer)._iterations
        self.skips_overflows = skips_overflows(model.optimizer)

    @abstractmethod
    def copy(self) -> Any:
        """See `steps_interface.TrainingSteps`."""

    @abstractmethod
    def put(self, values: Any) -> None:
        """See `steps_interface.TrainingSteps`."""

    @contextmanager
    def aside(self) -> Iterator[None]:
        values, metrics = self.copy(), self._model.metrics_variables
        reported = [keras.ops.convert_to_numpy(v).copy() for v in metrics]
        try:
            yield
        finally:
            self.put(values)
            for variable, value in zip(metrics, reported, strict=True):
                variable.assign(value)

    def parts(self, values: Any) -> Parts:
        of = {id(v): value for v, value in zip(self._variables(), self._tensors(values), strict=True)}
        model = self._model
        trainable, others = model.trainable_variables, model.non_trainable_variables
        return Parts([of[id(v)] for v in trainable], [of[id(v)] for v in others], self._draws(values))

    def zero(self, variables: Sequence[keras.Variable]) -> None:
        for variable in variables:
            variable.assign(keras.ops.zeros_like(variable))

    def whole(self) -> bool:
        return True

    def finite(self) -> bool:
        weights = self._model.trainable_variables
        return all(bool(keras.ops.all(keras.ops.isfinite(v))) for v in weights)

    def weights(self) -> list[np.ndarray]:
        return [keras.ops.convert_to_numpy(v) for v in self._model.trainable_variables]

    def moved(self, values: Any) -> tuple[float, float]:
        before = [keras.ops.convert_to_numpy(value) for value in self.parts(values).weights]
        return distance_and_length(self.weights(), before)

    def counted(self) -> int:
        return int(keras.ops.convert_to_numpy(self._count))

    def reset_metrics(self) -> None:
        self._model.reset_metrics()

    def means(self) -> list[float]:
        means = [metric for metric in self._model.metrics if isinstance(metric, keras.metrics.Mean)]
        return [float(keras.ops.convert_to_numpy(metric.result())) for metric in means]

    def set_learning_rate(self, learning_rate: float) -> None:
        self._rate.assign(learning_rate)

    def step(self, batch: Any, learning_rate: float) -> Any:
        self.set_learning_rate(learning_rate)
        # A fresh loss metric at every step makes the reported mean the loss of this batch.
        if type(self._model).train_step is keras.Model.train_step:
            self._model._loss_tracker.reset_state()
        else:  # which may report the mean of a metric of its own
            self._model.reset_metrics()
        return loss_of(self._reported(self._fed(batch)))

    def steer(self, before: Callable[[], None], after: Callable[[dict[str, Any]], None]) -> None:
        def steered(iterator: Any) -> dict[str, Any]:
            before()
            if self._keeps_next:
                self.kept_batch, self._keeps_next = self._taken(iterator), False
                iterator = [self.kept_batch]
            logs = self._reported(iterator)
            after(logs)
            return logs

        self._model.train_function = Steered(self._train_function, steered)

    def keep_batch(self) -> None:
        self._keeps_next = True

    def release(self) -> None:
        if isinstance(self._model.train_function, Steered):  # and not, by a callback, compiled anew
            self._model.train_function = self._train_function

    def _reported(self, iterator: Any) -> dict[str, Any]:
        """Make a step and return what it reports."""
        logs: dict[str, Any] = self._train_function(iterator)
        return logs

    def _variables(self) -> list[keras.Variable]:
        return [*self._model.variables, *self._model.optimizer.variables]

    def _tensors(self, values: Any) -> Sequence[Any]:
        """Return the values of the variables within what `copy` returned."""
        return values

    def _draws(self, values: Any) -> Any:
        """Return the state of the backend's random generator within what `copy` returned."""
        return None

    @abstractmethod
    def _fed(self, batch: Any) -> Any:
        """Return what hands one batch to the compiled step."""

    @abstractmethod
    def _taken(self, iterator: Any) -> Any:
        """Return the next batch of what `fit` hands to the compiled step."""
