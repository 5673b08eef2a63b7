"""The training step on PyTorch: an eager (or `torch.compile`d) function that updates variables in place."""

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

import keras
import torch
from keras.src.backend.torch.trainer import TorchEpochIterator

from keras_lr._backends.learning_rate_variable import learning_rate_variable
from keras_lr._backends.steps_interface import distance_and_length, unsteered


class TrainingSteps:
    """See `steps_interface.TrainingSteps`."""

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        model.make_train_function()
        self._train_function = unsteered(model.train_function)
        self._rate = learning_rate_variable(model.optimizer)

    def batches(self, iterator_arguments: dict[str, Any], count: int) -> Sequence[Any]:
        epoch = TorchEpochIterator(**iterator_arguments)
        return list(islice(iter(epoch._get_iterator()), count))

    def start(self) -> None:
        self._was_training = self._model.training
        self._model.train()

    def finish(self) -> None:
        self._model.train(self._was_training)

    def copy(self) -> Any:
        # Unseeded dropout draws from torch's own generator: its state decides the next step as weights do.
        with torch.no_grad():
            return [v.value.detach().clone() for v in self._variables()], _random_states()

    def put(self, values: Any) -> None:
        tensors, (cpu, accelerators) = values
        with torch.no_grad():
            for variable, tensor in zip(self._variables(), tensors, strict=True):
                variable.value.copy_(tensor)
        torch.set_rng_state(cpu)
        if accelerators:
            torch.cuda.set_rng_state_all(accelerators)

    def whole(self) -> bool:
        return True

    def finite(self) -> bool:
        weights = self._model.trainable_variables
        return all(bool(keras.ops.all(keras.ops.isfinite(v))) for v in weights)

    def moved(self, values: Any) -> tuple[float, float]:
        start = {id(v): value for v, value in zip(self._variables(), values[0], strict=True)}
        weights = self._model.trainable_variables
        to_numpy = keras.ops.convert_to_numpy
        return distance_and_length([to_numpy(v) for v in weights], [to_numpy(start[id(v)]) for v in weights])

    def reset_metrics(self) -> None:
        self._model.reset_metrics()

    def set_learning_rate(self, learning_rate: float) -> None:
        with torch.no_grad():
            self._rate.value.fill_(learning_rate)

    def step(self, batch: Any, learning_rate: float) -> Any:
        self.set_learning_rate(learning_rate)
        # A fresh loss metric at every step makes the reported mean the loss of this batch.
        self._model._loss_tracker.reset_state()
        return self._train_function([batch])["loss"]

    def steer(self, before: Callable[[], None], after: Callable[[dict[str, Any]], None]) -> None:
        def steered(data: Any) -> dict[str, Any]:
            before()
            logs = self._train_function(data)
            after(logs)
            return logs

        steered.unsteered = self._train_function  # type: ignore[attr-defined]
        self._model.train_function = steered

    def release(self) -> None:
        self._model.train_function = self._train_function

    def _variables(self) -> list[keras.Variable]:
        return [*self._model.variables, *self._model.optimizer.variables]


def _random_states() -> tuple[torch.Tensor, list[torch.Tensor]]:
    accelerators = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return torch.get_rng_state(), accelerators
