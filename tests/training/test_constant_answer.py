"""The loss of the targets' mean, as `fit` itself reports it of a network that answers nothing else."""

import keras
import numpy as np
import pytest
from keras import layers, losses

from keras_lr.training._constant_answer import constant_loss

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(96, 3)).astype("float32")
Y = (RANDOM.normal(size=(96, 2)) * [1.0, 20.0] + [5.0, -40.0]).astype("float32")
WEIGHTS = RANDOM.uniform(0, 3, 96).astype("float32")


def a_model(loss):
    """Answers its bias, whatever it is asked."""
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2, kernel_initializer="zeros")])
    model.compile("sgd", loss=loss)
    return model


def batches(*arrays):
    return [tuple(array[k : k + 32] for array in arrays) for k in (0, 32, 64)]


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["equal", "weighted"])
@pytest.mark.parametrize(
    "loss", ["mse", "mean_absolute_error", losses.Huber(delta=2.0), losses.LogCosh(), losses.MeanSquaredError("sum")]
)
def test_it_is_what_fit_reports_of_the_mean(loss, weights):
    model = a_model(loss)
    model.set_weights([np.zeros((3, 2)), Y.mean(0)])
    of_batches = [model.evaluate(*part, batch_size=32, verbose=0) for part in batches(X, Y)]
    if weights is not None:
        of_batches = [model.evaluate(x, y, 32, 0, w) for x, y, w in batches(X, Y, weights)]
    given = batches(X, Y) if weights is None else batches(X, Y, weights)
    assert constant_loss(model, given) == pytest.approx(np.mean(of_batches), rel=1e-5)


def test_a_batch_with_a_target_that_is_none_is_left_out():
    spoilt = Y.copy()
    spoilt[40, 1] = np.nan
    first, _, last = batches(X, Y)
    assert constant_loss(a_model("mse"), batches(X, spoilt)) == constant_loss(a_model("mse"), [first, last])
    assert constant_loss(a_model("mse"), batches(X, np.full_like(Y, np.nan))) == np.inf


class OwnLoss(keras.Sequential):
    def compute_loss(self, *args, **kwargs):
        return super().compute_loss(*args, **kwargs)


class OwnStep(keras.Sequential):
    def train_step(self, *args, **kwargs):
        return super().train_step(*args, **kwargs)


def test_of_what_is_no_regression_nothing_is_known():
    assert constant_loss(a_model("binary_crossentropy"), batches(X, Y)) == np.inf
    assert constant_loss(a_model(lambda y, answers: keras.ops.mean(answers)), batches(X, Y)) == np.inf
    assert constant_loss(a_model("mse"), [(X,)]) == np.inf
    assert constant_loss(a_model("mse"), [(X, (Y, Y))]) == np.inf
    assert constant_loss(a_model("mse"), [(X, Y[:, None]), (X, np.stack([Y, Y], axis=1))]) == np.inf
    for kind in (OwnLoss, OwnStep):
        model = kind([keras.Input((3,)), layers.Dense(2)])
        model.compile("sgd", loss="mse")
        assert constant_loss(model, batches(X, Y)) == np.inf
    inputs = keras.Input((3,))
    two = keras.Model(inputs, [layers.Dense(2)(inputs), layers.Dense(2)(inputs)])
    two.compile("sgd", loss=["mse", "mse"])
    assert constant_loss(two, [(X, (Y, Y))]) == np.inf
