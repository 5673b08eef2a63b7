"""What a method cannot live with, refused at construction or at `build`."""

from typing import Any

import keras

from keras_lr._backends.wrapped_optimizers import optimizers_in, wrappers_and_core
from keras_lr.optimizers._global import GlobalOptimizer


def refuse_other_than_proposals(name: str, optimizer: keras.optimizers.Optimizer) -> None:
    """Refuse an optimizer that is more than a step proposed from a gradient, for a method that goes a part of it."""
    if any(isinstance(part, keras.optimizers.LossScaleOptimizer) for part in wrappers_and_core(optimizer)):
        raise TypeError(f"{name} goes inside a LossScaleOptimizer: LossScaleOptimizer({name}(...)).")
    for part in optimizers_in(optimizer):
        if isinstance(part, GlobalOptimizer) or getattr(part, "needs_batch", False):
            own = type(part).__name__
            raise TypeError(
                f"{name} goes a part of the step that an optimizer proposes, and {own} has to find the weights where "
                f"it put them. Received: {own} inside {name}. Use {own} alone, or an optimizer of Keras inside {name}."
            )


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


def refuse_direction(direction: keras.optimizers.Optimizer) -> None:
    """Refuse a direction for a LineSearch that is more than a step proposed from the gradient of one batch."""
    refuse_other_than_proposals("LineSearch", direction)
    for part in optimizers_in(direction):
        accumulated = getattr(part, "gradient_accumulation_steps", None)
        if accumulated:
            raise ValueError(f"A direction belongs to one batch. Received: gradient_accumulation_steps={accumulated}.")


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
