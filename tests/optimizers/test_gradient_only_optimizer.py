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
from oracles.searching_networks import flat, small_net, steepest

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
DAMPED = [AdagradDirection(epsilon=0.5), RMSpropDirection(epsilon=0.5), AdamDirection(epsilon=0.5)]


def softmax_regression(optimizer, **compile_arguments):
    model = keras.Sequential([keras.Input((6,)), layers.Dense(3)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss=loss, **compile_arguments)
    return model


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


@pytest.mark.parametrize("direction", DIRECTIONS + DAMPED, ids=lambda d: type(d).__name__)
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
        u = keras.ops.convert_to_numpy(optimizer._slots.variables["descent"][0])
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


def test_a_callback_that_scales_the_step_scales_the_cap():
    x, y = noisy_classes(rows=BATCH)
    model = softmax_regression(steepest(Back(), max_update_norm=0.5, initial_step=1e7))
    optimizer = model.optimizer
    model.train_on_batch(x, y)
    while not float(optimizer.learning_rate):
        model.train_on_batch(x, y)
    for factor in (0.25, 0.0625):
        optimizer.learning_rate = 0.25 * float(optimizer.learning_rate)
        assert float(optimizer._get_current_learning_rate()) == pytest.approx(factor)


def test_a_callback_that_scales_the_step_before_one_was_accepted_stops_nothing():
    x, y = noisy_classes(rows=BATCH)
    model = softmax_regression(steepest(Back(), max_update_norm=0.5, initial_step=1e7))
    model.train_on_batch(x, y)
    assert float(model.optimizer.learning_rate) == 0.0
    model.optimizer.learning_rate = 0.25 * float(model.optimizer.learning_rate)
    assert float(model.optimizer._get_current_learning_rate()) == 1.0
