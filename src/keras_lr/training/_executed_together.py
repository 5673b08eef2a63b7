"""Steps that Keras executes together, `steps_per_execution` of them: fewer where an epoch ends."""

import math

import keras


def executed_together(model: keras.Model) -> int:
    """Return how many training steps one call of a compiled step makes."""
    return int(getattr(model, "steps_per_execution", 1) or 1)


class Epoch:
    """The steps of one epoch of a `fit`, call by call.

    Args:
        model: the model that is trained.
        steps: how many steps the epoch has, as a callback's `params["steps"]` says; None where nobody knows.
    """

    def __init__(self, model: keras.Model, steps: int | None) -> None:
        self._together = executed_together(model)
        self._left = steps or math.inf

    def call(self) -> int:
        """Take note of one call of the compiled step; returns how many steps it has made."""
        made = int(min(self._together, self._left))
        self._left -= made
        return made

    @property
    def is_over(self) -> bool:
        """Whether all steps have been made."""
        return not self._left
