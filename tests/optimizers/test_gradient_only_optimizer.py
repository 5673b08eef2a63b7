import keras
import numpy as np
import pytest
from keras import layers
from oracles.closure_searches import (
    Batches,
    back,
    bisection,
    closure_loop,
    inexact,
    maximum,
    noisy_classes,
    secant,
    slope_tracking,
)

from keras_lr.callbacks._weights_at_rest import WeightsAtRest
from keras_lr.line_search import Back, Bisection, Inexact, Limits, Maximum, Quadratic, SlopeTracking
from keras_lr.optimizers._directions import (
    AdagradDirection,
    AdamDirection,
    RMSpropDirection,
    SteepestDescent,
)
from keras_lr.optimizers._gradient_only import GradientOnly

BATCH = 32
RULES = [
    (Inexact(), inexact, {}),
    (Maximum(), maximum, {}),
    (Back(), back, {}),
    (Bisection(precision=0.06), bisection, {"precision": 0.06}),  # 1/20 could tie with the width: 20 halved cells
    (Quadratic(), secant, {}),
    (SlopeTracking(gain=0.2), slope_tracking, {"gain": 0.2}),
]
DIRECTIONS = [SteepestDescent(), AdagradDirection(), RMSpropDirection(), AdamDirection()]


def softmax_regression(optimizer, **compile_arguments):
    model = keras.Sequential([keras.Input((6,)), layers.Dense(3)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss=loss, **compile_arguments)
    return model


def small_net(optimizer, **compile_arguments):
    model = keras.Sequential([keras.Input((6,)), layers.Dense(8, activation="tanh"), layers.Dense(3)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss=loss, **compile_arguments)
    return model


def flat(model):
    return np.concatenate([keras.ops.convert_to_numpy(v).ravel() for v in model.trainable_variables])


def weights_and_state(model):
    variables = [*model.variables, *model.optimizer.variables]
    return [keras.ops.convert_to_numpy(v) for v in variables]


def steepest(rule=None, **arguments):
    """The papers' search, with their cap of 1 and overshoot of 0.9, from a larger first step."""
    return GradientOnly(
        rule or Inexact(), SteepestDescent(), **{"initial_step": 1e-3, "max_update_norm": 1.0, **arguments}
    )


@pytest.mark.parametrize("eager", [False, True], ids=["compiled", "eager"])
@pytest.mark.parametrize(("rule", "search", "constants"), RULES, ids=lambda v: getattr(v, "__name__", ""))
def test_training_steps_are_the_closure_loop(rule, search, constants, eager):
    gradients = 15 if eager and keras.backend.backend() == "jax" else 60
    x, y = noisy_classes(rows=BATCH * gradients)
    model = softmax_regression(
        steepest(rule, limits=Limits(max_trials=1000)), run_eagerly=eager, jit_compile=False if eager else "auto"
    )
    start = flat(model).astype("float64")
    expected, _ = closure_loop(search, Batches(x, y, 3, BATCH, gradients), start, initial_step=1e-3, **constants)
    steps = []
    for first in range(0, len(x), BATCH):
        before = model.optimizer.accepts if model.optimizer.built else 0
        model.train_on_batch(x[first : first + BATCH], y[first : first + BATCH])
        if model.optimizer.accepts > before:
            steps.append((model.optimizer.step_size, model.optimizer.trials))
    assert len(steps) == len(expected)
    np.testing.assert_allclose(np.array(steps), np.array(expected), rtol=1e-4)


def test_fit_ends_at_the_last_accepted_point():
    gradients = 60
    x, y = noisy_classes(rows=BATCH * gradients)
    model = softmax_regression(steepest())
    start = flat(model).astype("float64")
    model.fit(x, y, batch_size=BATCH, shuffle=False, verbose=0)
    batches = Batches(x, y, 3, BATCH, gradients)
    points = [start]

    def remembered(slope, alpha, cap, start_slope):
        answer = inexact(slope, alpha, cap, start_slope)
        points.append(slope.at)
        return answer

    closure_loop(remembered, batches, start, initial_step=1e-3)
    np.testing.assert_allclose(flat(model), points[-1], rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("direction", DIRECTIONS, ids=lambda d: type(d).__name__)
def test_every_direction_learns_from_a_tiny_first_step(direction):
    x, y = noisy_classes(rows=1024)
    model = small_net(GradientOnly(Inexact(), direction, max_update_norm=1.0, initial_step=1e-8))
    before = model.evaluate(x, y, verbose=0)
    model.fit(x, y, batch_size=BATCH, epochs=4, verbose=0)
    assert model.evaluate(x, y, verbose=0) < 0.85 * before
    assert model.optimizer.accepts > 60


def hand_made(direction, gradients):
    """Directions from gradients given in float64, the formulas written out once more."""
    total = np.zeros_like(gradients[0])
    made = []
    for count, g in enumerate(gradients, start=1):
        match direction:
            case SteepestDescent():
                u = g
            case AdagradDirection():
                total = total + g**2
                u = g / (np.sqrt(total) + direction.epsilon)
            case RMSpropDirection():
                total = direction.rho * total + (1 - direction.rho) * g**2
                u = g / (np.sqrt(total) + direction.epsilon)
            case AdamDirection():
                total = direction.beta_2 * total + (1 - direction.beta_2) * g**2
                u = g / (np.sqrt(total / (1 - direction.beta_2**count)) + direction.epsilon)
        made.append(u)
    return made


@pytest.mark.parametrize("direction", DIRECTIONS, ids=lambda d: type(d).__name__)
def test_moments_advance_with_accepted_steps_only(direction):
    """All slopes are made to ascend a little (accepted at once), save one far overshoot in between."""
    weight = keras.Variable(np.zeros(3, "float32"), name="w")
    optimizer = GradientOnly(Inexact(overshoot=0.9), direction, initial_step=0.1, max_update_norm=1e6)
    optimizer.build([weight])
    random = np.random.default_rng(0)
    gradients = [random.normal(size=3)]
    for expected in range(3):
        made = hand_made(direction, gradients)
        optimizer.apply([keras.ops.convert_to_tensor(gradients[-1].astype("float32"))], [weight])
        u = keras.ops.convert_to_numpy(optimizer._slots["descent"][0])
        np.testing.assert_allclose(u, made[-1], rtol=1e-4)
        assert optimizer.accepts == expected
        overshoot = -50.0 * gradients[-1]
        optimizer.apply([keras.ops.convert_to_tensor(overshoot.astype("float32"))], [weight])
        assert optimizer.accepts == expected
        across = random.normal(size=3)
        across += made[-1] * (0.1 - across @ made[-1]) / (made[-1] @ made[-1])
        gradients.append(across)


def test_cap_falls_to_nothing_over_the_horizon():
    x, y = noisy_classes(rows=BATCH * 40)
    model = softmax_regression(steepest(SlopeTracking(), decay_steps=30, max_update_norm=0.5, initial_step=1e7))
    lengths, before = [], flat(model)
    for first in range(0, len(x), BATCH):
        model.train_on_batch(x[first : first + BATCH], y[first : first + BATCH])
        lengths.append(np.linalg.norm(flat(model) - before))
        before = flat(model)
    caps = 0.5 * np.maximum(1 - np.arange(40) / 30, 0)
    assert np.all(lengths <= caps * (1 + 1e-4) + 1e-6)
    assert lengths[0] == pytest.approx(0.5, rel=1e-4)
    np.testing.assert_allclose(lengths[30:], 0.0, atol=1e-6)


def test_cap_may_be_a_schedule_and_plateau_callbacks_lower_it():
    schedule = keras.optimizers.schedules.ExponentialDecay(0.5, 10, 0.5)
    x, y = noisy_classes(rows=BATCH)
    model = softmax_regression(steepest(Back(), max_update_norm=schedule, initial_step=1e7))
    before = flat(model)
    model.train_on_batch(x, y)
    assert np.linalg.norm(flat(model) - before) == pytest.approx(0.5, rel=1e-4)
    model = softmax_regression(steepest(Back(), max_update_norm=0.5, initial_step=1e7))
    model.optimizer.build(model.trainable_variables)
    model.optimizer.learning_rate = 0.5 * float(model.optimizer.learning_rate)
    before = flat(model)
    model.train_on_batch(x, y)
    assert np.linalg.norm(flat(model) - before) == pytest.approx(0.25, rel=1e-4)


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
    with pytest.raises(ValueError, match="max_update_norm already bounds"):
        GradientOnly(**argument)


def test_moving_the_weights_under_a_search_is_refused():
    with pytest.raises(ValueError, match="ema_overwrite_frequency"):
        GradientOnly(use_ema=True, ema_overwrite_frequency=10)
    weight = keras.Variable(np.ones(2, "float32"), name="w")
    weight.constraint = keras.constraints.NonNeg()
    with pytest.raises(ValueError, match="constraint"):
        GradientOnly().build([weight])
