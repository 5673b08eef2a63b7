"""Models whose weights are not in single precision: what asks for the batch, and what walks along a line."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_lr.line_search import PAL, GeN
from keras_lr.optimizers import (
    LBFGS,
    AdaHessian,
    GradientOnly,
    LineSearch,
    MoMo,
    ProbabilisticLineSearch,
    ScheduleFreePlus,
    Sophia,
)
from keras_lr.training import attach

MAKERS = {
    "AdaHessian": AdaHessian,
    "Backtracking": lambda: LineSearch(None, keras.optimizers.SGD(0.1, momentum=0.9)),
    "GeN": lambda: LineSearch(GeN(every=2), keras.optimizers.SGD(0.1)),
    "GradientOnly": GradientOnly,
    "LBFGS": lambda: LBFGS(3),
    "MoMo": MoMo,
    "PAL": lambda: LineSearch(PAL()),
    "ProbabilisticLineSearch": ProbabilisticLineSearch,
    "ScheduleFreePlus": ScheduleFreePlus,
    "Sophia": lambda: Sophia(0.01, gamma=1.0),
}
X = np.random.default_rng(0).normal(size=(32, 4))
Y = X[:, :1] + 0.5 * X[:, 1:2]
wide = pytest.mark.skipif(keras.backend.backend() == "jax", reason="JAX has no double precision by default")


def trained(name, dtype):
    keras.utils.set_random_seed(0)
    hidden = layers.Dense(5, activation="tanh", dtype=dtype)
    model = keras.Sequential([keras.Input((4,)), hidden, layers.Dense(1, dtype=dtype)])
    model.compile(MAKERS[name](), loss="mse")
    model = attach(model)
    losses = model.fit(X, Y, batch_size=32, epochs=8, shuffle=False, verbose=0).history["loss"]
    assert all(v.dtype == dtype for v in model.trainable_variables)
    assert losses[-1] < losses[0]
    return [ops.convert_to_numpy(ops.cast(v, "float64" if dtype == "float64" else "float32")) for v in model.weights]


@pytest.mark.parametrize("name", MAKERS)
def test_half_precision_trains(name):
    assert all(np.isfinite(w).all() for w in trained(name, "bfloat16"))


@wide
@pytest.mark.parametrize("name", MAKERS)
def test_double_precision_is_not_rounded_to_single(name):
    kernel = trained(name, "float64")[0]
    assert not np.array_equal(kernel, kernel.astype("float32"))


@wide
@pytest.mark.parametrize("search", [PAL(), None], ids=["PAL", "Backtracking"])
def test_a_search_in_double_precision_goes_where_the_sgd_of_keras_goes(search):
    def way(optimizer):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((4,), dtype="float64"), layers.Dense(1, use_bias=False, dtype="float64")])
        model.compile(optimizer, loss=keras.losses.MeanSquaredError(dtype="float64"))  # Keras' own is single
        before = model.get_weights()[0].copy()
        attach(model).fit(X, Y, batch_size=32, verbose=0)
        step = model.get_weights()[0] - before
        return step / np.linalg.norm(step)

    np.testing.assert_allclose(way(LineSearch(search)), way(keras.optimizers.SGD(0.1)), rtol=1e-12)
