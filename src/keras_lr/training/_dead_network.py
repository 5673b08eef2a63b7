"""Whether a network has died: whether its loss is the same with the inputs of other rows."""

import enum
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np

from keras_lr._backends.steps_interface import TrainingSteps

ROUNDING = 1e-6
CLEARLY = 30 * ROUNDING  # tiny first weights answer nearly alike as well, and no rate need be at fault
TELLING = 0.25  # share of the rows of a batch that count and get the input of a row with another target


class Life(enum.Enum):
    """What is known of a network whose loss does not get lower."""

    ALIVE = "it clearly tells rows apart"
    DOUBTFUL = "it hardly tells rows apart, or does not and hardly did before"
    DEAD = "it tells no rows apart any more, and clearly did before"


def is_dead(steps: TrainingSteps, batch: Any) -> bool:
    """Return whether a network answers every input of a batch alike.

    A rate that is too high can put all units of a network where they do so, as ReLUs do that are never above zero. From
    there no rate leads back, and the loss stays that of the best constant prediction. Such a network has the same loss
    whichever inputs its rows have, up to rounding, unless a layer behind those units sees the inputs, as one does that
    passes them by: then nothing is said.

    Args:
        steps: of the borrowed model.
        batch: as the compiled step takes it. One without targets, or in which all rows have the same, tells nothing: a
            constant may be the right answer.
    """
    return _tells_apart(steps, batch, _exchanged(batch))[0] <= ROUNDING


def most_telling(batches: Iterable[Any]) -> Any:
    """Return the first batch many of whose rows tell, or that with the most, as where one class is rare."""
    most, share = None, -1.0
    for batch in batches:
        _, changed = _best_move(batch)
        if changed > share:
            most, share = batch, changed
        if share >= TELLING:
            break
    return most


def life_of(steps: TrainingSteps, before: Any) -> Life:
    """Say by a few steps whether a network lives in the middle of a `fit`, beside what it was with these values.

    Looked at are the inputs of other rows, and the targets of other rows: part of a loss may know the inputs from
    before the dead units, or draw the network's answers about their mean, as that of a variational autoencoder does.
    What makes no clear difference now, nor did before, as targets that a loss does not know, says nothing.

    Costs: a copy of the values and 3 steps on the batch that was kept, 6 where the network may be dead.
    """
    with steps.aside():
        batch = steps.kept_batch
        others = _exchanged(batch), _moved(batch)
        now = _tells_apart(steps, batch, *others)
        if min(now) > CLEARLY:
            return Life.ALIVE
        steps.put(before)
        then = _tells_apart(steps, batch, *others)
    telling = [apart for apart, earlier in zip(now, then, strict=True) if max(apart, earlier) > CLEARLY]
    least = min(telling, default=CLEARLY)
    return Life.DEAD if least <= ROUNDING else Life.ALIVE if least > CLEARLY else Life.DOUBTFUL


def _tells_apart(steps: TrainingSteps, batch: Any, *others: Any) -> list[float]:
    """Return by what share of itself the loss changes with each of the other batches; infinite where that is None."""
    if all(other is None for other in others):
        return [np.inf] * len(others)
    here = steps.copy()

    def loss(one: Any) -> float:
        steps.put(here)
        return float(steps.step(one, 0.0))

    usual = loss(batch)
    return [abs(loss(other) - usual) / abs(usual) if usual and other is not None else np.inf for other in others]


def _exchanged(batch: Any) -> Any:
    """Return the batch with the inputs of other rows, targets and weights in their places; None if that says nothing.

    The inputs do not only change places: some losses, as that of an autoencoder, know no other targets than these.
    """
    places, changed = _best_move(batch)
    if not changed:
        return None
    rows = len(_targets(batch)[0])
    x, *rest = batch
    dense = keras.tree.map_structure(lambda part: part if part is None else _dense(part), x)
    inputs = [part for part in keras.tree.flatten(dense) if part is not None]
    order = np.roll(np.arange(rows), -places)
    order[0] = order[1]
    if any(tuple(part.shape[:1]) != (rows,) for part in inputs):
        return None
    if not any((array != array[order]).any() for array in map(keras.ops.convert_to_numpy, inputs)):
        return None
    moved = keras.tree.map_structure(lambda part: part if part is None else keras.ops.take(part, order, 0), dense)
    return (moved, *rest)


def _moved(batch: Any) -> Any:
    """Return the batch with its targets and their weights at other rows; None where that changes nothing."""
    places, changed = _best_move(batch)
    if not changed:
        return None
    x, *moved = batch
    return (x, *keras.tree.map_structure(lambda t: None if t is None else keras.ops.roll(t, places, axis=0), moved))


def _dense(part: Any) -> Any:
    return keras.ops.convert_to_tensor(part, sparse=False)


def _best_move(batch: Any) -> tuple[int, float]:
    """Return from how far the inputs are to come, and the share of rows that count and get one of another target."""
    targets, weights = _targets(batch), _arrays(keras.utils.unpack_x_y_sample_weight(batch)[2])
    if not targets:
        return 0, 0.0
    rows = len(targets[0])
    counts = _any_in_row([weight != 0 for weight in weights]) if weights else np.ones(rows, bool)
    changed = {
        places: float(np.mean(counts & _any_in_row([target != np.roll(target, -places, 0) for target in targets])))
        for places in (rows // 2, rows // 3, 1)
    }
    places = max(changed, key=lambda by: changed[by])
    return places, changed[places]


def _targets(batch: Any) -> list[np.ndarray]:
    return _arrays(keras.utils.unpack_x_y_sample_weight(batch)[1])


def _arrays(nested: Any) -> list[np.ndarray]:
    """Return the arrays; None, as for the target of an output without a loss, is left out."""
    return [keras.ops.convert_to_numpy(part) for part in keras.tree.flatten(nested) if part is not None]


def _any_in_row(parts: list[np.ndarray]) -> np.ndarray:
    """Return for which rows any entry of any part is true, shape `(rows,)`."""
    return np.any([part.reshape(len(part), -1).any(axis=1) for part in parts], axis=0)
