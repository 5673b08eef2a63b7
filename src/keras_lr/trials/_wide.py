"""Whether values are so far apart that their axis is better logarithmic."""

import numpy as np

RATIO = 20.0


def is_wide(values: np.ndarray) -> bool:
    """Return whether finite values are all above 0 and reach over more than a factor of 20."""
    finite = values[np.isfinite(values)]
    return bool(len(finite) and finite.min() > 0 and finite.max() > RATIO * finite.min())
