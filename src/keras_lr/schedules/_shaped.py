"""From one rate to another along a shape: what of a length has passed, and how much of the way is left."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from keras_lr.schedules import shapes
from keras_lr.schedules._kinds import a_function

ShapeLike: TypeAlias = Annotated[Any, a_function("a shape, such as shapes.Cosine(), or a function of the progress")]


def progress(step: Any, length: Any, xp: Any) -> Any:
    """Return how much of a length has passed, between 0 and 1."""
    return xp.minimum(xp.maximum(step / length, 0.0), 1.0)


def between(start: Any, end: float, fraction: Any) -> Any:
    """Return the value at a fraction of the way from the end (0) to the start (1); exact at both."""
    return start * fraction + end * (1 - fraction)


def shaped(shape: Any, p: Any, xp: Any) -> Any:
    """Return a shape's value; a function of one argument is a shape too."""
    return shape(p, xp) if isinstance(shape, shapes.Shape) else xp.asarray(shape(p))
