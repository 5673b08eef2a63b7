"""What a search across batches cannot work with, said at construction or at `build`."""

from typing import Any


def check_arguments(max_update_ratio: Any, max_update_norm: Any, decay_steps: int | None, initial_step: float) -> None:
    """Refuse a cap, a horizon or a first trial that is out of range."""
    if max_update_ratio is not None and not callable(max_update_ratio) and not max_update_ratio > 0.0:
        raise ValueError(
            "max_update_ratio is the length of an update as a fraction of that of the weights, positive; received "
            f"{max_update_ratio}. For a cap in the unit of the weights set max_update_norm."
        )
    if max_update_norm is not None and not callable(max_update_norm) and not max_update_norm > 0.0:
        raise ValueError(f"max_update_norm is the length of an update, positive; received {max_update_norm}.")
    if decay_steps is not None and decay_steps < 1:
        raise ValueError(
            f"decay_steps is the number of steps of the training, at least 1; received {decay_steps}. "
            "Leave it out where the horizon is not known."
        )
    if not initial_step > 0.0:
        raise ValueError(f"initial_step must be positive; received {initial_step}. 1e-4 is safe nearly everywhere.")


def refuse_arguments(arguments: dict[str, Any]) -> None:
    """Refuse a learning rate and clipped gradients."""
    if "learning_rate" in arguments:
        raise ValueError(
            f"A line search finds the step size itself; received learning_rate={arguments['learning_rate']}. Leave it "
            "out, or bound the updates with max_update_ratio, a float or a schedule."
        )
    for name in ("clipnorm", "global_clipnorm", "clipvalue"):
        if arguments.get(name):
            raise ValueError(
                f"A search needs true slopes, and {name} bends them; received {name}={arguments[name]}. Leave it "
                "out: max_update_ratio already bounds the length of every update."
            )


def refuse_constraints(variables: list[Any]) -> None:
    """Refuse constrained weights."""
    for variable in variables:
        if getattr(variable, "constraint", None) is not None:
            raise ValueError(
                f"The weight {variable.path} has a constraint, {variable.constraint}, which would move trial points "
                "off the line that is searched. Remove it, or use a penalty (a regularizer) instead."
            )
