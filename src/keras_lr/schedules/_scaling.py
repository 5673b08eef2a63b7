"""What to do with a rate when the batch or the run changes: rules of thumb, as functions, with their limits."""

from __future__ import annotations

from keras_lr._arguments import Argument, number
from keras_lr.schedules._kinds import rate


def linear_batch_rule(learning_rate: float, batch_size: float, new_batch_size: float) -> float:
    """Return the rate for another batch size by the linear rule: ``eta k`` with ``k = B' / B``.

    For SGD with and without momentum, with a warm-up, and while the noise of the batch dominates: it fails beyond the
    critical batch size. For Adam and other methods that normalise the gradient take `square_root_batch_rule`.

    Args:
        learning_rate: the rate that is good for the old batch.
        batch_size: the old batch, above 0.
        new_batch_size: the new batch, above 0.

    Reference: Goyal et al., arXiv 1706.02677, section 2.1.

    Example:
    >>> from keras_lr import schedules
    >>> schedules.linear_batch_rule(0.1, 256, 1024)
    0.4
    """
    return _scaled("linear_batch_rule", learning_rate, 1.0, batch_size=batch_size, new_batch_size=new_batch_size)


def square_root_batch_rule(learning_rate: float, batch_size: float, new_batch_size: float) -> float:
    """Return the rate for another batch size by the square-root rule: ``eta sqrt(B' / B)``.

    For Adam, RMSprop and other methods that normalise the gradient; ``1 - beta`` scales linearly with it.

    Args:
        learning_rate: the rate that is good for the old batch.
        batch_size: the old batch, above 0.
        new_batch_size: the new batch, above 0.

    Reference: Malladi et al., On the SDEs and scaling rules for adaptive gradient algorithms, arXiv 2205.10287.

    Example:
    >>> from keras_lr import schedules
    >>> schedules.square_root_batch_rule(1e-3, 256, 1024)
    0.002
    """
    return _scaled("square_root_batch_rule", learning_rate, 0.5, batch_size=batch_size, new_batch_size=new_batch_size)


def horizon_rule(learning_rate: float, total_steps: float, new_total_steps: float, *, exponent: float = 0.32) -> float:
    """Return the peak for a run of another length at the same batch size: ``eta (T' / T)^-exponent``.

    Args:
        learning_rate: the peak that is good for the old length.
        total_steps: the old length, above 0.
        new_total_steps: the new length, above 0.
        exponent: at least 0. Default 0.32, fitted for language models; convex theory with a schedule to zero says 0.5.

    Reference: Bjorck et al., Scaling optimal LR across token horizons, arXiv 2409.19913; Schaipp et al.,
        arXiv 2501.18965, for the exponent of the theory.

    Example:
    >>> from keras_lr import schedules
    >>> round(schedules.horizon_rule(1e-3, 1000, 10_000), 6)
    0.000479
    """
    power = number(least=0.0)(exponent, Argument("horizon_rule", "exponent"))
    return _scaled("horizon_rule", learning_rate, -power, total_steps=total_steps, new_total_steps=new_total_steps)


def _scaled(owner: str, learning_rate: float, exponent: float, **old_and_new: float) -> float:
    old, new = (number(above=0.0)(given, Argument(owner, name)) for name, given in old_and_new.items())
    return rate(learning_rate, Argument(owner, "learning_rate")) * (new / old) ** exponent
