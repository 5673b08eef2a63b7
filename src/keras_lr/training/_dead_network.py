"""Whether a network has died: whether its loss is the same with the targets of other rows."""

import enum
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np

from keras_lr._backends.steps_interface import TrainingSteps

ROUNDING = 1e-6
CLEARLY = 30 * ROUNDING  # tiny first weights answer nearly alike as well, and no rate need be at fault
TELLING = 0.25  # share of the rows of a batch that have another target when targets change places


class Life(enum.Enum):
    """What is known of a network whose loss does not get lower."""

    ALIVE = "it clearly tells rows apart"
    DOUBTFUL = "it hardly tells rows apart, or does not and hardly did before"
    DEAD = "it tells no rows apart any more, and clearly did before"


def is_dead(steps: TrainingSteps, batch: Any) -> bool:
    """Return whether a network answers every input of a batch alike.

    A rate that is too high can put all units of a network where they do so, as ReLUs do that are never above zero. From
    there no rate leads back, and the loss stays that of the best constant prediction. Such a network has the same loss
    whichever row a target belongs to, up to rounding, unless dropout or other noise behind those units tells the rows
    apart: then nothing is said.

    Args:
        steps: of the borrowed model.
        batch: as the compiled step takes it. One without targets, or in which all rows have the same, tells nothing.
    """
    return _tells_apart(steps, batch) <= ROUNDING


def most_telling(batches: Iterable[Any]) -> Any:
    """Return the first batch whose targets are of many kinds, or that with the most, as where one class is rare."""
    most, share = None, -1.0
    for batch in batches:
        _, changed = _best_move(batch)
        if changed > share:
            most, share = batch, changed
        if share >= TELLING:
            break
    return most


def life_of(steps: TrainingSteps, before: Any) -> Life:
    """Return what two steps say of a network in the middle of a `fit`, and of what it was when its values were these.

    Costs: a copy of the values and 2 steps on the batch that was kept, 4 where it is dead.
    """
    with steps.aside():
        apart = _tells_apart(steps, steps.kept_batch)
        if apart > CLEARLY:
            return Life.ALIVE
        steps.put(before)
        died = apart <= ROUNDING and _tells_apart(steps, steps.kept_batch) > CLEARLY
        return Life.DEAD if died else Life.DOUBTFUL


def _tells_apart(steps: TrainingSteps, batch: Any) -> float:
    """Return by what share of itself the loss changes when targets change places; infinite where that says nothing."""
    exchanged = _exchanged(batch)
    if exchanged is None:
        return np.inf
    here, losses = steps.copy(), []
    for one in (batch, exchanged):
        steps.put(here)
        losses.append(float(steps.step(one, 0.0)))
    before, after = losses
    if before == after:
        return 0.0
    return abs(after - before) / abs(before) if before else np.inf


def _exchanged(batch: Any) -> Any:
    """Return the batch with its targets, and their weights, moved on to other rows; None where that changes nothing."""
    places, changed = _best_move(batch)
    if not changed:
        return None
    x, *moved = batch
    return (x, *keras.tree.map_structure(lambda t: None if t is None else keras.ops.roll(t, places, axis=0), moved))


def _best_move(batch: Any) -> tuple[int, float]:
    """Return by how many places to move the targets, and which share of the rows have another target then."""
    _, y, _ = keras.utils.unpack_x_y_sample_weight(batch)
    # None stands for the target of an output without a loss.
    targets = [keras.ops.convert_to_numpy(target) for target in keras.tree.flatten(y) if target is not None]
    if not targets:
        return 0, 0.0
    rows = len(targets[0])
    changed = {places: _changed(targets, places) for places in (rows // 2, rows // 3, 1)}
    places = max(changed, key=lambda by: changed[by])
    return places, changed[places]


def _changed(targets: list[np.ndarray], places: int) -> float:
    """Return the share of rows that have another target once all targets have moved on by so many places."""
    moved = [target != np.roll(target, places, axis=0) for target in targets]
    return float(np.mean(np.any([differ.reshape(len(differ), -1).any(axis=1) for differ in moved], axis=0)))
