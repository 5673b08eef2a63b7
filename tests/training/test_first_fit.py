"""The first `fit` of a model shuffles as if nothing had looked at the model before."""

import keras
import numpy as np
import pytest

import keras_lr

X = np.random.default_rng(0).normal(size=(256, 4)).astype("float32")
Y = X.sum(1, keepdims=True)
LOOKS = {
    "race": lambda model: keras_lr.race(model, X, Y, epochs=10, batch_size=16),
    "range_test": lambda model: keras_lr.range_test(model, X, Y, batch_size=16),
    "diagnose": lambda model: keras_lr.diagnose(model, X, Y, epochs=3, batch_size=16),
}


class ComputesItsLoss(keras.Sequential):
    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return keras.ops.mean((y - y_pred) ** 2)


def trained(look=None, kind=keras.Sequential, **compiled):
    keras.utils.set_random_seed(3)
    model = kind([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.01), **compiled or {"loss": "mse"})
    if look:
        look(model)
    model.fit(X, Y, epochs=1, batch_size=16, verbose=0)
    return model.get_weights()[0]


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_the_first_fit_after_a_look_is_still_the_first(look):
    np.testing.assert_array_equal(trained(look), trained())


def test_the_first_fit_of_a_model_that_computes_its_loss_is_so_too():
    model = {"kind": ComputesItsLoss, "metrics": ["mae"]}
    np.testing.assert_array_equal(trained(LOOKS["race"], **model), trained(**model))
