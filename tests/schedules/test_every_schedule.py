"""Every schedule keeps the promises of its row: bounds, ends, continuity, configuration, eager = compiled."""

import inspect

import keras
import numpy as np
import pytest
from _examples import EXAMPLES

from keras_lr import schedules

EVERY = pytest.mark.parametrize("name", EXAMPLES)
STEPS = np.unique(np.concatenate([np.arange(0, 1300), np.linspace(1300, 10_000, 300).round()]))


def compiled(schedule):
    """The schedule inside a compiled step of the backend, as a function of integer steps."""
    match keras.backend.backend():
        case "jax":
            import jax

            function = jax.jit(schedule)
        case "tensorflow":
            import tensorflow as tf

            function = tf.function(schedule, jit_compile=True)
        case _:
            function = schedule
    return lambda steps: keras.ops.convert_to_numpy(function(keras.ops.convert_to_tensor(steps, dtype="int32")))


def test_every_public_schedule_has_a_row():
    public = {
        name
        for name, item in vars(schedules).items()
        if inspect.isclass(item) and issubclass(item, schedules.Schedule) and item is not schedules.Schedule
    }
    assert public - {"Steerable"} == set(EXAMPLES)


@pytest.mark.numpy_only
@EVERY
def test_stays_within_its_bounds(name):
    row = EXAMPLES[name]
    values = row.schedule.values(STEPS)
    assert values.dtype == np.float64
    assert np.all(np.isfinite(values))
    assert values.min() >= row.low * (1 - 1e-14)
    assert values.max() <= row.high * (1 + 1e-14)


@pytest.mark.numpy_only
@EVERY
def test_hits_its_ends_exactly(name):
    row = EXAMPLES[name]
    if row.start is not None:
        assert row.schedule.values(0) == row.start
    if row.end is not None:
        step, value = row.end
        assert row.schedule.values(step) == pytest.approx(value, rel=1e-15, abs=1e-17)
        assert row.schedule.end_step == step
        np.testing.assert_array_equal(row.schedule.values([step + 1, 2 * step, 10**9]), row.schedule.values(step))


@pytest.mark.numpy_only
@EVERY
def test_is_continuous_where_it_promises_to_be(name):
    row = EXAMPLES[name]
    if row.continuous:
        assert np.abs(np.diff(row.schedule.values(np.arange(1300)))).max() <= 0.1 * row.high


@pytest.mark.numpy_only
@EVERY
def test_an_end_means_that_nothing_changes_after_it(name):
    schedule = EXAMPLES[name].schedule
    if schedule.end_step is not None:
        assert len(np.unique(schedule.values(schedule.end_step + np.arange(50)))) == 1


@pytest.mark.numpy_only
@EVERY
def test_a_vector_of_steps_is_a_loop_over_steps(name):
    schedule = EXAMPLES[name].schedule
    steps = [0, 1, 39, 40, 41, 99, 100, 101, 399, 400, 401, 800]
    loop = [float(schedule.values(step)) for step in steps]
    np.testing.assert_allclose(schedule.values(steps), loop, rtol=1e-15)


@pytest.mark.numpy_only
@EVERY
def test_survives_its_configuration_and_its_printing(name):
    schedule = EXAMPLES[name].schedule
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    assert again == schedule
    assert hash(again) == hash(schedule)
    assert type(schedule).from_config(schedule.get_config()) == schedule
    assert schedules.from_json(schedule.to_json()) == schedule
    names = {**vars(schedules), **{f.__name__: f for f in (EXAMPLES["Cyclical"].schedule.height,)}}
    names["inverse"] = EXAMPLES["Lambda"].schedule.function
    assert eval(repr(schedule), names) == schedule


@EVERY
def test_compiled_is_exact_at_ten_thousand_steps_and_at_a_billion(name):
    schedule = EXAMPLES[name].schedule
    steps = np.array([*range(10_001), 2**24, 2**24 + 1, 10**9 - 1, 10**9])
    values = compiled(schedule)(steps)
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, schedule.values(steps), rtol=1e-6, atol=1e-37)


@EVERY
def test_eager_is_compiled_for_integers_and_floats_and_is_compiled_once(name):
    traces = []

    class Counted(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step):
            traces.append(step)
            return EXAMPLES[name].schedule(step)

    schedule, function = EXAMPLES[name].schedule, compiled(Counted())
    exact = schedule.values([0, 1, 39, 401])
    np.testing.assert_allclose([function(step) for step in (0, 1, 39, 401)], exact, rtol=1e-6, atol=1e-37)
    assert len(traces) == (4 if keras.backend.backend() == "torch" else 1)
    eager = [keras.ops.convert_to_numpy(schedule(step)) for step in (0, 1.0, np.int32(39), np.float64(401))]
    np.testing.assert_allclose(eager, exact, rtol=1e-6, atol=1e-37)


class OneWeightASchedule(keras.layers.Layer):
    """Adds up one weight for each example; with the loss minus that sum, each has the gradient -1."""

    def build(self, shape):
        self.weights_by_name = {
            name: self.add_weight(name=f"of_{name}", shape=(), initializer="zeros") for name in EXAMPLES
        }

    def call(self, x):
        return x + sum(self.weights_by_name.values())


def test_the_optimizer_uses_what_every_schedule_says():
    """One fit with an optimizer for each schedule: how far a weight moved under a gradient of -1 is the rate."""
    layer = OneWeightASchedule()
    model = keras.Sequential([keras.Input((1,)), layer])
    optimizers = {name: keras.optimizers.SGD(row.schedule, name=name) for name, row in EXAMPLES.items()}
    parts = keras.optimizers.OptimizerMap(keras.optimizers.SGD(0.0))
    for name, optimizer in optimizers.items():
        parts[f".*/of_{name}"] = optimizer
    model.compile(keras.optimizers.MultiOptimizer(parts), loss=lambda y, prediction: -prediction)
    x = np.ones((1, 1), "float32")
    for step in (0, 1, 39, 40, 41, 99, 100, 399, 400, 401, 800, 2**24 + 1):
        for name in EXAMPLES:
            layer.weights_by_name[name].assign(0.0)
            optimizers[name]._iterations.assign(step)
        model.fit(x, x, verbose=0)
        moved = [float(keras.ops.convert_to_numpy(layer.weights_by_name[name])) for name in EXAMPLES]
        says = [float(row.schedule.values(step)) for row in EXAMPLES.values()]
        np.testing.assert_allclose(moved, says, rtol=1e-6, atol=1e-37)


@pytest.mark.numpy_only
@EVERY
def test_carries_its_source(name):
    schedule = EXAMPLES[name].schedule
    assert inspect.getdoc(type(schedule))
    made_of_others = isinstance(schedule, schedules.Chain | schedules.Delayed | schedules.Repeated)
    if "Reference:" in inspect.getdoc(type(schedule)) and not made_of_others:
        assert schedule.source


def test_steps_beyond_float32_move_the_rate():
    edge = schedules.Piecewise((2**24 + 1,), (1.0, 0.5))
    np.testing.assert_array_equal(compiled(edge)(np.array([2**24, 2**24 + 1])), [1.0, 0.5])


@pytest.mark.parametrize("half", ["float16", "bfloat16"])
def test_a_rate_has_single_precision_at_least(half):
    keras.config.set_floatx(half)
    try:
        rate = schedules.Constant(0.1)(3)
    finally:
        keras.config.set_floatx("float32")
    assert keras.backend.standardize_dtype(rate.dtype) == "float32"


def test_where_a_float32_counter_breaks():
    """Keras' own staircase drops one step early at 2^24 + 1; ours, at the step."""
    drop = 2**24 + 1
    theirs = keras.optimizers.schedules.ExponentialDecay(1.0, drop, 0.5, staircase=True)
    ours = schedules.Staircase(1.0, 0.5, drop)
    asked = keras.ops.convert_to_tensor(drop - 1, dtype="int32")
    assert float(keras.ops.convert_to_numpy(theirs(asked))) == 0.5
    assert float(keras.ops.convert_to_numpy(ours(asked))) == 1.0
    np.testing.assert_array_equal(compiled(ours)(np.array([drop - 1, drop])), [1.0, 0.5])
