"""The loss scale of float16, which a new optimizer begins with too high for some losses."""

from typing import Any

from keras_lr._backends.steps_interface import TrainingSteps

MOST_HALVINGS = 40  # from Keras' 2^15 to where the gradient of any loss in float16 is zero


def settled(steps: TrainingSteps, batches: list[Any]) -> tuple[Any, int]:
    """Return a copy of all values with a loss scale at which gradients are finite, and the steps that it took.

    Keras leaves out a step whose gradients overflow, and halves the scale for the next one. A run soon has that behind
    it; a short trial from new weights would go by the few steps that are left of it, and look harmless at rates that
    are not.
    """
    values = steps.copy()
    if not steps.skips_overflows:
        return values, 0
    first = values
    for made in range(MOST_HALVINGS):
        counted = steps.counted()
        steps.step(batches[made % len(batches)], 0.0)
        if steps.counted() > counted:
            return values, made + 1
        values = steps.copy()
    return first, MOST_HALVINGS  # the scale is not the cause
