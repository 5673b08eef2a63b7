"""Steps that Keras executes together, `steps_per_execution` of them: fewer where the data end."""

import math
from collections.abc import Callable

import keras

from keras_lr._arguments import within


def executed_together(model: keras.Model) -> int:
    """Return how many training steps one call of a compiled step makes.

    Raises:
        ValueError: the model was compiled with another thing than a number, as the "auto" of Keras 2.
    """
    given = getattr(model, "steps_per_execution", 1) or 1
    if not within(given, least=1, whole=True):
        raise ValueError(
            f"The model was compiled with steps_per_execution={given!r}, and Keras 3 executes a whole number of steps "
            "together. Compile again without it, or with a number such as 10."
        )
    return int(given)


class Epoch:
    """The steps of one epoch of a `fit`, call by call.

    Args:
        model: the model that is trained.
        steps: how many steps the epoch has, as a callback's `params["steps"]` says; None where nobody knows.
        counted: how many steps the optimizer has counted. Where it can be asked, it decides how many the last call has
            made: as many as ever to complete `steps_per_epoch`, fewer where the data end, and Keras does not say which.

    Attributes:
        middle: how many steps a call makes before its middle, whose rate all of them share.
    """

    def __init__(self, model: keras.Model, steps: int | None, counted: Callable[[], int] | None = None) -> None:
        self._together = executed_together(model)
        self._left = steps or math.inf
        self.middle = (min(self._together, steps or self._together) - 1) // 2
        self._counted = counted
        self._before = 0

    def begin_call(self) -> None:
        """Take note of where the optimizer stands, if the coming call may be a shorter one."""
        if self._counted is not None and self._left < self._together:
            self._before = self._counted()

    def call(self) -> int:
        """Take note of one call of the compiled step; returns how many steps it has made."""
        made = int(min(self._together, self._left))
        if self._counted is not None and self._left < self._together:
            made = min(max(made, self._counted() - self._before), self._together)
        self._left = max(0, self._left - made)
        return made

    @property
    def is_over(self) -> bool:
        """Whether all steps have been made."""
        return not self._left
