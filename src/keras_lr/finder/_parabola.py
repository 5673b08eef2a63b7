"""The parabola through the best of a few values and its neighbours: pure."""

import numpy as np


def parabola(x: np.ndarray, y: np.ndarray, best: int) -> tuple[float, float]:
    """Return where the parabola through the best point and its neighbours is lowest, and its curvature."""
    if best in (0, len(x) - 1):
        return float(x[best]), 0.0
    window = y[best - 1 : best + 2].copy()
    # A diverged neighbour counts as far above: as high again as the other one stands above the best, twice.
    finite = window[np.isfinite(window)]
    window[~np.isfinite(window)] = finite.min() + 3 * max(finite.max() - finite.min(), abs(finite.min()) * 1e-3)
    a, b, _ = np.polyfit(x[best - 1 : best + 2] - x[best], window, 2)
    if a <= 0:
        return float(x[best]), 0.0
    # Not beyond the middle between two points, nor towards one that diverged.
    below, above = (np.diff(x[best - 1 : best + 2]) / 2) * np.isfinite(y[[best - 1, best + 1]])
    return float(x[best] + np.clip(-b / (2 * a), -below, above)), float(a)
