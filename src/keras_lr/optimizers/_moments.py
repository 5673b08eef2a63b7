"""Adam's moments: the weight that an average has gathered, 1 - βᵗ, and the direction that it corrects."""

import math
from typing import Any

from keras import ops

from keras_lr._backends import lists
from keras_lr.optimizers._global import State, Tensors


def gathered(beta: Any, steps: Any) -> Any:
    """Return 1 - beta^steps, without the cancellation that float32 suffers when beta is near 1.

    A beta that `Scheduled` has put on a schedule is a tensor.
    """
    if not isinstance(beta, int | float):
        return -ops.expm1(steps * ops.log(ops.cast(beta, steps.dtype)))
    return -ops.expm1(steps * math.log(beta)) if beta > 0.0 else ops.ones_like(steps)


def adam_correction(beta_1: Any, beta_2: Any, steps: Any) -> Any:
    """Return √(1 - β₂ᵗ) / (1 - β₁ᵗ), the factor that Adam's bias correction puts on the rate."""
    return ops.sqrt(gathered(beta_2, steps)) / gathered(beta_1, steps)


def adam_direction(g: Tensors, state: State, beta_1: float, beta_2: float, epsilon: float, steps: Any) -> Tensors:
    """Return Adam's direction at step ``steps`` (from 1), having moved ``state.mean`` and ``state.mean_square``."""
    state.mean = lists.lerp_(state.mean, g, 1.0 - beta_1)
    state.mean_square = lists.scale_(state.mean_square, beta_2)
    state.mean_square = lists.addcmul_(state.mean_square, g, g, 1.0 - beta_2)
    root = ops.sqrt(gathered(beta_2, steps))
    scaled = lists.under_(lists.root(state.mean_square, root * epsilon), state.mean)
    state.passing = scaled
    return lists.scale_(scaled, root / gathered(beta_1, steps))
