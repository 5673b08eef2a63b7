"""Double precision on JAX: 64-bit types are switched on while the formula is traced, and nowhere else."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


def evaluate(formula: Callable[[Any, Any], Any], step: Any, dtype: str) -> Any:
    """Compute ``formula(step, namespace)`` in float64 and round it to ``dtype``."""
    with jax.enable_x64(True):
        double = jnp.asarray(step).astype(jnp.float64)
        return jnp.asarray(formula(double, jnp)).astype(dtype)
