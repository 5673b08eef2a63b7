"""Loss and slope at both ends of a step, and the sharpness, against NumPy; the masks of dropout are the step's own."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_lr.training._along_step import AlongStep
from keras_lr.training._borrow import borrowed, prepare
from keras_lr.training._training_data import TrainingData

RANDOM = np.random.default_rng(0)
X = (RANDOM.normal(size=(64, 5)) * [3.0, 1.0, 0.5, 0.2, 0.1]).astype("float32")
Y = RANDOM.normal(size=(64, 1)).astype("float32")


def linear(optimizer):
    model = keras.Sequential([keras.Input((5,)), layers.Dense(1, use_bias=False)])
    model.compile(optimizer=optimizer, loss="mse")
    return model


def one_step(model, rate, *, x=X, y=Y):
    """Return what is seen of one step, the weights before and after it, and the sharpness before it."""
    data = TrainingData(x, y, batch_size=len(x))
    prepare(model, data.example())
    with borrowed(model) as steps:
        along, (batch,) = AlongStep(model), data.batches(steps, 1, seed=0)
        before = steps.copy()
        loss = float(steps.step(batch, rate))
        after = steps.copy()
        numbers = along.ends(batch, steps.parts(before), steps.parts(after).weights)
        sharpness = along.sharpness(batch, steps.parts(before))
        ends = [keras.ops.convert_to_numpy(steps.parts(values).weights[0]) for values in (before, after)]
    return numbers, loss, ends, sharpness


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: keras.optimizers.SGD(0.1, momentum=0.9),
        lambda: keras.optimizers.Adam(0.1),
        lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.1)),
    ],
    ids=["momentum", "Adam", "loss scale"],
)
def test_both_ends_are_those_of_the_loss(optimizer):
    numbers, loss, (before, after), _ = one_step(linear(optimizer()), 0.05)

    def at(w):
        return np.mean((X @ w - Y) ** 2), 2 * X.T @ (X @ w - Y) / len(X)

    step = after - before
    expected = [at(before)[0], np.sum(at(before)[1] * step), at(after)[0], np.sum(at(after)[1] * step)]
    np.testing.assert_allclose(numbers[:4], expected, rtol=1e-4)
    np.testing.assert_allclose(numbers[4:], [np.sum(step**2), np.sum(before**2)], rtol=1e-4)
    assert numbers[0] == pytest.approx(loss, rel=1e-5)


def test_predictions_of_nan_have_a_loss_and_slope_of_nan():
    model = keras.Sequential([keras.Input((5,)), layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.SGD(0.1), "binary_crossentropy")
    data = TrainingData(X, (Y > 0).astype("float32"), batch_size=len(X))
    prepare(model, data.example())
    with borrowed(model) as steps:
        along, (batch,) = AlongStep(model), data.batches(steps, 1, seed=0)
        here = steps.parts(steps.copy())
        gone = [w * np.nan for w in here.weights]
        numbers = along.ends(batch, here, gone)
        assert np.isfinite(numbers.loss)
        assert np.isnan([numbers.loss_after, numbers.slope_after]).all()
        assert np.isnan(along.sharpness(batch, here._replace(weights=gone)))


def test_the_sharpness_is_the_largest_eigenvalue():
    *_, sharpness = one_step(linear(keras.optimizers.SGD(0.1)), 0.05)
    assert sharpness == pytest.approx(np.max(np.linalg.eigvalsh(2 * X.T @ X / len(X))), rel=1e-4)


@pytest.mark.parametrize("seed", [None, 7])
def test_the_masks_of_dropout_and_the_statistics_are_those_of_the_step(seed):
    hidden = [layers.Dense(16, activation="relu"), layers.BatchNormalization(), layers.Dropout(0.5, seed=seed)]
    model = keras.Sequential([keras.Input((5,)), *hidden, layers.Dense(1, activity_regularizer="l2")])
    model.compile(optimizer="sgd", loss="mse")
    numbers, loss, *_ = one_step(model, 0.01)
    assert numbers[0] == pytest.approx(loss, rel=1e-5)


@pytest.mark.filterwarnings("ignore:Gradients do not exist")
def test_weights_that_the_loss_does_not_depend_on_have_no_slope():
    inputs = keras.Input((5,))
    used, unused = layers.Dense(1), layers.Dense(3)
    model = keras.Model(inputs, [used(inputs), unused(inputs)])
    model.compile(optimizer="sgd", loss=["mse", None])
    y = [Y, np.zeros((64, 3), "float32")]
    numbers, loss, *_ = one_step(model, 0.01, y=y)
    assert numbers[0] == pytest.approx(loss, rel=1e-5)
    assert numbers[1] < 0
