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

    def said_of_another(self) -> str:
        """Return what is to be said of somebody else's having set the rate, the first time that this is so."""
        held = self._held()
        if self._own is None or self._told or math.isclose(held, self._own, rel_tol=0.01):
            return ""
        self._told = True
        return (
            f"another callback has set the rate to {held:.3g}, which has no effect beside the guard: every step "
            "has the guard's rate; give its plan as Guard(learning_rate=...), or train without a guard"
        )

    def _held(self) -> float:
        return float(keras.ops.convert_to_numpy(learning_rate_variable(self._optimizer)))
