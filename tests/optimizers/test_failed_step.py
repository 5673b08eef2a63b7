"""What goes wrong in the first step of a `fit` is heard, and not what becomes of its end."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_lr.optimizers import LBFGS, DoG, GradientOnly, LineSearch, ProbabilisticLineSearch, ScheduleFreeSGD
from keras_lr.training import attach

X = np.random.default_rng(0).normal(size=(16, 3)).astype("float32")


def accumulating():
    return DoG(gradient_accumulation_steps=2)  # of which Keras counts the steps in another way


MAKERS = [DoG, GradientOnly, LBFGS, LineSearch, ProbabilisticLineSearch, ScheduleFreeSGD, accumulating]


def broken(grads, trainable_variables=None):
    raise RuntimeError("this step is broken")


@pytest.mark.parametrize("make", MAKERS)
def test_an_error_of_the_step_is_heard(make):
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    model.compile(make(), loss="mse")
    attach(model).fit(X, X[:, :1], batch_size=16, verbose=0)
    model.compile(model.optimizer, loss="mse")
    model.optimizer.apply = broken
    with pytest.raises(RuntimeError, match="this step is broken"):
        attach(model).fit(X, X[:, :1], batch_size=16, verbose=0)
