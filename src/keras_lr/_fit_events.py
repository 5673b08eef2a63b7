"""What `fit` has to say besides its results: before the run, and about its end."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_lr._backends.wrapped_optimizers import innermost
from keras_lr.callbacks import Event, Guard
from keras_lr.training._constant_answer import measures_distance
from keras_lr.training._spoilt_rows import NOT_EVALUATED, not_finite

SCALERS = (keras.layers.Rescaling, keras.layers.Normalization)
MIXERS = (keras.layers.Dense, keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)
RATE_SETTERS = (keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau)
LEFT_OUT = (*RATE_SETTERS, keras.callbacks.TerminateOnNaN)  # which would end a run that the guard goes on with
FAR = 10.0  # times the size 1 that networks begin with, or the standard deviation of targets where that is less
OFFSET = 2.0  # standard deviations of the targets: from there on most of the first loss is that of their mean
RISEN = 0.2  # share of the lowest validation loss that it has to rise by, and
LEAST_RISEN = 0.02  # of what it had fallen by
SLOW = 0.05  # share of its first value that an average may still hold at the end of a run


def before_run(
    model: keras.Model,
    callbacks: Sequence[keras.callbacks.Callback],
    horizon: int,
    batch: Any,
    *,
    x: Any,
    y: Any,
    held_out: Any,
    spoilt: str,
) -> list[Event]:
    """Return what is to be said before a run of `horizon` steps on data of which a batch is known.

    Args:
        x, y: what is trained on.
        held_out: the validation data.
        spoilt: see `rows_not_finite`.
    """
    return [
        *set_aside(model.optimizer, callbacks),
        *slow_statistics(model, horizon),
        *rows_not_finite(spoilt, x=x, y=y),
        *rows_not_finite(spoilt and NOT_EVALUATED, validation_data=held_out),
        *unscaled_inputs(model, batch),
        *unscaled_targets(model, batch),
    ]


def set_aside(optimizer: keras.optimizers.Optimizer, callbacks: Sequence[keras.callbacks.Callback]) -> list[Event]:
    """Return what has no effect: the rate of every step is planned, and a loss that is not finite answered, here."""
    events = []
    rate = innermost(optimizer)._learning_rate
    if not isinstance(rate, keras.Variable):
        events.append(Event(0, f"the {type(rate).__name__} in the optimizer is set aside during this fit", 1.0))
    for callback in callbacks:
        if isinstance(callback, type):
            name = callback.__name__
            raise TypeError(f"callbacks holds the class {name} itself. Make a callback of it: callbacks=[{name}(...)].")
        if not isinstance(callback, keras.callbacks.Callback):
            raise TypeError(f"callbacks holds {callback!r}, which is no keras.callbacks.Callback. Leave it out.")
        if isinstance(callback, Guard):
            raise ValueError("callbacks holds a Guard, and keras_lr.fit brings one of its own. Leave it out.")
        if isinstance(callback, keras.callbacks.BackupAndRestore):
            raise ValueError(
                "callbacks holds a BackupAndRestore, which keeps the weights but not the plan of the rate: a run that "
                "goes on from it would begin the plan anew and end before its decay. Leave it out, and pass "
                f"backup_dir={str(callback.backup_dir)!r} to keras_lr.fit, which keeps both."
            )
        if isinstance(callback, RATE_SETTERS) or is_left_out(callback):
            events.append(Event(0, f"the {type(callback).__name__} among the callbacks has no effect in this fit", 1.0))
    return events


def is_left_out(callback: keras.callbacks.Callback) -> bool:
    """Return whether a callback is one of Keras' that would print rates that no step has, or stop what is answered."""
    return type(callback) in LEFT_OUT  # a class of the user's own may do more


def slow_statistics(model: keras.Model, horizon: int) -> list[Event]:
    """Return a word about BatchNormalization whose averages begin from nothing and the run is too short for."""
    normalisers = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
    slow = [n for n in normalisers if n.trainable and n.momentum**horizon > SLOW and _has_seen_nothing(n)]
    if not slow:
        return []
    share, more = slow[0].momentum ** horizon, f" and {len(slow) - 1} more layers" if len(slow) > 1 else ""
    text = (
        f"after {horizon} steps the running averages of {slow[0].name!r}{more} will still be {share:.0%} what they "
        f"were at the start (momentum={slow[0].momentum}), which makes evaluation worse than the training; "
        "BatchNormalization(momentum=0.9) follows sooner"
    )
    return [Event(0, text, 1.0)]


def _has_seen_nothing(layer: keras.layers.BatchNormalization) -> bool:
    """Return whether the averages are the zeros and ones that Keras begins with, and no data have gone in."""
    mean, variance = (keras.ops.convert_to_numpy(v) for v in (layer.moving_mean, layer.moving_variance))
    return not mean.any() and bool((variance == 1).all())


def rows_not_finite(spoilt: str, **arrays: Any) -> list[Event]:
    """Return a word about each of some arrays, by its name in `fit`, with rows that hold NaN or infinity.

    Args:
        spoilt: what becomes of such rows; "" where nothing has to be said.
        arrays: by their names.
    """
    found = {name: not_finite(given) for name, given in arrays.items()} if spoilt else {}
    return [
        Event(0, f"{np.count_nonzero(rows):,} of {len(rows):,} rows of {name} hold NaN or infinity: {spoilt}", 1.0)
        for name, rows in found.items()
        if rows is not None and rows.any()
    ]


def unscaled_inputs(model: keras.Model, batch: Any) -> list[Event]:
    """Return a word about inputs that go into a connected or convolutional layer and are far from size 1."""
    x, _, _ = keras.utils.unpack_x_y_sample_weight(batch)
    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer | keras.layers.Flatten)]
    if keras.tree.is_nested(x) or not layers or not isinstance(layers[0], MIXERS):
        return []
    dense = x.toarray() if hasattr(x, "toarray") else x  # of SciPy's sparse matrices
    inputs = keras.ops.convert_to_numpy(dense).astype("float64")
    if not np.all(np.isfinite(inputs)):
        return []
    mean, deviation = float(np.mean(inputs)), float(np.std(inputs))
    if max(abs(mean), deviation) <= FAR:
        return []
    text = (
        f"the inputs are far from the size 1 that a new network is made for: their mean is {mean:.3g}, their standard "
        f"deviation {deviation:.3g}; a Rescaling or Normalization layer in front lets it learn more in the same number "
        "of steps"
    )
    return [Event(0, text, 1.0)]


def unscaled_targets(model: keras.Model, batch: Any) -> list[Event]:
    """Return a word about the targets of a regression that a new network, whose outputs are of size 1, is far from."""
    _, y, _ = keras.utils.unpack_x_y_sample_weight(batch)
    scaled = bool(model.layers) and isinstance(model.layers[-1], SCALERS)
    if keras.tree.is_nested(y) or y is None or scaled or not measures_distance(model.loss):
        return []
    targets = keras.ops.convert_to_numpy(y).astype("float64")
    if not np.all(np.isfinite(targets)):
        return []  # a bad batch tells nothing
    mean, deviation = float(np.mean(targets)), float(np.std(targets))
    offset = abs(mean) > OFFSET * deviation and _ends_linear(model)
    if deviation == 0.0 or not (offset or max(abs(mean), deviation, 1.0) > FAR * min(deviation, 1.0)):
        return []
    text = (
        f"the targets are far from what a new network answers: their mean is {mean:.3g}, their standard deviation "
        f"{deviation:.3g}; brought to mean 0 and standard deviation 1 they teach more in the same number of steps"
    )
    return [Event(0, text, 1.0)]


def _ends_linear(model: keras.Model) -> bool:
    """Return whether the answers are not bent to a range, in which the targets may have to stay."""
    return bool(model.layers) and getattr(model.layers[-1], "activation", None) is keras.activations.linear


def end_of_run(
    step: int, horizon: int, factor: float, *, completed: bool, dead: bool, next_epoch: int | None
) -> list[Event]:
    """Return what is to be said of a run that was broken off, came to an early end, or left a dead network.

    Args:
        step: how many steps the run has made, of the `horizon` that it was planned for.
        factor: what the planned rate is multiplied by.
        completed: whether it came to its end.
        dead: whether the network answers every input alike.
        next_epoch: the epoch with which its backup goes on, counted from 0; None where there is no backup.
    """
    texts = []
    if not completed:
        more = "" if next_epoch is None else f"; the same call goes on with epoch {next_epoch + 1}"
        texts.append(f"interrupted after {step} of {horizon} steps{more}")
    elif step < horizon:
        texts.append(f"the run ended after {step} of {horizon} steps, before the rate had fallen to zero")
    if dead:
        texts.append(
            "the network answers every input alike, as one does whose units a rate too high has put out of action, or "
            "whose outputs are saturated, by inputs that are not scaled or a loss that does not fit the targets; look "
            "at the data and the loss, or train new weights at a lower rate"
        )
    return [Event(step, text, factor) for text in texts]


def over_fit(step: int, losses: dict[int, float], validation_losses: dict[int, float]) -> list[Event]:
    """Return a word about a validation loss that has risen again while the training loss fell; both by their epochs."""
    both = [*losses.values(), *validation_losses.values()]
    if not losses or not validation_losses or not np.all(np.isfinite(both)):
        return []
    last, lowest = max(validation_losses), min(validation_losses, key=lambda epoch: validation_losses[epoch])
    at_last, at_lowest = validation_losses[last], validation_losses[lowest]
    fell = max(validation_losses.values()) - at_lowest
    risen = at_last - at_lowest > max(RISEN * abs(at_lowest), LEAST_RISEN * fell)
    if not risen or losses[last] >= losses[lowest]:
        return []
    text = (
        f"the validation loss was {at_lowest:.3g} at epoch {lowest} and is {at_last:.3g} at the end, while the "
        f"training loss fell from {losses[lowest]:.3g} to {losses[last]:.3g}: the model over-fits; fewer epochs, more "
        "data, or regularisation such as Dropout or weight decay help"
    )
    return [Event(step, text, 1.0)]
