"""The rate is set at any moment, whatever was compiled, and the weights show it."""

import copy
import pickle

import keras
import numpy as np
import pytest

from keras_lr import optimizers
from keras_lr import schedules as s
from keras_lr.training import attach, scale_learning_rate, set_learning_rate

X = np.ones((4, 1), "float32")


@keras.saving.register_keras_serializable("keras_lr_tests")
def minus_prediction(y, prediction):
    return -prediction  # the gradient of the one weight is -1, so a step moves it by the rate


def made(optimizer, **compiled):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    model.compile(optimizer, loss=minus_prediction, **compiled)
    return model


def moved(model, callbacks=(), **arguments):
    """How far each of four steps moved the weight together."""
    before = float(model.get_weights()[0][0, 0])
    model.fit(X, X, batch_size=1, verbose=0, callbacks=list(callbacks), **arguments)
    return float(model.get_weights()[0][0, 0]) - before


COMPILED = {
    "a number": lambda: 0.1,
    "our schedule": lambda: s.Linear(1.0, 100),
    "a steerable": lambda: s.steerable(s.Linear(1.0, 100)),
    "a schedule of Keras": lambda: keras.optimizers.schedules.CosineDecay(0.1, 100),
    "a function": lambda: lambda: 0.1,
}


@pytest.mark.parametrize("compiled", ["a number", "our schedule"])
def test_arrays_tensors_and_variables_that_hold_a_number_are_rates_and_factors(compiled):
    model = made(keras.optimizers.SGD(COMPILED[compiled]()))
    for number in (np.array(0.5), keras.ops.convert_to_tensor(0.5), keras.Variable(0.5, trainable=False)):
        set_learning_rate(model, number)
        scale_learning_rate(model, number)
        assert moved(model) == pytest.approx(1, rel=1e-6)
    set_learning_rate(model, model.optimizer.learning_rate * 2)
    assert moved(model) == pytest.approx(2, rel=1e-6)
    with pytest.raises(TypeError, match="a schedule, a number or a function of the step as learning_rate"):
        set_learning_rate(model, np.array([0.5]))


@pytest.mark.parametrize("compiled", COMPILED)
def test_between_fits_and_within(compiled):
    model = made(keras.optimizers.SGD(COMPILED[compiled]()))
    moved(model)
    set_learning_rate(model, 0.01)
    assert moved(model) == pytest.approx(0.04, rel=1e-5)
    set_learning_rate(model, 1)
    assert moved(model) == pytest.approx(4, rel=1e-6)
    set_learning_rate(model, s.StepBased(0.5, 0.5, 1000))
    assert moved(model) == pytest.approx(2, rel=1e-6)
    scale_learning_rate(model, 0.1)
    assert moved(model) == pytest.approx(0.2, rel=1e-5)
    powers = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: set_learning_rate(model, 10.0**-batch)
    )
    assert moved(model, [powers]) == pytest.approx(0.05 + 1.11, rel=1e-5)
    set_learning_rate(model, np.float32(0.25))
    assert moved(model) == pytest.approx(1, rel=1e-6)


def test_a_schedule_in_the_middle_of_an_epoch():
    model = made(keras.optimizers.SGD(0.1))

    def turn(batch, logs):
        if batch == 1:
            set_learning_rate(model, s.Constant(5.0))
        if batch == 2:
            scale_learning_rate(model, 0.1)

    assert moved(model, [keras.callbacks.LambdaCallback(on_train_batch_end=turn)]) == pytest.approx(5.7, rel=1e-6)


def test_the_value_alone_compiles_nothing():
    traces = []

    def counted(y, prediction):
        traces.append(1)
        return -prediction

    model = made(keras.optimizers.SGD(s.steerable(s.Linear(1.0, 100))))
    model.compile(model.optimizer, loss=counted)
    moved(model)
    before = len(traces)
    for rate in (0.1, 0.2):
        set_learning_rate(model, rate)
        moved(model)
        scale_learning_rate(model, 0.5)
        moved(model)
    assert len(traces) == before or keras.backend.backend() == "torch"


def test_it_is_saved_with_the_model(tmp_path):
    model = made(keras.optimizers.SGD(s.Linear(1.0, 100)))
    moved(model)
    scale_learning_rate(model, 0.5)
    moved(model)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.optimizer._learning_rate.multiplier == 0.5
    assert moved(loaded) == moved(model)
    loaded.save_weights(tmp_path / "again.weights.h5")
    fresh = made(keras.optimizers.SGD(s.steerable(s.Linear(1.0, 100))))
    fresh.optimizer.build(fresh.trainable_variables)
    fresh.load_weights(tmp_path / "again.weights.h5")
    assert moved(fresh) == pytest.approx(moved(model), rel=1e-6)


def test_a_plain_rate_is_not_taken_for_a_multiplier(tmp_path):
    plain = made(keras.optimizers.SGD(0.001))
    moved(plain)
    plain.save_weights(tmp_path / "plain.weights.h5")
    steered = made(keras.optimizers.SGD(s.steerable(s.Linear(1.0, 100))))
    steered.optimizer.build(steered.trainable_variables)
    with pytest.raises(ValueError, match="shape"):
        steered.load_weights(tmp_path / "plain.weights.h5")


def test_inside_wrappers():
    model = made(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(s.Linear(1.0, 100)), initial_scale=1.0))
    moved(model)
    set_learning_rate(model, 0.25)
    assert moved(model) == pytest.approx(1, rel=1e-6)


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="JAX has its 64-bit types switched off")
def test_a_rate_in_double_precision_keeps_its_digits():
    keras.config.set_floatx("float64")
    try:
        model = made("sgd")
    finally:
        keras.config.set_floatx("float32")
    set_learning_rate(model, 0.1)
    assert float(keras.ops.convert_to_numpy(model.optimizer.learning_rate)) == 0.1
    scale_learning_rate(model, 0.1)
    assert float(keras.ops.convert_to_numpy(model.optimizer.learning_rate)) == 0.1 * 0.1


def test_accumulation_counts_updates():
    """Four updates of two batches each: Keras' own schedule would stand at twice the step."""
    ours = made(keras.optimizers.SGD(s.Linear(1.0, 4), gradient_accumulation_steps=2))
    ours.fit(np.ones((8, 1)), np.ones((8, 1)), batch_size=1, verbose=0)
    assert ours.get_weights()[0][0, 0] == pytest.approx(1 + 0.75 + 0.5 + 0.25, rel=1e-6)
    assert float(keras.ops.convert_to_numpy(ours.optimizer.learning_rate)) == 0
    scale = made(
        keras.optimizers.LossScaleOptimizer(
            keras.optimizers.SGD(s.Linear(1.0, 4), gradient_accumulation_steps=2), initial_scale=1.0
        )
    )
    scale.fit(np.ones((8, 1)), np.ones((8, 1)), batch_size=1, verbose=0)
    assert scale.get_weights()[0][0, 0] == pytest.approx(2.5, rel=1e-6)


@pytest.mark.parametrize("steps_per_execution", [1, 2])
def test_what_the_optimizer_used_is_what_the_schedule_says(steps_per_execution):
    if keras.backend.backend() == "torch" and steps_per_execution > 1:
        pytest.skip("Keras refuses steps_per_execution above 1 on PyTorch")
    schedule = s.OneCycle(0.5, 12).warmed_up(3)
    model = made(keras.optimizers.SGD(schedule), steps_per_execution=steps_per_execution)
    for epoch in range(4):
        assert moved(model) == pytest.approx(schedule.values(range(4 * epoch, 4 * epoch + 4)).sum(), rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("set_rate", [set_learning_rate, scale_learning_rate])
def test_an_optimizer_that_takes_no_rate_says_so(set_rate):
    with pytest.raises(ValueError, match="COCOB finds how far to go at every step and takes no learning rate"):
        set_rate(made(optimizers.COCOB()), 0.1)


@pytest.mark.parametrize("set_rate", [set_learning_rate, scale_learning_rate])
def test_of_several_optimizers_none_is_turned_where_one_takes_no_rate(set_rate):
    first, second = keras.optimizers.SGD(0.5), optimizers.COCOB()
    parts = keras.optimizers.OptimizerMap(first)
    parts[".*bias"] = second
    with pytest.raises(ValueError, match="takes no learning rate"):
        set_rate(made(keras.optimizers.MultiOptimizer(parts)), 0.1)
    assert float(keras.ops.convert_to_numpy(first.learning_rate)) == 0.5


def test_bad_rates_are_refused():
    model = made(keras.optimizers.SGD(0.1))
    with pytest.raises(ValueError, match=r"^set_learning_rate takes a number of at least 0 .* learning_rate=-1"):
        set_learning_rate(model, -1)
    with pytest.raises(ValueError, match="factor"):
        scale_learning_rate(model, 0)


FACTORS = {
    "GradientOnly": optimizers.GradientOnly,
    "Mechanic": lambda: optimizers.Mechanic(keras.optimizers.SGD(1.0)),
    "ProbabilisticLineSearch": optimizers.ProbabilisticLineSearch,
}


@pytest.mark.parametrize("name", FACTORS)
def test_a_schedule_on_the_factor_of_a_method_without_a_rate_is_saved_with_the_model(name, tmp_path):
    x = np.linspace(-1, 1, 32, dtype="float32")[:, None]

    def fit(model):
        return attach(model).fit(x, x**2, batch_size=8, shuffle=False, verbose=0).history["loss"]

    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(4, activation="tanh"), keras.layers.Dense(1)])
    model.compile(FACTORS[name](), loss="mse")
    set_learning_rate(attach(model), s.Linear(1.0, 20))
    fit(model)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert fit(again) == fit(model)


def halving():
    return keras.optimizers.schedules.ExponentialDecay(1.0, 1, 0.5)


@pytest.mark.parametrize("put", [halving, lambda: s.steerable(halving()), lambda: s.Lambda(halving())])
def test_a_schedule_goes_on_with_the_clock_that_it_had_where_gradients_are_accumulated(put, tmp_path):
    model = made(keras.optimizers.SGD(put(), gradient_accumulation_steps=2))
    plain = made(keras.optimizers.SGD(put(), gradient_accumulation_steps=2))
    halfway = moved(model), moved(plain)
    scale_learning_rate(model, 1.0)
    assert float(model.optimizer.learning_rate) == float(plain.optimizer.learning_rate)
    whole = moved(model), moved(plain)
    assert halfway[0] == halfway[1]
    assert whole[0] == whole[1]
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert float(again.optimizer.learning_rate) == float(plain.optimizer.learning_rate)
    assert moved(again) == moved(plain)


def test_our_schedule_and_a_schedule_of_keras_in_it_are_two_though_they_look_alike():
    model = made(keras.optimizers.SGD(0.5, gradient_accumulation_steps=2))
    theirs = halving()
    for wanted, ends in ((theirs, 1 / 16), (s.Lambda(theirs), 1 / 4), (theirs, 1 / 16)):
        model.optimizer._iterations.assign(0)
        set_learning_rate(model, wanted)
        moved(model)
        assert float(model.optimizer.learning_rate) == ends


def test_a_steerable_is_put_in_as_it_is_and_turned_by_its_name():
    for put in (lambda steerable: steerable, s.steerable):
        model = made(keras.optimizers.SGD(s.Linear(1.0, 100)))
        first, second = s.Steerable(s.Constant(0.5)), s.Steerable(s.Constant(0.25), multiplier=2.0)
        for steerable in (first, second):
            set_learning_rate(model, put(steerable))
            assert moved(model) == pytest.approx(2.0, rel=1e-6)
            steerable.steer(multiplier=0.0)
            assert moved(model) == 0
        assert [variable is second.numbers for variable in model.optimizer.variables] == [False, True]
    given = s.Steerable(s.Constant(0.5))
    model = made(keras.optimizers.SGD(s.steerable(given)))
    given.fix(0.125)
    assert moved(model) == pytest.approx(0.5, rel=1e-6)


def test_a_steerable_that_an_optimizer_would_not_see_turned_is_refused():
    model = made(keras.optimizers.SGD(s.Steerable(s.Constant(0.1))))
    with pytest.raises(ValueError, match=r"SGD was given a Steerable as it is.*give it schedules\.steerable\(\.\.\.\)"):
        moved(model)
    with pytest.raises(TypeError, match=r"Product takes a schedule.*Give its schedule, and make the whole steerable"):
        s.Linear(1.0, 100) * s.Steerable(s.Constant(0.1))
    with pytest.raises(TypeError, match="make the whole steerable"):
        s.Steerable(s.steerable(0.1))
    parts = keras.optimizers.OptimizerMap(keras.optimizers.SGD(0.5))
    parts[".*bias"] = keras.optimizers.SGD(0.5)
    model = made(keras.optimizers.MultiOptimizer(parts))
    with pytest.raises(ValueError, match=r"Received: learning_rate=Steerable\(.*each of the 2 optimizers makes one"):
        set_learning_rate(model, s.Steerable(0.1))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda given: pickle.loads(pickle.dumps(given))])
def test_what_is_steerable_can_be_copied_before_an_optimizer_has_it(copied):
    given = s.steerable(s.Steerable(s.Linear(1.0, 100), multiplier=0.5))
    again = copied(given)
    given.steerable.steer(multiplier=0.25)
    optimizer = keras.optimizers.SGD(again)
    assert float(optimizer.learning_rate) == 0.5
    again.steerable.steer(multiplier=0.125)
    assert float(optimizer.learning_rate) == 0.125
