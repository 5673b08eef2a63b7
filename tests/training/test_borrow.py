"""A borrowed model comes back bit for bit, and the loan compiles nothing."""

import random

import keras
import numpy as np
import pytest
from keras import layers
from oracles.unchanged import unchanged

import keras_lr
from keras_lr.training._borrow import borrowed, prepare
from keras_lr.training._training_data import TrainingData

X = np.random.default_rng(0).normal(size=(96, 6)).astype("float32")
Y = (X[:, :1] > 0).astype("float32")


def a_model(optimizer: keras.optimizers.Optimizer, loss: object = "binary_crossentropy") -> keras.Model:
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy"])
    return model


def train_a_little(model: keras.Model) -> None:
    data = TrainingData(X, Y, batch_size=16)
    prepare(model, data.example())
    with borrowed(model) as steps:
        start = steps.copy()
        for rate in (1e-3, 1.0, 1e3):
            steps.put(start)
            for batch in data.batches(steps, 4, seed=1):
                steps.step(batch, rate)


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: keras.optimizers.SGD(0.1, momentum=0.9),
        lambda: keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.01, 100)),
        lambda: keras.optimizers.Adam(0.01, gradient_accumulation_steps=2),
        lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.01)),
    ],
    ids=["momentum", "schedule", "accumulation", "loss scale"],
)
def test_the_model_comes_back_bit_for_bit(optimizer):
    model = a_model(optimizer())
    model.fit(X, Y, batch_size=16, epochs=1, verbose=0)
    random_before, numpy_before = random.getstate(), np.random.get_state()[1].copy()
    rate, function = model.optimizer.learning_rate, model.train_function
    with unchanged(model):
        train_a_little(model)
    assert random.getstate() == random_before
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_before)
    assert model.train_function is function
    assert float(model.optimizer.learning_rate) == float(rate)


@pytest.mark.parametrize("schedule", [False, True])
def test_training_goes_on_as_if_nothing_had_been(schedule):
    losses = []
    for experiment in (False, True):
        keras.utils.set_random_seed(3)
        rate = keras.optimizers.schedules.ExponentialDecay(0.01, 5, 0.9) if schedule else 0.01
        model = a_model(keras.optimizers.Adam(rate))
        model.fit(X, Y, batch_size=16, epochs=1, verbose=0)
        if experiment:
            train_a_little(model)
        losses.append(model.fit(X, Y, batch_size=16, epochs=2, verbose=0).history["loss"])
    assert losses[0] == losses[1]


def test_an_exception_returns_the_model_too():
    model = a_model(keras.optimizers.SGD(0.1))
    data = TrainingData(X, Y, batch_size=16)
    prepare(model, data.example())
    with unchanged(model), pytest.raises(KeyboardInterrupt), borrowed(model) as steps:  # noqa: PT012
        steps.step(data.batches(steps, 1, seed=0)[0], 10.0)
        raise KeyboardInterrupt


def test_experiment_and_fit_share_one_compiled_step(backend):
    if backend == "torch":
        pytest.skip("PyTorch runs eagerly: there is no trace to count")
    traces = []

    def loss(y, prediction):
        traces.append(1)
        return keras.ops.mean((y - prediction) ** 2, axis=-1)

    model = a_model(keras.optimizers.Adam(0.01), loss)
    prepare(model, TrainingData(X, Y, batch_size=16).example())
    traces.clear()
    train_a_little(model)
    model.fit(X, Y, batch_size=16, epochs=1, verbose=0)
    assert len(traces) == 1


def test_the_loss_of_a_step_is_the_batchs_own():
    model = a_model(keras.optimizers.SGD(0.1))
    data = TrainingData(X, Y, batch_size=16)
    prepare(model, data.example())
    with borrowed(model) as steps:
        batches = data.batches(steps, 3, seed=0)
        start = steps.copy()
        alone = []
        for batch in batches:
            steps.put(start)
            alone.append(float(steps.step(batch, 0.0)))
        steps.put(start)
        together = [float(steps.step(batch, 0.0)) for batch in batches]
    assert alone[0] == pytest.approx(together[0], rel=1e-6)
    assert len(set(alone)) == 3


class OwnMean(keras.Sequential):
    """Reports the mean of a metric of its own, as Keras' guide to a train_step does."""

    def __init__(self, layers):
        super().__init__(layers)
        self.mean = keras.metrics.Mean(name="loss")

    @property
    def metrics(self):
        return [self.mean]

    def train_step(self, data):
        x, y = data
        self.mean.update_state(keras.ops.mean(keras.ops.square(y - self(x))))
        super().train_step(data)
        return {"loss": self.mean.result()}


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="there a step is handed all metrics anew")
def test_the_loss_of_a_step_is_the_batchs_own_where_the_model_keeps_its_mean():
    model = OwnMean([keras.Input((6,)), layers.Dense(1)])
    model.compile("sgd", loss="mse")
    data = TrainingData(X, Y, batch_size=16)
    prepare(model, data.example())
    with borrowed(model) as steps:
        one, other = data.batches(steps, 2, seed=1)
        losses = [float(steps.step(batch, 0.0)) for batch in (one, other, one)]
    assert losses[0] == losses[2] != losses[1]


@pytest.mark.above_backends
def test_the_loss_scale_that_keras_puts_around_an_optimizer_is_no_second_one():
    """With mixed_float16 `compile` does so by itself, and a `train_step` of one's own is none that has two."""

    class OwnStep(keras.Sequential):
        def train_step(self, *arguments):
            return super().train_step(*arguments)

    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = OwnStep([keras.Input((6,)), layers.Dense(1)])
        model.compile("adam", loss="mse")
    finally:
        keras.config.set_dtype_policy("float32")
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    prepare(model, TrainingData(X, Y, batch_size=16).example())
    with borrowed(model) as steps:
        assert steps.finite()


def test_one_entry_of_one_weight_that_is_not_finite_is_seen():
    model = a_model(keras.optimizers.SGD(0.1))
    prepare(model, TrainingData(X, Y, batch_size=16).example())
    with borrowed(model) as steps:
        assert steps.finite()
    kernel = keras.ops.convert_to_numpy(model.trainable_weights[0]).copy()
    kernel[2, 3] = np.nan
    model.trainable_weights[0].assign(kernel)
    with borrowed(model) as steps:
        assert not steps.finite()


def test_a_frozen_model_is_refused_with_the_remedy():
    model = a_model(keras.optimizers.SGD(0.1))
    for layer in model.layers:
        layer.trainable = False
    with pytest.raises(ValueError, match="no trainable weights"):
        prepare(model, (X[:4], Y[:4], None))


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="elsewhere Keras' fit does not keep the states")
def test_the_states_of_a_recurrent_layer_come_back():
    model = keras.Sequential([keras.Input((3, 2), batch_size=16), layers.LSTM(4, stateful=True), layers.Dense(1)])
    model.compile("sgd", "mse")
    x = X.reshape(96, 3, 2)
    model.fit(x, Y, batch_size=16, shuffle=False, verbose=0)
    before = [keras.ops.convert_to_numpy(state).copy() for state in model.layers[0].states]
    keras_lr.race(model, x, Y, batch_size=16, epochs=3)
    assert np.any(before)
    for state, value in zip(model.layers[0].states, before, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(state), value)


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="layers are modules of PyTorch there")
def test_a_model_that_asks_pytorch_whether_it_trains_hears_what_it_hears_in_fit():
    modes = []

    class Asking(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1)

        def call(self, x):
            modes.append(self.training)
            return self.dense(x)

    model = Asking()
    model.compile("sgd", loss="mse")
    data = TrainingData(X, Y, batch_size=16)
    prepare(model, data.example())
    model.eval()
    with borrowed(model) as steps:
        modes.clear()
        steps.step(data.batches(steps, 1, seed=1)[0], 0.1)
        assert modes == [True]
    assert not model.training
