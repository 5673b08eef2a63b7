"""A line search that weighs noise: accept where the Wolfe conditions hold with enough probability.

Reference:
    Mahsereci and Hennig, "Probabilistic Line Searches for Stochastic Optimization", arXiv:1703.10034: section 3.2
    (candidates), 3.3 (conditions). The bivariate normal follows Drezner and Wesolowsky (1990) and Genz (2004).
"""

from __future__ import annotations

import math
from typing import Annotated, Any

import numpy as np
from keras import ops

from keras_lr._arguments import Beta, NotNegative, Part, Positive, check, number
from keras_lr._value import Value
from keras_lr.line_search._dynamic import dynamic
from keras_lr.line_search._gaussian_process import Posterior

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(20)
_CERTAIN = 1e-9


@dynamic
class Wolfe(Value):
    """The probabilistic Wolfe conditions and the constants of the search.

    Steps are scaled: t is the step in units of the first trial, values in units of first trial times first slope.

    Args:
        decrease: c₁ of the sufficient decrease f(t) ≤ f(0) + c₁ t f′(0).
        curvature: c₂ of the curvature condition |f′(t)| ≤ c₂ |f′(0)|.
        probability: The step is accepted where both hold with at least this probability.
        max_evaluations: Trials a search; the last is accepted as it is. At most 15.
        expansion: The first trial of the next search, in units of the accepted step.
        memory: Weight of the old mean of accepted steps. That mean takes over where the first trial is off from it
            by more than `reset`.
        reset: That factor.

    Raises:
        ValueError: A constant is out of its range.

    Example:
        >>> from keras_lr.line_search import Wolfe
        >>> from keras_lr.optimizers import ProbabilisticLineSearch
        >>> optimizer = ProbabilisticLineSearch(Wolfe(probability=0.5))  # surer of a step before it is taken
        >>> optimizer.conditions.probability
        0.5
    """

    decrease: NotNegative = 0.05
    curvature: Part = 0.5
    probability: Part = 0.3
    max_evaluations: Annotated[int, number(least=2, most=15, whole=True)] = 7
    expansion: Positive = 1.3
    memory: Beta = 0.95
    reset: Annotated[float, number(above=1.0, below=None)] = 100.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self, "decrease", below=self.curvature, remedy="The bound is curvature.")


def probability_of_wolfe(conditions: Wolfe, at: Any, found: Posterior) -> Any:
    """Return the probability that both Wolfe conditions hold at t.

    With a = f(0) - f(t) + c₁ t f′(0) and b = f′(t) - c₂ f′(0), jointly normal: P(a ≥ 0, 0 ≤ b ≤ b_max), where b_max =
    2 c₂ (|E f′(0)| + 2 √Var f′(0)) makes the curvature condition the strong one.
    """
    c1, c2 = conditions.decrease, conditions.curvature
    mean, covariance = found.origin
    value, slope = mean[0], mean[1]
    v00, v01, v11 = covariance[0, 0], covariance[0, 1], covariance[1, 1]
    mean_a = value - found.mean + c1 * at * slope
    mean_b = found.slope - c2 * slope
    var_a = v00 + (c1 * at) ** 2 * v11 + found.variance
    var_a = var_a + 2.0 * (c1 * at * (v01 - found.origin_slope_value) - found.origin_value)
    var_b = c2**2 * v11 - 2.0 * c2 * found.origin_slope_slope + found.slope_variance
    mixed = (
        -c2 * (v01 + c1 * at * v11)
        + found.origin_value_slope
        + c2 * found.origin_slope_value
        + c1 * at * found.origin_slope_slope
        - found.covariance
    )
    upper = 2.0 * c2 * (ops.abs(slope) + 2.0 * ops.sqrt(ops.maximum(v11, 0.0)))
    certain = (var_a < _CERTAIN) & (var_b < _CERTAIN)
    std_a, std_b = ops.sqrt(ops.maximum(var_a, _CERTAIN)), ops.sqrt(ops.maximum(var_b, _CERTAIN))
    rho = ops.clip(mixed / (std_a * std_b), -1.0, 1.0)
    low_a, low_b, high_b = -mean_a / std_a, -mean_b / std_b, (upper - mean_b) / std_b
    noisy = upper_orthant(low_a, low_b, rho) - upper_orthant(low_a, high_b, rho)
    sure = (mean_a >= 0.0) & (mean_b >= 0.0) & (mean_b <= upper)
    return ops.clip(ops.where(certain, ops.cast(sure, noisy.dtype), noisy), 0.0, 1.0)


def upper_orthant(low: Any, other: Any, rho: Any) -> Any:
    """Return P(X ≥ low, Y ≥ other) for standard normal X and Y with correlation ρ, element by element.

    From ∂P/∂ρ = φ₂, the density at the corner: for |ρ| < 0.925 integrated from ρ = 0 in the angle arcsin ρ, else from
    the perfectly correlated end in √(1 - ρ²).
    """
    low, other = ops.clip(low, -30.0, 30.0), ops.clip(other, -30.0, 30.0)
    rho = ops.clip(rho, -1.0, 1.0)
    return ops.where(ops.abs(rho) < 0.925, _from_independence(low, other, rho), _from_the_end(low, other, rho))


def expected_improvement(best: Any, mean: Any, variance: Any) -> Any:
    """Return E max(best - f, 0) for f normal: (best - μ) Φ(z) + s φ(z) with z = (best - μ) / s."""
    std = ops.sqrt(ops.maximum(variance, 1e-12))
    z = (best - mean) / std
    density = ops.exp(-0.5 * ops.clip(z, -13.0, 13.0) ** 2) / math.sqrt(2.0 * math.pi)
    return (best - mean) * normal_cdf(z) + std * density


def normal_cdf(z: Any) -> Any:
    """Return Φ(z)."""
    return 0.5 * (1.0 + ops.erf(z / math.sqrt(2.0)))


def minima_between(places: Any, seen: Any, found: Posterior) -> tuple[Any, Any]:
    """Return where the mean is least inside each cell between neighbours, and whether there is such a place.

    ``places`` are in ascending order, missing ones last; ``found`` is the posterior there. The mean is a cubic in a
    cell, its slope a parabola fixed by the slopes s₀, s₁ at both ends and the rise: a root with positive curvature.
    """
    left, right = places[:-1], places[1:]
    width = ops.where(right > left, right - left, 1.0)
    s0, s1 = found.slope[:-1] * width, found.slope[1:] * width
    rise = found.mean[1:] - found.mean[:-1]
    # slope(u) = a u² + b u + s0 on u in [0, 1]
    a, b = 3.0 * (s0 + s1 - 2.0 * rise), 2.0 * (3.0 * rise - 2.0 * s0 - s1)
    discriminant = b * b - 4.0 * a * s0
    root = ops.sqrt(ops.maximum(discriminant, 0.0))
    denominator = b + root
    u = -2.0 * s0 / ops.where(ops.abs(denominator) > 1e-12, denominator, 1e-12)
    inside = (discriminant > 0.0) & (u > 0.0) & (u < 1.0) & (2.0 * a * u + b > 0.0)
    exists = inside & (right > left) & (seen[1:] > 0.5) & (seen[:-1] > 0.5)
    return left + ops.clip(u, 0.0, 1.0) * width, exists


def _from_independence(low: Any, other: Any, rho: Any) -> Any:
    angle = ops.arcsin(ops.clip(rho, -0.925, 0.925))[..., None]
    nodes, weights = (ops.convert_to_tensor(v, low.dtype) for v in (0.5 * (_NODES + 1.0), 0.5 * _WEIGHTS))
    sine = ops.sin(angle * nodes)
    x, y = low[..., None], other[..., None]
    exponent = (sine * x * y - 0.5 * (x * x + y * y)) / (1.0 - sine * sine)
    integral = ops.sum(weights * ops.exp(ops.maximum(exponent, -80.0)), axis=-1) * angle[..., 0]
    return normal_cdf(-low) * normal_cdf(-other) + integral / (2.0 * math.pi)


def _from_the_end(low: Any, other: Any, rho: Any) -> Any:
    """Integrate from ρ = ±1 inwards: with c = √(1 - r²), dρ = -c dc / √(1 - c²) and |r| = √(1 - c²)."""
    sign = ops.where(rho < 0.0, -ops.ones_like(rho), 1.0)
    y = other * sign  # P(X ≥ x, Y ≥ y) = P(X ≥ x) - P(X ≥ x, -Y ≥ -y) for negative ρ
    end = ops.sqrt(ops.maximum(1.0 - rho * rho, 0.0))[..., None]
    nodes, weights = (ops.convert_to_tensor(v, low.dtype) for v in (0.5 * (_NODES + 1.0), 0.5 * _WEIGHTS))
    c = ops.maximum(end * nodes, 1e-12)
    r = ops.sqrt(1.0 - ops.minimum(c * c, 0.5))
    exponent = -0.5 * ((low - y)[..., None] / c) ** 2 - (low * y)[..., None] / (1.0 + r)
    integral = ops.sum(weights * ops.exp(ops.clip(exponent, -80.0, 10.0)) / r, axis=-1) * end[..., 0]
    positive = normal_cdf(-ops.maximum(low, y)) - integral / (2.0 * math.pi)
    return ops.where(rho < 0.0, normal_cdf(-low) - positive, positive)
