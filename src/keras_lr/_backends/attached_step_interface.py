"""What the attached training steps of the three backends pass to the engine room."""

from typing import Any, NamedTuple

import keras

from keras_lr._backends.wrapped_optimizers import innermost

Tensor = Any


class Handed(NamedTuple):
    """All that a batch needs to answer for the loss at other weights."""

    loss: Tensor  # the loss of the step's own forward pass, unscaled
    x: Any
    y: Any
    sample_weight: Any
    trainable: list[Tensor] | None  # values of the weights; None: they are in the model's variables
    non_trainable: list[Tensor]  # values before the forward pass: seeds, statistics of normalisation
    metrics: list[Tensor]  # values of the metrics' variables, which some losses update
    draws: Any = None  # state of the backend's own random generator before the forward pass, where layers draw from it


def first_of(x: Any) -> Tensor:
    """Return the first of the inputs, of which all have as many rows."""
    return next(leaf for leaf in keras.tree.flatten(x) if leaf is not None)


def reports_of(optimizer: Any) -> dict[str, Any]:
    """Return what the optimizer, inside all wrappers, has to say about its step: `optimizer.logged_variables`.

    That is a dictionary of names and variables of shape (), or pairs of a variable and an index into it.
    """
    return getattr(innermost(optimizer), "logged_variables", None) or {}
