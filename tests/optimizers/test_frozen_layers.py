"""A layer that is frozen between two fits stays where it is, under the optimizer that trained it before."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_lr.line_search import GeN
from keras_lr.optimizers import (
    LBFGS,
    AdaHessian,
    DoG,
    GradientOnly,
    LineSearch,
    ProbabilisticLineSearch,
    ScheduleFreeSGD,
    Sophia,
)
from keras_lr.training import attach

MAKERS = {
    "AdaHessian": AdaHessian,
    "DoG": lambda: DoG(relative_start=1e-2),
    "GeN": lambda: LineSearch(GeN(every=2), keras.optimizers.SGD(0.05)),
    "GradientOnly": GradientOnly,
    "ProbabilisticLineSearch": ProbabilisticLineSearch,
    "ScheduleFreeSGD": lambda: ScheduleFreeSGD(0.1),
    "Sophia": lambda: Sophia(0.01, gamma=1.0, interval=2),
}
X = np.random.default_rng(0).normal(size=(64, 6)).astype("float32")
Y = np.sin(X[:, :1]) + 0.3 * X[:, 1:2]


def network(optimizer):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((6,)), layers.Dense(8, activation="tanh"), layers.Dense(1)])
    model.compile(optimizer, loss="mse")
    return attach(model)


def frozen(model):
    """Freeze the first layer as Keras wants it: compile again, here with the optimizer that has come so far."""
    model.layers[0].trainable = False
    model.compile(model.optimizer, loss="mse")
    return attach(model)


def fit(model, **arguments):
    return model.fit(X, Y, epochs=2, shuffle=False, verbose=0, **{"batch_size": 16, **arguments}).history["loss"]


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="Keras refuses an optimizer built for other weights")
@pytest.mark.parametrize("name", MAKERS)
def test_a_frozen_layer_stays_and_the_others_train_on(name):
    model = network(MAKERS[name]())
    fit(model)
    before = model.get_weights()
    fit(frozen(model))
    for old, new in zip(before[:2], model.get_weights()[:2], strict=True):
        np.testing.assert_array_equal(old, new)
    assert not np.array_equal(before[2], model.get_weights()[2])
    assert np.isfinite(model.get_weights()[2]).all()


def test_lbfgs_whose_curvature_is_of_other_weights_is_refused():
    model = network(LBFGS())
    fit(model, batch_size=64)
    with pytest.raises(ValueError, match=r"new LBFGS\(\)"):
        frozen(model)
