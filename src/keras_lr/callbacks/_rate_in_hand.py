"""The variable of the rate, while a guard has it in hand."""

import math

import keras

from keras_lr._backends.learning_rate_variable import learning_rate_variable
from keras_lr._backends.steps_interface import TrainingSteps


class RateInHand:
    """Sets the rate of every step, and sees whether somebody else has set it in between.

    Args:
        optimizer: of which the rate is set.
        steps: the compiled step that it is set for.
    """

    def __init__(self, optimizer: keras.optimizers.Optimizer, steps: TrainingSteps) -> None:
        self._optimizer, self._steps = optimizer, steps
        # What the variable holds by the guard's doing, and before the first step by the model's own.
        self._own: float | None = self._held()
        self._told = False

    def set(self, rate: float) -> None:
        """Set the rate of the next step."""
        self._steps.set_learning_rate(rate)
        self._own = rate

    def forget(self) -> None:
        """Say that the variable was put back with other values, so that nobody knows what it holds."""
        self._own = None

    def begin_epoch(self) -> None:
        """Look what the variable holds, if nobody knows."""
        if self._own is None:
            self._own = self._held()

    def set_by_another(self) -> float | None:
        """Return what somebody else has set the rate to, the first time that this is so."""
        held = self._held()
        if self._own is None or self._told or math.isclose(held, self._own, rel_tol=0.01):
            return None
        self._told = True
        return held

    def _held(self) -> float:
        return float(keras.ops.convert_to_numpy(learning_rate_variable(self._optimizer)))
