"""Whether a network has died: whether its loss is the same with the targets of other rows."""

from typing import Any

import keras
import numpy as np

from keras_lr._backends.steps_interface import TrainingSteps

ROUNDING = 1e-5
LEAST_CHANGED = 0.25  # of the rows of a batch: among rows with one target, no loss can tell whose it is


def is_dead(steps: TrainingSteps, batch: Any) -> bool:
    """Return whether a network answers every input of a batch alike.

    A rate that is too high can put all units of a network where they do so, as ReLUs do that are never above zero. From
    there no rate leads back, and the loss stays that of the best constant prediction. Such a network has the same loss
    whichever row a target belongs to, up to rounding, unless dropout or other noise behind those units tells the rows
    apart: then nothing is said.

    Args:
        steps: of the borrowed model.
        batch: as the compiled step takes it. One without targets, or in which most rows have the same, tells nothing.
    """
    exchanged = _exchanged(batch)
    if exchanged is None:
        return False
    here, losses = steps.copy(), []
    for one in (batch, exchanged):
        steps.put(here)
        losses.append(float(steps.step(one, 0.0)))
    return abs(losses[1] - losses[0]) <= ROUNDING * abs(losses[0])


def _exchanged(batch: Any) -> Any:
    """Return the batch with its targets moved on by half its rows, or None where that is hardly another batch."""
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(batch)
    if y is None:
        return None
    exchanged = keras.tree.map_structure(lambda target: keras.ops.roll(target, target.shape[0] // 2, axis=0), y)
    changed: Any = False
    for one, other in zip(keras.tree.flatten(y), keras.tree.flatten(exchanged), strict=True):
        differ = keras.ops.convert_to_numpy(one) != keras.ops.convert_to_numpy(other)
        changed |= np.any(differ.reshape(len(differ), -1), axis=1)
    if np.mean(changed) < LEAST_CHANGED:
        return None
    return (x, exchanged) if sample_weight is None else (x, exchanged, sample_weight)
