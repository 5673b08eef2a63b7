"""A range test sees what it should see, and the model and its training to come never know of it."""

import sys

import keras
import numpy as np
import pytest
from keras import layers
from oracles.unchanged import state_of, unchanged

from keras_lr._backends.steps import TrainingSteps
from keras_lr.finder import Spacing, range_test
from keras_lr.finder._range_test import has_diverged
from keras_lr.optimizers import PerLayer

X = np.random.default_rng(0).normal(size=(96, 6)).astype("float32")
Y = (X[:, :1] > 0).astype("float32")


class Pairs(keras.utils.PyDataset):
    def __len__(self):
        return 6

    def __getitem__(self, index):
        return X[16 * index : 16 * index + 16], Y[16 * index : 16 * index + 16]


def generator():
    while True:
        for i in range(6):
            yield X[16 * i : 16 * i + 16], Y[16 * i : 16 * i + 16]


def tensorflow_dataset():
    tf = pytest.importorskip("tensorflow")
    return tf.data.Dataset.from_tensor_slices((X, Y)).batch(16)


def torch_loader():
    torch = pytest.importorskip("torch")
    pairs = torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y))
    return torch.utils.data.DataLoader(pairs, batch_size=16, shuffle=True)


SOURCES = {
    "arrays": lambda: {"x": X, "y": Y, "batch_size": 16},
    "tensors": lambda: {
        "x": keras.ops.convert_to_tensor(X),
        "y": keras.ops.convert_to_tensor(Y),
        "batch_size": 16,
    },
    "tf.data": lambda: {"x": tensorflow_dataset()},
    "PyDataset": lambda: {"x": Pairs()},
    "DataLoader": lambda: {"x": torch_loader()},
    "generator": lambda: {"x": generator(), "steps_per_epoch": 6},
}

OPTIMIZERS = {
    "momentum": lambda: keras.optimizers.SGD(0.1, momentum=0.9),
    "schedule": lambda: keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.01, 100)),
    "accumulation": lambda: keras.optimizers.Adam(0.01, gradient_accumulation_steps=2),
    "loss scale": lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.01)),
    "factors per layer": lambda: PerLayer(keras.optimizers.Adam(0.01), {".*/kernel": 0.1}),
}


def a_model(optimizer, dtype=None):
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, activation="relu", dtype=dtype),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(optimizer=optimizer, loss="binary_crossentropy", metrics=["accuracy"])
    return model


def trained(tested, optimizer, source, dtype=None):
    """The losses and the state of a training that was interrupted by a range test, or not."""
    keras.utils.set_random_seed(3)
    model = a_model(optimizer(), dtype)
    data = source()
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(3)  # a DataLoader shuffles by it on every backend
    fresh = data if "steps_per_epoch" not in data else source()  # a generator cannot be rewound
    order = {"shuffle": False} if data.get("y") is None else {}
    first = model.fit(**data, **order, epochs=1, verbose=0).history["loss"]
    if tested:
        function, rate, numpy_before = model.train_function, model.optimizer.learning_rate, np.random.get_state()[1]
        with unchanged(model):
            result = range_test(model, **source() if "steps_per_epoch" in data else data, steps=20, sweeps=2)
        assert np.isfinite(result.sweeps).any(axis=1).all()
        assert model.train_function is function
        assert float(model.optimizer.learning_rate) == float(rate)
        np.testing.assert_array_equal(np.random.get_state()[1], numpy_before)
    then = model.fit(**fresh, **order, epochs=2, verbose=0).history["loss"]
    return [*first, *then], state_of(model)


def assert_no_trace(optimizer, source, dtype=None):
    (losses, values), (tested_losses, tested_values) = (
        trained(tested, optimizer, source, dtype) for tested in (False, True)
    )
    assert losses == tested_losses
    for value, tested_value in zip(values, tested_values, strict=True):
        np.testing.assert_array_equal(value, tested_value)


@pytest.mark.parametrize("source", SOURCES)
def test_no_trace_is_left_with_every_kind_of_data(source, backend):
    if (source == "DataLoader" and backend == "tensorflow") or (source == "tf.data" and backend == "torch"):
        pytest.skip("torch and TensorFlow are not imported into one process here")
    assert_no_trace(OPTIMIZERS["momentum"], SOURCES[source])


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_no_trace_is_left_with_every_kind_of_optimizer(optimizer):
    assert_no_trace(OPTIMIZERS[optimizer], SOURCES["arrays"])


def test_no_trace_is_left_with_mixed_precision():
    assert_no_trace(OPTIMIZERS["loss scale"], SOURCES["arrays"], dtype="mixed_bfloat16")


def two_headed_model():
    inputs = keras.Input((6,))
    heads = [layers.Dense(1, name=name)(layers.Dropout(0.2)(inputs)) for name in ("one", "other")]
    model = keras.Model(inputs, heads)
    model.compile(optimizer="sgd", loss=["mse", "mae"])
    return model, [Y, Y]


@pytest.mark.parametrize(
    "build", [lambda: (a_model(keras.optimizers.Adam(0.01)), Y), two_headed_model], ids=["one loss", "two losses"]
)
def test_an_untrained_model_trains_as_without_the_test(build):
    histories = []
    for tested in (False, True):
        keras.utils.set_random_seed(5)
        model, y = build()
        if tested:
            range_test(model, X, y, batch_size=16, steps=20, sweeps=1)
        histories.append(model.fit(X, y, batch_size=16, epochs=2, verbose=0).history)
    assert histories[0] == histories[1]


@pytest.mark.parametrize("rows", [48, 42], ids=["whole batches", "a smaller last batch"])
@pytest.mark.parametrize("order", ["test first", "fit first"])
def test_it_compiles_nothing_that_fit_does_not(order, rows, backend):
    if backend == "torch":
        pytest.skip("PyTorch runs eagerly: there is no trace to count")
    traces = []

    class Counted(keras.Model):
        def train_step(self, *arguments):
            traces.append(1)
            return super().train_step(*arguments)

    def counted(*calls):
        inputs = [keras.Input((4,)), keras.Input((2,))]
        model = Counted(inputs, layers.Dense(1)(layers.Concatenate()(inputs)))
        model.compile("sgd", "mse")
        traces.clear()
        for call in calls:
            if call == "fit":
                model.fit([X[:rows, :4], X[:rows, 4:]], Y[:rows], batch_size=16, verbose=0)
            else:
                range_test(model, [X[:rows, :4], X[:rows, 4:]], Y[:rows], batch_size=16, steps=10)
        return len(traces)

    assert counted(*(("test", "fit") if order == "test first" else ("fit", "test", "fit"))) == counted("fit")


def test_an_interrupted_test_leaves_no_trace():
    model = a_model(keras.optimizers.Adam(0.01))
    model.fit(X, Y, batch_size=16, verbose=0)

    def interrupt(done, total, text):
        raise KeyboardInterrupt

    with unchanged(model), pytest.raises(KeyboardInterrupt):
        range_test(model, X, Y, batch_size=16, steps=10, sweeps=2, progress=interrupt)


def linear_model(optimizer):
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    model.compile(optimizer=optimizer, loss="mse")
    return model


REGRESSION_X = np.random.default_rng(1).normal(size=(64, 3)).astype("float32")
REGRESSION_Y = REGRESSION_X @ np.array([[1.0], [-2.0], [0.5]], "float32")


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_the_losses_are_those_of_plain_gradient_descent(momentum):
    result = range_test(
        linear_model(keras.optimizers.SGD(1.0, momentum=momentum)),
        REGRESSION_X,
        REGRESSION_Y,
        batch_size=64,
        low=1e-3,
        high=1.0,
        steps=12,
        sweeps=1,
    )
    weights, velocity, losses = np.zeros((3, 1)), np.zeros((3, 1)), []
    for rate in result.rates:
        error = REGRESSION_X @ weights - REGRESSION_Y
        losses.append(np.mean(error**2))
        velocity = momentum * velocity - rate * 2 / 64 * REGRESSION_X.T @ error
        weights += velocity
    np.testing.assert_allclose(result.sweeps[0], losses, rtol=2e-4)


def test_factors_per_layer_scale_the_rates():
    def swept(optimizer, low):
        arguments = {"batch_size": 64, "low": low, "high": 100 * low, "steps": 12}
        return range_test(linear_model(optimizer), REGRESSION_X, REGRESSION_Y, **arguments).sweeps

    quarter = PerLayer(keras.optimizers.SGD(), {".*": 0.25})
    np.testing.assert_allclose(swept(quarter, 4e-3), swept(keras.optimizers.SGD(), 1e-3), rtol=1e-5)


def test_a_sweep_starts_where_the_probe_did():
    model = linear_model(keras.optimizers.SGD())
    start = np.array([[0.5], [0.5], [-2.0]], "float32")
    model.set_weights([start])
    result = range_test(model, REGRESSION_X, REGRESSION_Y, batch_size=64, low=1e-12, high=1e-11, steps=10)
    assert result.moving_rate
    loss = np.mean((REGRESSION_X @ start - REGRESSION_Y) ** 2)
    np.testing.assert_allclose(result.sweeps[0], loss, rtol=1e-6)


@pytest.mark.parametrize("wrapped", [lambda inner: inner, keras.optimizers.LossScaleOptimizer])
def test_accumulated_steps_share_a_rate_and_report_their_mean(wrapped):
    arguments = {"low": 1e-3, "high": 1.0, "steps": 12, "sweeps": 1}
    whole = range_test(linear_model(keras.optimizers.SGD()), REGRESSION_X, REGRESSION_Y, batch_size=64, **arguments)
    halves = range_test(
        linear_model(wrapped(keras.optimizers.SGD(gradient_accumulation_steps=2))),
        REGRESSION_X,
        REGRESSION_Y,
        batch_size=32,
        **arguments,
    )
    np.testing.assert_allclose(halves.sweeps, whole.sweeps, rtol=2e-4)


def test_the_curve_of_the_validation_loss():
    x, y = REGRESSION_X[:16], REGRESSION_Y[:16]
    model = linear_model(keras.optimizers.SGD())
    result = range_test(
        model, REGRESSION_X, REGRESSION_Y, batch_size=64, low=1e-3, high=0.1, steps=10, sweeps=1, validation_data=(x, y)
    )
    weights, losses = np.zeros((3, 1)), []
    for rate in result.rates:
        weights -= rate * 2 / 64 * REGRESSION_X.T @ (REGRESSION_X @ weights - REGRESSION_Y)
        losses.append(np.mean((x @ weights - y) ** 2))
    np.testing.assert_allclose(result.sweeps[0], losses, rtol=2e-4)
    assert not model.get_weights()[0].any()
    assert result.is_validation


def test_rates_may_rise_by_a_constant_difference():
    model = linear_model(keras.optimizers.SGD())
    result = range_test(
        model, REGRESSION_X, REGRESSION_Y, low=0.01, high=0.1, steps=10, sweeps=1, spacing=Spacing.LINEAR
    )
    np.testing.assert_allclose(np.diff(result.rates), 0.01)


def test_sweeps_see_other_batches_and_the_same_seed_the_same():
    def losses(seed):
        model = linear_model(keras.optimizers.SGD())
        return range_test(model, REGRESSION_X, REGRESSION_Y, batch_size=8, steps=10, sweeps=2, seed=seed).sweeps

    one, same, other = losses(0), losses(0), losses(7)
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one[0], one[1])
    assert not np.array_equal(one, other)


def test_the_sweep_lies_around_the_rate_that_moves_the_weights_by_a_third_in_four_steps():
    model = linear_model(keras.optimizers.SGD())
    model.set_weights([np.array([[3.0], [0.0], [4.0]], "float32")])
    result = range_test(model, REGRESSION_X, REGRESSION_Y, batch_size=64, steps=10)
    # At a small rate four steps move along one gradient.
    start = model.get_weights()[0]
    gradient = 2 / 64 * REGRESSION_X.T @ (REGRESSION_X @ start - REGRESSION_Y)
    expected = 10**-0.45 * 5 / (4 * np.linalg.norm(gradient))
    assert result.moving_rate == pytest.approx(expected, rel=0.02)
    np.testing.assert_allclose(result.rates[[0, -1]], result.moving_rate * np.array([10**-2.5, 100]))
    assert len(result.sweeps) == 1


def test_weights_of_zero_are_swept_over_all_sensible_rates():
    result = range_test(linear_model(keras.optimizers.SGD()), REGRESSION_X, REGRESSION_Y, batch_size=64)
    assert result.moving_rate is None
    np.testing.assert_allclose(result.rates[[0, -1]], [1e-6, 100])
    # Full gradient descent diverges at 1 = 2 / (2 * variance of x). Without noise the loss is 1e-10 by then and takes
    # several steps to show it, so the edge is seen late.
    assert 0.02 < float(result.suggest()) < 2


def test_a_loss_that_no_rate_can_help_is_named_at_once():
    model = linear_model(keras.optimizers.SGD())
    with pytest.raises(ValueError, match="The loss is nan on the first 2 batches before any update"):
        range_test(model, np.nan * REGRESSION_X, REGRESSION_Y, batch_size=32)
    assert not model.get_weights()[0].any()


@pytest.mark.parametrize("shift", [-100.0, 0.0, 1e-3, 50.0])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_divergence_is_seen_at_any_scale_and_height_of_the_loss(scale, shift):
    noise = 0.05 * np.random.default_rng(0).normal(size=100)
    losses = 1 - 0.5 / (1 + np.exp(-(np.arange(100) - 50) / 5)) + noise + 1e-3 * np.exp(np.arange(100) - 75)
    losses = scale * (losses + shift)
    ends = next(k for k in range(1, 101) if has_diverged(losses[:k], 100))
    assert 75 < ends < 95


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_row_that_no_rate_can_train_on_is_left_out(momentum):
    rows = REGRESSION_Y.copy()
    rows[5] = np.nan
    model = linear_model(keras.optimizers.SGD(momentum=momentum))
    model.set_weights([np.array([[3.0], [0.0], [4.0]], "float32")])
    model.optimizer.build(model.trainable_variables)
    with unchanged(model):
        result = range_test(model, REGRESSION_X, rows, batch_size=8, steps=40, sweeps=2, high=0.02)
    assert np.all(np.isfinite(result.sweeps))
    assert not np.array_equal(*result.sweeps)


@pytest.mark.parametrize(("accumulation", "broken"), [(None, False), (2, False), (None, True)])
def test_it_says_how_many_steps_it_has_cost(accumulation, broken, monkeypatch):
    rows, made = REGRESSION_Y.copy(), []
    rows[5] = np.nan if broken else 0.0
    model = linear_model(keras.optimizers.SGD(gradient_accumulation_steps=accumulation))
    kind = type(TrainingSteps(model))
    step = kind.step
    monkeypatch.setattr(kind, "step", lambda self, *given: made.append(given) or step(self, *given))
    result = range_test(model, REGRESSION_X, rows, batch_size=8, steps=20, sweeps=2, high=0.02)
    assert result.total_steps == len(made) > 40 * (accumulation or 1)
    assert f"steps of the test {result.total_steps} " in " ".join(str(result).split())


@pytest.mark.parametrize("where", ["inputs", "targets"])
def test_after_a_row_that_is_left_out_the_sweep_is_that_without_it(where):
    """All rows are alike, so that any order of the batches is the same."""
    x, y = np.tile(np.array([[1.0, -2.0, 3.0]], "float32"), (64, 1)), np.full((64, 1), 4.0, "float32")
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(), "mse")
    clean = range_test(model, x, y, batch_size=8, steps=30, low=1e-3, high=1e-2)
    (x if where == "inputs" else y)[5] = np.nan  # TensorFlow's ReLU makes 0 of a NaN, and dead weights look alive
    result = range_test(model, x, y, batch_size=8, steps=30, low=1e-3, high=1e-2)
    np.testing.assert_array_equal(result.sweeps, clean.sweeps)


def test_a_loss_that_is_not_a_number_ends_a_sweep():
    assert has_diverged(np.array([1.0, np.nan]), 100)
    assert not has_diverged(np.ones(50), 100)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"low": 0.0}, "low=0.0"),
        ({"low": 1.0, "high": 0.1}, "high=0.1"),
        ({"low": 1e6}, "Give both low and high"),
        ({"steps": 3}, "steps=3"),
        ({"sweeps": 0}, "sweeps=0"),
        ({"validation_data": Y}, "validation_data=ndarray"),
    ],
)
def test_wrong_arguments_are_told(arguments, message):
    with pytest.raises(ValueError, match=message):
        range_test(linear_model("sgd"), REGRESSION_X, REGRESSION_Y, **arguments)
