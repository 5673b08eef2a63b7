"""What the methods that estimate the distance to the solution have in common: their checks and their quotient."""

from typing import Any

from keras import ops


def quotient(numerator: Any, denominator: Any) -> Any:
    """Return numerator / denominator, and 0 where the denominator is 0 (no gradient has been seen yet)."""
    seen = denominator > 0
    return ops.where(seen, numerator / ops.where(seen, denominator, 1.0), 0.0)


def check_estimate(initial_estimate: float, growth_rate: float) -> None:
    """Refuse an estimate that cannot grow."""
    if initial_estimate <= 0.0:
        raise ValueError(
            "initial_estimate is a small positive distance that the method grows from, 1e-6 by default; "
            f"received initial_estimate={initial_estimate}"
        )
    if growth_rate <= 1.0:
        raise ValueError(
            "growth_rate is the factor by which the estimate may grow in one step, above 1 (math.inf for no "
            f"limit); received growth_rate={growth_rate}"
        )


def check_betas(**betas: float) -> None:
    """Refuse a decay that is not in [0, 1)."""
    for name, beta in betas.items():
        if not 0.0 <= beta < 1.0:
            raise ValueError(f"{name} is the decay of an average, in [0, 1); received {name}={beta}")
