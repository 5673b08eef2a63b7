"""Counts every training step that a model really runs, those of a race before the training included."""

from typing import Any

import keras

from keras_lr.training._executed_together import Epoch


class StepCounter:
    """Counts the steps of a model from now on, whoever runs them and however often the step is compiled.

    A call of the compiled step counts as one step, which is what experiments make; between `begin_epoch` and
    `end_epoch` it counts as those that Keras executes together.

    Args:
        model: the model; its `make_train_function` is replaced by one that counts.

    Attributes:
        steps: how many steps there have been.
    """

    def __init__(self, model: keras.Model) -> None:
        self.steps = 0
        self._model = model
        self._make = model.make_train_function
        self._epoch: Epoch | None = None
        model.make_train_function = self._make_counted

    def begin_epoch(self, steps: int | None) -> None:
        """Begin an epoch of `fit` with so many steps; None where nobody knows."""
        self._epoch = Epoch(self._model, steps)

    def end_epoch(self) -> None:
        """End an epoch of `fit`."""
        self._epoch = None

    def _make_counted(self, force: bool = False) -> None:
        before = self._model.train_function
        self._make(force=force)
        step = self._model.train_function
        if step is before:
            return

        def count(*arguments: Any) -> Any:
            self.steps += 1 if self._epoch is None else self._epoch.call()
            return step(*arguments)

        self._model.train_function = count
