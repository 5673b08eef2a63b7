"""A first step of `fit` that fails: on JAX Keras has moved the values of all variables into it, and they are lost."""

import keras


def lost(optimizer: keras.optimizers.Optimizer) -> bool:
    """Return whether the optimizer's variables have no values, so that to end `fit` would hide what went wrong."""
    return optimizer.built and optimizer._iterations._value is None
