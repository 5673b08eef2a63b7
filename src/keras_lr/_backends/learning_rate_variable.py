"""The variable that holds an optimizer's rate, the one value by which a compiled step is steered."""

import keras


def innermost(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """Return the optimizer inside wrappers such as `LossScaleOptimizer`."""
    while hasattr(optimizer, "inner_optimizer"):
        optimizer = optimizer.inner_optimizer
    return optimizer


def learning_rate_variable(optimizer: keras.optimizers.Optimizer) -> keras.Variable:
    """Return the rate's variable.

    Raises:
        TypeError: the optimizer's rate is a schedule or a function, which has no variable.
    """
    rate = innermost(optimizer)._learning_rate
    if not isinstance(rate, keras.Variable):
        raise TypeError(
            f"The rate of {type(optimizer).__name__} is {rate!r}, not a number: it has no variable to steer."
        )
    return rate
