"""The logarithm of the product of ``1 + d k``, by which a time-based rate has fallen, without a loop over the steps."""

import math
from typing import Any

import numpy as np

from keras_lr.schedules._lookup import lookup

_STIRLING_FROM = 10
_SERIES_TERMS = 28


def log_product(n: Any, d: float, xp: Any) -> Any:
    """Return ``sum_{k<n} log(1 + d k)``.

    Stirling's series needs 1/d >= 10. For a larger d the first few factors are multiplied out, and the rest is
    ``(1 + d m)^(n-m)`` times a product of the same kind with the smaller ``d' = d / (1 + d m)``.
    """
    multiplied_out = max(0, math.ceil(_STIRLING_FROM - 1 / d))
    if multiplied_out == 0:
        return _log_product_stirling(n, d, xp)
    first = np.cumsum([0.0] + [math.log1p(d * k) for k in range(multiplied_out)])
    scale = 1 + d * multiplied_out
    rest = xp.maximum(n - multiplied_out, 0.0)
    beyond = rest * math.log(scale) + _log_product_stirling(rest, d / scale, xp)
    return lookup(first, xp.minimum(n, float(multiplied_out)), xp) + beyond


def _log_product_stirling(n: Any, d: float, xp: Any) -> Any:
    """Return ``log Gamma(a + n) - log Gamma(a) - n log a`` with ``a = 1/d >= 10`` and ``t = d n``.

    With Stirling's formula that is ``a ((1 + t) log(1 + t) - t) - log(1 + t) / 2 + r(a + n) - r(a)``: the terms of size
    ``a log a``, whose difference would cost all digits, are gone.
    """
    t = d * n
    a = 1 / d
    return a * _entropy(t, xp) - xp.log1p(t) / 2 + _stirling_rest(a + n) - _stirling_rest(a)


def _entropy(t: Any, xp: Any) -> Any:
    """Return ``(1 + t) log(1 + t) - t``, for a small t by its series ``sum_{k>=2} (-t)^k / (k (k - 1))``."""
    small = xp.minimum(t, 0.25)
    series = 0.0
    for k in range(_SERIES_TERMS, 1, -1):
        series = 1 / (k * (k - 1)) - small * series
    return xp.where(t < 0.25, small * small * series, (1 + t) * xp.log1p(t) - t)


def _stirling_rest(z: Any) -> Any:
    """Return what Stirling's formula leaves of log Gamma(z), to 1e-16 for z >= 10."""
    w = 1 / (z * z)
    series = 1 / 1188 - w * (691 / 360360 - w / 156)
    return (1 / 12 - w * (1 / 360 - w * (1 / 1260 - w * (1 / 1680 - w * series)))) / z
