"""Minimisers of the polynomials through what is known of a line, and the safeguard on them."""

from keras_lr.line_search._line import Point, Tensor
from keras_lr.line_search._scalars import at_least, at_most, ratio, sqrt, where


def cubic_minimum(a: Point, b: Point) -> Tensor:
    """Return the minimiser of the cubic through two values and two slopes; NaN where it has none.

    Nocedal and Wright 2006, equation 3.59.
    """
    width = b.alpha - a.alpha
    d1 = a.slope + b.slope - ratio(3.0 * (a.value - b.value), a.alpha - b.alpha)
    root = d1 * d1 - a.slope * b.slope
    spread = sqrt(where(root >= 0.0, root, 0.0))
    d2 = where(width < 0.0, -spread, spread)
    minimum = b.alpha - ratio(width * (b.slope + d2 - d1), b.slope - a.slope + 2.0 * d2)
    return where(root >= 0.0, minimum, float("nan"))


def quadratic_minimum(a: Point, b: Point) -> Tensor:
    """Return the minimiser of the parabola through both values and the slope at `a` (equation 3.58)."""
    width = b.alpha - a.alpha
    curvature = 2.0 * (b.value - a.value - a.slope * width)
    return a.alpha - ratio(a.slope * width * width, curvature)


def secant(a: Point, b: Point) -> Tensor:
    """Return where a linear slope between `a` and `b` is zero."""
    return ratio(a.alpha * b.slope - b.alpha * a.slope, b.slope - a.slope)


def inside(trial: Tensor, a: Tensor, b: Tensor, margin: float) -> Tensor:
    """Whether `trial` lies between `a` and `b` in either order, more than `margin` of the width away from both."""
    low, high = at_most(a, b), at_least(a, b)
    gap = margin * (high - low)
    return (trial > low + gap) & (trial < high - gap)


def between(a: Point, b: Point) -> Tensor:
    """Return the next trial of an interval: the cubic minimiser, else the quadratic one, else the middle.

    A minimiser may come as close as a thousandth of the width to an end. That interpolation goes on shrinking the
    interval is for the caller to watch.
    """
    quadratic, cubic = quadratic_minimum(a, b), cubic_minimum(a, b)
    trial = where(inside(quadratic, a.alpha, b.alpha, 1e-3), quadratic, 0.5 * (a.alpha + b.alpha))
    return where(inside(cubic, a.alpha, b.alpha, 1e-3), cubic, trial)
