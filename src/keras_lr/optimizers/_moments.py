"""The weight that an exponential average has gathered, 1 - βᵗ: what Adam divides by."""

import math
from typing import Any

from keras import ops


def gathered(beta: float, steps: Any) -> Any:
    """Return 1 - beta^steps, without the cancellation that float32 suffers when beta is near 1."""
    return -ops.expm1(steps * math.log(beta)) if beta > 0.0 else ops.ones_like(steps)


def adam_correction(beta_1: float, beta_2: float, steps: Any) -> Any:
    """Return √(1 - β₂ᵗ) / (1 - β₁ᵗ), the factor that Adam's bias correction puts on the rate."""
    return ops.sqrt(gathered(beta_2, steps)) / gathered(beta_1, steps)
