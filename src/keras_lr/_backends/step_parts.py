"""What the attached training steps of the three backends pass to the engine room."""

from typing import Any, NamedTuple

from keras import ops

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


def with_reports(logs: dict[str, Any], optimizer: Any, values: dict[int, Tensor] | None = None) -> dict[str, Any]:
    """Add what the optimizer has to say about its step to the logs: `optimizer.logged_variables`.

    That is a dictionary of names and variables of shape (), or pairs of a variable and an index into it.

    Args:
        logs: the logs of Keras' step.
        optimizer: the optimizer, inside all wrappers.
        values: the new value of a variable by the `id` of the variable, where the variables themselves are stale.
    """
    reported = getattr(optimizer, "logged_variables", None) or {}
    entries = {name: v if isinstance(v, tuple) else (v, ()) for name, v in reported.items()}
    return {**logs, **{name: (values[id(v)] if values else ops.copy(v))[i] for name, (v, i) in entries.items()}}
