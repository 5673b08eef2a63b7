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


def refuse_others(model: keras.Model) -> None:
    """Raise `ValueError` where a `train_step` of the model's own has further optimizers at hand."""
    if type(model).train_step is keras.Model.train_step:
        return
    compiled = innermost(model.optimizer)
    others = [
        f"self.{name} ({type(value).__name__})"
        for name, value in vars(model).items()
        if isinstance(value, keras.optimizers.Optimizer) and innermost(value) is not compiled
    ]
    if others:
        raise ValueError(
            f"{type(model).__name__} defines its own train_step and holds {' and '.join(others)} beside the "
            f"{type(compiled).__name__} that it is compiled with. Each has a rate and a state of its own, and one rate "
            "is looked for or steered here. Train with one optimizer, or with model.fit, where each may have its own "
            "schedule, such as keras_lr.schedules.OneCycle."
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
