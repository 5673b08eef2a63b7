"""What a method cannot live with, refused at construction or at `build`."""

import numbers
from typing import Any

from keras_lr._arguments import within
from keras_lr.line_search import SLS


def refuse_weight_decay(name: str, arguments: dict[str, Any]) -> None:
    """Refuse ``weight_decay`` for a method whose point is made of its start and its gradients alone."""
    if arguments.get("weight_decay"):
        raise ValueError(
            f"{name} makes each point of its start and the sum of its gradients, which decoupled weight decay "
            f"would contradict; received weight_decay={arguments['weight_decay']}. Use "
            "kernel_regularizer=keras.regularizers.L2(...) in the layers instead."
        )


def refuse_clipping(name: str, arguments: dict[str, Any]) -> None:
    """Refuse clipping for a method that compares the loss with its gradient."""
    for clipping in ("clipnorm", "global_clipnorm", "clipvalue"):
        if arguments.get(clipping) is not None:
            raise ValueError(
                f"{name} compares the loss with its gradient, which clipping parts from each other; received "
                f"{clipping}={arguments[clipping]}. Leave it out: the step is bounded as it is."
            )


def refuse_what_moves(optimizer: Any, kwargs: dict[str, Any]) -> None:
    """Refuse arguments of the base class that a search along a line cannot live with."""
    for name, remedy in _REFUSED.items():
        if kwargs.get(name) is not None:
            raise ValueError(
                f"{type(optimizer).__name__} cannot take {name}, {remedy}. Received: {name}={kwargs[name]}."
            )
        kwargs.pop(name, None)


_REFUSED = {
    "learning_rate": "since its search finds how far to go",
    "weight_decay": "which moves the weights off the line; use a regularizer, or the `direction` of a LineSearch",
    "clipnorm": "which bends the gradient of the slopes; the `direction` of a LineSearch may have it",
    "global_clipnorm": "which scales the gradient of the slopes; the `direction` of a LineSearch may have it",
    "clipvalue": "which bends the gradient of the slopes; the `direction` of a LineSearch may have it",
    "gradient_accumulation_steps": "since an accumulated gradient belongs to several batches, and the loss to one",
    "ema_overwrite_frequency": "which moves the weights between searches; use_ema=True alone is fine",
}


def checked_rate(name: str, learning_rate: Any) -> Any:
    """Return a learning rate, a whole number as a float; refuse a number that is no rate. Keras refuses all else."""
    if not isinstance(learning_rate, numbers.Real):
        return learning_rate
    if not within(learning_rate, least=0.0):
        raise ValueError(
            f"{name} takes a learning_rate of at least 0, or a schedule. Received: learning_rate={learning_rate!r}."
        )
    return float(learning_rate)


def checked_search(search: Any) -> Any:
    """Return what `LineSearch` searches with; refuse what is none, and what `GradientOnly` searches with."""
    made = search is not SLS and not isinstance(search, type)
    if not made or not callable(getattr(search, "step", search)):
        raise ValueError(f"LineSearch takes a search such as line_search.PAL(). Received: search={search!r}.")
    if hasattr(search, "needs_value"):
        raise ValueError(
            f"{type(search).__name__} judges a trial by the gradient of the next batch, as GradientOnly takes it: "
            f"GradientOnly(line_search.{type(search).__name__}()). Received: search={search!r}."
        )
    return search


def refuse_constraints(variables: list[Any]) -> None:
    """Refuse constrained weights for a method that moves along a line."""
    for variable in variables:
        if getattr(variable, "constraint", None) is not None:
            raise ValueError(
                f"The weight {variable.path} has a constraint, {variable.constraint}, which would move trial points "
                "off the line that is searched. Remove it, or use a regularizer, which the search takes into account."
            )


def check_cap_and_first_trial(
    max_update_ratio: Any, max_update_norm: Any, decay_steps: int | None, initial_step: float
) -> None:
    """Refuse a cap, a horizon or a first trial that is out of range."""
    if max_update_ratio is not None and not callable(max_update_ratio) and not within(max_update_ratio, above=0.0):
        raise ValueError(
            "max_update_ratio is the length of an update as a fraction of that of the weights, positive; received "
            f"{max_update_ratio!r}. For a cap in the unit of the weights set max_update_norm."
        )
    if max_update_norm is not None and not callable(max_update_norm) and not within(max_update_norm, above=0.0):
        raise ValueError(f"max_update_norm is the length of an update, positive; received {max_update_norm!r}.")
    if decay_steps is not None and not within(decay_steps, least=1):
        raise ValueError(
            f"decay_steps is the number of steps of the training, at least 1; received {decay_steps!r}. "
            "Leave it out where the horizon is not known."
        )
    if not within(initial_step, above=0.0):
        raise ValueError(f"initial_step must be positive; received {initial_step!r}. 1e-4 is safe nearly everywhere.")


def refuse_rate_and_clipping(arguments: dict[str, Any]) -> None:
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
