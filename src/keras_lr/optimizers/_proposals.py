"""Which optimizers propose a step that another method may go a part of."""

import itertools
from collections.abc import Iterable
from typing import Any

import keras

from keras_lr._arguments import Argument
from keras_lr._backends.wrapped_optimizers import optimizers_in, wrappers_and_core
from keras_lr.optimizers._global import GlobalOptimizer
from keras_lr.optimizers._refusals import refuse, refuse_accumulation

# They make the weights anew from sums or a point of their own, of which a method around them moves none.
FROM_OWN_STATE = (keras.optimizers.Ftrl, keras.optimizers.ScheduleFreeAdamW)


def refuse_other_than_proposals(name: str, optimizer: keras.optimizers.Optimizer) -> None:
    """Refuse an optimizer that is more than a step proposed from a gradient, for a method that goes a part of it."""
    refuse_loss_scaling(name, optimizer)
    for part in optimizers_in(optimizer):
        if isinstance(part, FROM_OWN_STATE + (GlobalOptimizer,)) or getattr(part, "needs_batch", False):
            own = type(part).__name__
            raise TypeError(
                f"{name} goes a part of the step that an optimizer proposes, and {own} has to find the weights where "
                f"it put them. Received: {own} inside {name}. Use {own} alone, or an optimizer such as Adam inside "
                f"{name}."
            )


def refuse_loss_scaling(name: str, optimizer: keras.optimizers.Optimizer) -> None:
    """Refuse an optimizer that scales the loss, which has to go around the method."""
    if any(isinstance(part, keras.optimizers.LossScaleOptimizer) for part in wrappers_and_core(optimizer)):
        raise TypeError(f"{name} goes inside a LossScaleOptimizer: LossScaleOptimizer({name}(...)).")


def refuse_own_handling(name: str, optimizer: keras.optimizers.Optimizer, settings: Iterable[str]) -> None:
    """Refuse an optimizer that does to the gradients or the weights what the method around it is to do."""
    for inner, setting in itertools.product(optimizers_in(optimizer), settings):
        if getattr(inner, setting, None):
            reason, remedy = f"as {name} sees the same gradients and weights", f"Give it to {name} instead."
            refuse(f"An optimizer inside {name}", setting, getattr(inner, setting), reason, remedy)


def checked_optimizer(owner: str, name: str, given: Any) -> keras.optimizers.Optimizer:
    """Return the optimizer that an argument is, names or describes as Keras saves one.

    Raises:
        ValueError: it is none of these.
    """
    try:
        optimizer = keras.optimizers.get(given)
    except (ValueError, TypeError, KeyError):
        optimizer = None
    if optimizer is None:
        wanted = "an optimizer, such as SGD(1.0, momentum=0.9), or its name"
        raise ValueError(Argument(owner, name).refusal(wanted, given))
    return optimizer


def checked_direction(direction: Any) -> Any:
    """Return the optimizer that proposes a direction for `LineSearch`; None is the gradient."""
    if direction is None:
        return None
    optimizer = checked_optimizer("LineSearch", "direction", direction)
    refuse_other_than_proposals("LineSearch", optimizer)
    refuse_own_handling("LineSearch", optimizer, ("use_ema", "loss_scale_factor"))
    for part in optimizers_in(optimizer):
        refuse_accumulation("The direction of a LineSearch", getattr(part, "gradient_accumulation_steps", None))
    return optimizer
