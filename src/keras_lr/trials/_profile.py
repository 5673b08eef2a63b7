"""How soon methods reach a target over several tasks: the performance profile and its score, pure.

Dolan and More, "Benchmarking optimization software with performance profiles", Mathematical Programming 91 (2002);
the score is that of Dahl et al., "Benchmarking neural network training algorithms", arXiv 2306.07179, section 4.
"""

import numpy as np

LARGEST_RATIO = 4.0


def first_reached(curves: np.ndarray, spent: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return what had been spent when a curve first was at its target or below, infinite where it never was.

    Args:
        curves: lower is better, shape `(tasks, methods, seeds, epochs)`; NaN where there is nothing.
        spent: by the end of each epoch, of the same shape.
        targets: shape `(tasks,)`.
    """
    reached = curves <= targets[:, None, None, None]
    first = np.argmax(reached, axis=-1)[..., None]
    return np.where(np.any(reached, axis=-1), np.take_along_axis(spent, first, axis=-1)[..., 0], np.inf)


def ratios(times: np.ndarray) -> np.ndarray:
    """Return each time over the shortest of any method on its task, `r >= 1`; infinite where the target was missed.

    Args:
        times: shape `(tasks, methods)`.
    """
    fastest = np.min(times, axis=1, keepdims=True)
    finite = np.isfinite(times)
    return np.where(finite, np.where(finite, times, 1.0) / np.where(np.isfinite(fastest), fastest, 1.0), np.inf)


def profile(ratio: np.ndarray, taus: np.ndarray) -> np.ndarray:
    """Return the share of tasks that each method solves within `tau` times the fastest, shape `(methods, taus)`.

    `rho(tau) = |{task : r <= tau}| / |tasks|`
    """
    return np.mean(ratio[:, :, None] <= taus, axis=0)


def scores(ratio: np.ndarray) -> np.ndarray:
    """Return the area under each profile from 1 to 4, over 3, shape `(methods,)`: 1 is the fastest on every task."""
    return np.mean(np.clip(LARGEST_RATIO - ratio, 0.0, None) / (LARGEST_RATIO - 1), axis=0)


def steps_of_profile(ratio: np.ndarray) -> np.ndarray:
    """Return where some profile steps up between 1 and 4, the ends included."""
    inside = ratio[(ratio >= 1) & (ratio <= LARGEST_RATIO)]
    return np.unique(np.concatenate([[1.0], inside, [LARGEST_RATIO]]))
