"""The training step on PyTorch: an eager (or `torch.compile`d) function that updates variables in place."""

import math
from collections.abc import Sequence
from itertools import islice
from typing import Any

import torch
from keras.src.backend.torch.trainer import TorchEpochIterator

from keras_lr._backends.in_place.steps import StepsInPlace
from keras_lr._backends.nan_predicted import is_of_a_nan_predicted
from keras_lr._backends.torch.draws import draws_now, set_draws


class TrainingSteps(StepsInPlace):
    """See `steps_interface.TrainingSteps`."""

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
            return [v.value.detach().clone() for v in self._variables()], draws_now()

    def put(self, values: Any) -> None:
        tensors, draws = values
        with torch.no_grad():
            for variable, tensor in zip(self._variables(), tensors, strict=True):
                variable.value.copy_(tensor)
        set_draws(draws)

    def set_learning_rate(self, learning_rate: float) -> None:
        with torch.no_grad():
            self._rate.value.fill_(learning_rate)

    def _reported(self, iterator: Any) -> dict[str, Any]:
        try:
            return super()._reported(iterator)
        except RuntimeError as error:
            if not is_of_a_nan_predicted(error):
                raise
            self._model._loss_tracker.update_state(math.nan)  # as on the backends that compute the loss
            return self._model.get_metrics_result() | {"loss": math.nan}

    def _tensors(self, values: Any) -> Sequence[Any]:
        tensors: Sequence[Any] = values[0]
        return tensors

    def _draws(self, values: Any) -> Any:
        return values[1]

    def _taken(self, iterator: Any) -> Any:
        return iterator[0]

    def _fed(self, batch: Any) -> Any:
        return [batch]
