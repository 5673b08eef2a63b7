"""Which values a chart of losses can show at once, and on which axis."""

import numpy as np

WIDE = 20.0
EXPLODED = 1e4
NOTE = "Crosses: not finite, or more than 10,000 times the median of all values."


def without_exploded(values: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Return values with NaN where one is so large that the others would lie in a line beside it.

    Args:
        values: of any shape.
        among: all values of the chart.
    """
    sizes = np.abs(among[np.isfinite(among) & (among != 0)])
    largest = EXPLODED * np.median(sizes) if len(sizes) else np.inf
    return np.where(np.isfinite(values) & (np.abs(values) <= largest), values, np.nan)


def is_wide(values: np.ndarray) -> bool:
    """Return whether finite values are all above 0 and reach over more than a factor of 20."""
    finite = values[np.isfinite(values)]
    return bool(len(finite) and finite.min() > 0 and finite.max() > WIDE * finite.min())
