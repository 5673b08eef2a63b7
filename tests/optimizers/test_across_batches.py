"""What stands around a search on changing batches: decay, averages, precision, replicas, files, refusals."""

import keras
import numpy as np
import pytest
from oracles.closure_searches import noisy_classes
from oracles.searching_networks import flat, small_net, steepest
from oracles.two_replicas import run_on_two_replicas

from keras_lr._backends.products import products
from keras_lr._backends.search_scalars import at_once, either, pack, seldom, unpack
from keras_lr.callbacks._weights_at_rest import WeightsAtRest
from keras_lr.line_search import Bisection, Inexact, Limits, Maximum
from keras_lr.optimizers._directions import AdamDirection, RMSpropDirection
from keras_lr.optimizers._gradient_only import GradientOnly

BATCH = 32


def weights_and_state(model):
    variables = [*model.variables, *model.optimizer.variables]
    return [keras.ops.convert_to_numpy(v) for v in variables]


@pytest.mark.parametrize("shapes", [[(3, 5), (7,)], [(300, 1024), (7,), (331, 311)]], ids=["small", "large"])
def test_products_are_numpys(shapes):
    random = np.random.default_rng(0)
    a, b = ([random.normal(size=shape).astype("float32") for shape in shapes] for _ in range(2))
    found = unpack(*products(*([keras.ops.convert_to_tensor(x) for x in part] for part in (a, b))))
    exact = [[x.astype("float64") for x in part] for part in (a, b)]
    mixed = sum(np.sum(x * y) for x, y in zip(*exact, strict=True))
    square = sum(np.sum(x * x) for x in exact[0])
    np.testing.assert_allclose([float(number) for (number,) in found], [mixed, square], rtol=1e-4)


def test_scalars_come_through_as_they_are():
    numbers = np.array([0.1, -np.inf, np.nan, 3.0], "float32")
    vector = keras.ops.convert_to_tensor(numbers)
    small, lowest, nothing, three = unpack(vector)[0]
    (less, more), difference = at_once(lambda x, y: ([x < y, y < x], x - y), small, three)
    assert [bool(less), bool(more)] == [True, False]
    assert float(difference) == pytest.approx(-2.9)
    least, constant = at_once(lambda x: (x, -1.0), small)
    assert float(least) == pytest.approx(0.1)
    assert isinstance(constant, float)
    assert constant == -1.0
    assert float(either(less, lambda: three, lambda: nothing)) == 3.0
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(pack([small, lowest, nothing, three], vector)), numbers)


@pytest.mark.parametrize("numbers", [10, 10_000_000])
def test_what_is_seldom_due_is_computed_where_it_is(numbers):
    one, two = unpack(keras.ops.convert_to_tensor(np.array([1.0, 2.0], "float32")))[0]
    assert float(seldom(one < two, numbers, lambda: one + two, lambda: one)) == 3.0
    assert float(seldom(two < one, numbers, lambda: one + two, lambda: one)) == 1.0


def test_weights_decay_once_an_accepted_step():
    weight = keras.Variable(np.array([10.0, 0.0], "float32"), name="w")
    optimizer = steepest(Inexact(), initial_step=0.1, max_update_norm=1e6, weight_decay=0.01)
    optimizer.build([weight])

    def see(*gradient):
        optimizer.apply([keras.ops.convert_to_tensor(np.array(gradient, "float32"))], [weight])
        return keras.ops.convert_to_numpy(weight)

    np.testing.assert_allclose(see(0.0, 1.0), [10.0, -0.1], rtol=1e-6)
    np.testing.assert_allclose(see(0.0, 1.0), [10.0, -0.2], rtol=1e-6)
    factor = 1 - 0.2 * 0.01
    np.testing.assert_allclose(see(0.0, -0.5), [10.0 * factor, -0.2 * factor + 0.2 * 0.5], rtol=1e-6)
    np.testing.assert_allclose(see(0.0, 99.0)[0], 10.0 * factor, rtol=1e-6)


def test_gradients_that_are_not_finite_leave_finite_weights():
    weight = keras.Variable(np.array([1.0], "float32"), name="w")
    optimizer = GradientOnly(initial_step=0.1, max_update_norm=1e6)
    optimizer.build([weight])
    for gradient in (1.0, np.nan, np.inf, -np.inf, 1.0, -0.5, 1.0):
        optimizer.apply([keras.ops.convert_to_tensor(np.array([gradient], "float32"))], [weight])
        assert np.all(np.isfinite(keras.ops.convert_to_numpy(weight)))
    assert optimizer.accepts >= 1


def test_accumulated_gradients_make_one_search_step():
    x, y = noisy_classes(rows=BATCH * 32)
    start = small_net("sgd").get_weights()

    def trained(optimizer, batch_size):
        model = small_net(optimizer)
        model.set_weights(start)
        model.fit(x, y, batch_size=batch_size, shuffle=False, verbose=0)
        return flat(model)

    together = trained(steepest(max_update_norm=0.3), 2 * BATCH)
    accumulated = trained(steepest(max_update_norm=0.3, gradient_accumulation_steps=2), BATCH)
    np.testing.assert_allclose(accumulated, together, rtol=2e-3, atol=2e-4)


def test_mean_of_weights_is_of_accepted_points():
    weight = keras.Variable(np.array([1.0], "float32"), name="w")
    optimizer = steepest(Inexact(), initial_step=0.1, max_update_norm=1e6, use_ema=True, ema_momentum=0.5)
    optimizer.build([weight])
    for gradient in (1.0, 1.0, -0.5, 100.0):
        optimizer.apply([keras.ops.convert_to_tensor(np.array([gradient], "float32"))], [weight])
    # Resting points after each gradient: 1, 1, 0.8, 0.8 (the trials were at 0.9, 0.8, 0.9, ...).
    optimizer.finalize_variable_values([weight])
    np.testing.assert_allclose(keras.ops.convert_to_numpy(weight), [0.85], rtol=1e-5)


def test_half_precision_trains_under_loss_scaling():
    keras.mixed_precision.set_dtype_policy("mixed_float16")
    try:
        x, y = noisy_classes(rows=1024)
        model = small_net(steepest(max_update_norm=0.3, initial_step=0.05))
        before = model.evaluate(x, y, verbose=0)
        history = model.fit(x, y, batch_size=BATCH, epochs=4, verbose=0, callbacks=[WeightsAtRest()])
        assert type(model.optimizer).__name__ == "LossScaleOptimizer"
        assert model.evaluate(x, y, verbose=0) < 0.9 * before
        assert history.history["accepts"][-1] > 50
    finally:
        keras.mixed_precision.set_dtype_policy("float32")


def test_resume_in_mid_search_is_bit_for_bit(tmp_path):
    x, y = noisy_classes(rows=BATCH * 11)

    def steps(model, first, last):
        for k in range(first, last):
            rows = slice(BATCH * (k % 11), BATCH * (k % 11 + 1))
            model.train_on_batch(x[rows], y[rows])

    model = small_net(GradientOnly(Bisection(), AdamDirection(), initial_step=0.01))
    steps(model, 0, 17)
    assert not any(np.isnan(flat(model)))
    model.save(tmp_path / "mid.keras")
    steps(model, 17, 40)
    resumed = keras.models.load_model(tmp_path / "mid.keras")
    steps(resumed, 17, 40)
    for a, b in zip(weights_and_state(resumed), weights_and_state(model), strict=True):
        np.testing.assert_array_equal(a, b)


def test_configuration_makes_the_same_optimizer():
    cap = keras.optimizers.schedules.CosineDecay(2.0, 100)
    optimizer = GradientOnly(
        Maximum(growth=1.5),
        RMSpropDirection(rho=0.8),
        max_update_norm=cap,
        limits=Limits(max_trials=7),
        weight_decay=0.1,
    )
    twin = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert (twin.rule, twin.direction, twin.limits) == (optimizer.rule, optimizer.direction, optimizer.limits)
    assert twin.max_update_norm.get_config() == cap.get_config()
    assert twin.weight_decay == 0.1


@pytest.mark.parametrize("argument", [{"clipnorm": 1.0}, {"clipvalue": 0.5}, {"global_clipnorm": 1.0}])
def test_clipping_is_refused(argument):
    with pytest.raises(ValueError, match=f"takes no {next(iter(argument))}, .*=.*max_update_ratio already bounds"):
        GradientOnly(**argument)


def test_moving_the_weights_under_a_search_is_refused():
    with pytest.raises(ValueError, match=r"^GradientOnly takes no ema_overwrite_frequency, .*=10"):
        GradientOnly(use_ema=True, ema_overwrite_frequency=10)
    weight = keras.Variable(np.ones(2, "float32"), name="w")
    weight.constraint = keras.constraints.NonNeg()
    with pytest.raises(ValueError, match="constraint"):
        GradientOnly().build([weight])


REPLICAS = """
    import contextlib
    import numpy as np
    import keras
    from keras_lr.callbacks import WeightsAtRest
    from keras_lr.optimizers import GradientOnly

    x = np.random.RandomState(0).randn(256, 10).astype("float32")
    y = x[:, :1] - 0.3 * x[:, 1:2]

    def trained(split, decay):
        keras.utils.set_random_seed(0)
        with scope() if split else contextlib.nullcontext():
            model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(1)])
            model.compile(GradientOnly(weight_decay=decay), loss="mse")
            at_rest = [WeightsAtRest()]
            history = model.fit(
                x, y, validation_data=(x, y), batch_size=32, epochs=4, shuffle=False, verbose=0, callbacks=at_rest
            ).history
        return model, history

    for decay in (None, 0.01):
        alone, together = trained(False, decay), trained(True, decay)
        assert alone[1]["accepts"][-1] > 10
        for name, values in alone[1].items():
            np.testing.assert_allclose(together[1][name], values, rtol=1e-3, err_msg=name)
        if keras.backend.backend() == "tensorflow":
            for v in [*together[0].trainable_variables, *together[0].optimizer.variables]:
                first, second = (copy.numpy() for copy in mirrored.experimental_local_results(v.value))
                np.testing.assert_array_equal(first, second)
"""


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="Keras distributes nothing over PyTorch")
def test_replicas_take_the_same_decisions_as_one_device():
    run_on_two_replicas(REPLICAS)
