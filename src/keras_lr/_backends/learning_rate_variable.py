"""The variable that holds an optimizer's rate, the one value by which a compiled step is steered."""

import keras

from keras_lr._backends.wrapped_optimizers import innermost


def refuse_several(optimizer: keras.optimizers.Optimizer) -> None:
    """Raise `ValueError` where several optimizers, each with a rate of its own, stand for one."""
    several = innermost(optimizer)
    if hasattr(several, "optimizers"):
        raise ValueError(
            f"{type(several).__name__} holds several optimizers, each with a rate of its own, and one rate is looked "
            "for or steered here. Compile with one optimizer; keras_lr.optimizers.PerLayer gives layers rates of their "
            "own."
        )


def learning_rate_variable(optimizer: keras.optimizers.Optimizer) -> keras.Variable:
    """Return the rate's variable.

    Raises:
        TypeError: the optimizer's rate is a schedule or a function, which has no variable.
        ValueError: there are several optimizers.
    """
    refuse_several(optimizer)
    rate = innermost(optimizer)._learning_rate
    if not isinstance(rate, keras.Variable):
        raise TypeError(
            f"The rate of {type(optimizer).__name__} is {rate!r}, not a number: it has no variable to steer."
        )
    return rate
