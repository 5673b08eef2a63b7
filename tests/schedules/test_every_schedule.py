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


@EVERY
def test_stays_within_its_bounds(name):
    row = EXAMPLES[name]
    values = row.schedule.values(STEPS)
    assert values.dtype == np.float64
    assert np.all(np.isfinite(values))
    assert values.min() >= row.low * (1 - 1e-14)
    assert values.max() <= row.high * (1 + 1e-14)


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


@EVERY
def test_is_continuous_where_it_promises_to_be(name):
    row = EXAMPLES[name]
    if row.continuous:
        assert np.abs(np.diff(row.schedule.values(np.arange(1300)))).max() <= 0.1 * row.high


@EVERY
def test_an_end_means_that_nothing_changes_after_it(name):
    schedule = EXAMPLES[name].schedule
    if schedule.end_step is not None:
        assert len(np.unique(schedule.values(schedule.end_step + np.arange(50)))) == 1


@EVERY
def test_a_vector_of_steps_is_a_loop_over_steps(name):
    schedule = EXAMPLES[name].schedule
    steps = [0, 1, 39, 40, 41, 99, 100, 101, 399, 400, 401, 800]
    loop = [float(schedule.values(step)) for step in steps]
    np.testing.assert_allclose(schedule.values(steps), loop, rtol=1e-15)


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
def test_eager_is_compiled_is_exact(name):
    schedule = EXAMPLES[name].schedule
    exact = schedule.values([0, 1, 39, 100, 399, 400, 401])
    scale = np.abs(exact)
    for values in (
        np.array([compiled(schedule)(step) for step in (0, 1, 39)]),
        compiled(schedule)(np.array([0, 1, 39, 100, 399, 400, 401])),
        np.array([keras.ops.convert_to_numpy(schedule(step)) for step in (0, 1.0, np.int32(39))]),
    ):
        assert values.dtype == np.float32
        tolerance = 1e-6 if name != "Lambda" else 1e-5
        assert np.all(np.abs(values - exact[: len(values)]) <= tolerance * scale[: len(values)] + 1e-15)


@EVERY
def test_billions_of_steps_are_exact(name):
    schedule = EXAMPLES[name].schedule
    steps = np.array([2**24, 2**24 + 1, 10**9 - 1, 10**9])
    exact = schedule.values(steps)
    np.testing.assert_allclose(compiled(schedule)(steps), exact, rtol=1e-6 if name != "Lambda" else 1e-3, atol=1e-37)


@EVERY
def test_is_compiled_once(name):
    if keras.backend.backend() == "torch":
        pytest.skip("PyTorch runs eagerly: nothing is compiled")
    traces = []

    class Counted(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step):
            traces.append(step)
            return EXAMPLES[name].schedule(step)

    function = compiled(Counted())
    for step in range(5):
        function(step)
    assert len(traces) == 1


@EVERY
def test_carries_its_source(name):
    schedule = EXAMPLES[name].schedule
    assert inspect.getdoc(type(schedule))
    made_of_others = isinstance(schedule, schedules.Chain | schedules.Delayed | schedules.Repeated)
    if "Reference:" in inspect.getdoc(type(schedule)) and not made_of_others:
        assert schedule.source


def test_steps_beyond_float32_move_the_rate():
    late = schedules.Linear(1.0, 2**25)
    ours = compiled(late)(np.array([2**24, 2**24 + 1]))
    assert ours[0] != ours[1] or late.values(2**24) - late.values(2**24 + 1) < 6e-8
    edge = schedules.Piecewise((2**24 + 1,), (1.0, 0.5))
    np.testing.assert_array_equal(compiled(edge)(np.array([2**24, 2**24 + 1])), [1.0, 0.5])


def test_where_a_float32_counter_breaks():
    """Keras' own staircase drops one step early at 2^24 + 1; ours, at the step."""
    drop = 2**24 + 1
    theirs = keras.optimizers.schedules.ExponentialDecay(1.0, drop, 0.5, staircase=True)
    ours = schedules.Staircase(1.0, 0.5, drop)
    asked = keras.ops.convert_to_tensor(drop - 1, dtype="int32")
    assert float(keras.ops.convert_to_numpy(theirs(asked))) == 0.5
    assert float(keras.ops.convert_to_numpy(ours(asked))) == 1.0
    np.testing.assert_array_equal(compiled(ours)(np.array([drop - 1, drop])), [1.0, 0.5])
