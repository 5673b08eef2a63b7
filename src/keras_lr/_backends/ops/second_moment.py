"""A gradient over the root of its second moment in ``keras.ops``: for JAX and TensorFlow."""

from typing import Any

from keras import ops

Tensors = list[Any]


def over_root_(u: Tensors, v: Tensors, g: Tensors, epsilon: Any, rho: float | None = None) -> tuple[Tensors, Tensors]:
    """Return u = g / (√v + epsilon) and the new v: v + g², or with ``rho`` the mean rho · v + (1 - rho) · g².

    The mean is written as v + (1 - rho) · (g² - v), a pass less where no compiler fuses.
    """
    squares = [x * x for x in g]
    if rho is None:
        v = [x + s for x, s in zip(v, squares, strict=True)]
    else:
        v = [x + (1.0 - rho) * (s - x) for x, s in zip(v, squares, strict=True)]
    return [x / (ops.sqrt(y) + epsilon) for x, y in zip(g, v, strict=True)], v
