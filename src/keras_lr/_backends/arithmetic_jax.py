"""Double precision on JAX: 64-bit types are switched on while the formula is traced, and nowhere else."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

_x64 = getattr(jax, "enable_x64", None)
if _x64 is None:  # before JAX 0.8
    from jax.experimental import enable_x64 as _x64


def evaluate(formula: Callable[[Any, Any], Any], step: Any, dtype: str) -> Any:
    """Compute ``formula(step, namespace)`` in float64 and round it to ``dtype``."""
    with _x64(True):
        double = jnp.asarray(step).astype(jnp.float64)
        return jnp.asarray(formula(double, jnp)).astype(dtype)
