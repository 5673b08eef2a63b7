"""What goes wrong with rates in Keras 3.15.1, one regression test for each: ours must do what the name says.

The numbers are those of the list of defects that this project was begun with. 19, the averages of Schedule-Free, is in
tests/optimizers/test_trajectories.py (the authors' package) and test_averaged_weights.py (what is left after `fit`).
"""

import keras
import numpy as np
import pytest

from keras_lr import optimizers
from keras_lr import schedules as s
from keras_lr.callbacks import RecordLearningRate, ReduceOnPlateau
from keras_lr.training import set_learning_rate

X = np.ones((4, 1), "float32")
BACKEND = keras.backend.backend()


@keras.saving.register_keras_serializable("keras_lr_tests")
def falling(step):
    return 1.0 / (1.0 + step)


def minus_prediction(y, prediction):
    return -prediction  # the gradient of the one weight is -1, so a step moves it by the rate


def made(optimizer, **compiled):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    model.compile(optimizer, **{"loss": minus_prediction, **compiled})
    return model


def moved(model, *callbacks, x=X, y=X, **arguments):
    before = float(model.get_weights()[0][0, 0])
    model.fit(x, y, batch_size=1, shuffle=False, verbose=0, callbacks=list(callbacks), **arguments)
    return float(model.get_weights()[0][0, 0]) - before


def test_01_an_integer_and_a_number_of_numpy_are_rates():
    with pytest.raises(ValueError, match="learning_rate"):
        keras.optimizers.SGD(learning_rate=1)
    model = made(keras.optimizers.SGD(s.Constant(1)))
    assert moved(model) == 4
    for rate in (2, np.float32(0.5), np.int64(1)):
        set_learning_rate(model, rate)
        assert moved(model) == 4 * rate


@pytest.mark.parametrize("compiled", [lambda: s.Cosine(0.1, 100), lambda: lambda: 0.1], ids=["schedule", "function"])
def test_02_and_03_a_number_may_follow_a_schedule_and_a_schedule_a_number(compiled):
    model = made(keras.optimizers.SGD(compiled()))
    moved(model)
    for rate, each in ((0.5, 0.5), (s.Constant(2.0), 2.0), (0.25, 0.25)):
        set_learning_rate(model, rate)
        assert moved(model) == pytest.approx(4 * each, rel=1e-6)


def test_04_a_function_is_called_with_the_step():
    model = made(keras.optimizers.SGD(s.Lambda(falling)))
    assert moved(model) == pytest.approx(1 + 1 / 2 + 1 / 3 + 1 / 4, rel=1e-6)
    model = made(keras.optimizers.SGD(0.1))
    set_learning_rate(model, falling)
    assert moved(model) == pytest.approx(1 + 1 / 2 + 1 / 3 + 1 / 4, rel=1e-6)


def test_05_a_schedule_that_is_set_after_a_first_fit_is_followed():
    model = made(keras.optimizers.SGD(0.1))
    moved(model)
    set_learning_rate(model, s.Constant(0.0))
    assert moved(model) == 0


def test_06_a_number_is_set_for_each_batch():
    model = made(keras.optimizers.SGD(s.Constant(1.0)))
    turn = keras.callbacks.LambdaCallback(on_train_batch_begin=lambda batch, logs: set_learning_rate(model, batch))
    assert moved(model, turn) == pytest.approx(0 + 1 + 2 + 3, rel=1e-6)


def test_07_the_momentum_changes_inside_the_compiled_step():
    momentum = s.Piecewise((4,), (0.5, 1e-30))
    model = made(optimizers.Scheduled(keras.optimizers.SGD(1.0, momentum=0.9), momentum=momentum))
    assert moved(model) == pytest.approx(1 + 1.5 + 1.75 + 1.875, rel=1e-6)
    assert moved(model) == pytest.approx(4, rel=1e-6)


def test_08_an_error_in_a_function_is_shown_as_it_is():
    def broken(step):
        raise TypeError("what is wrong in here")

    with pytest.raises(TypeError, match="what is wrong in here"):
        s.Lambda(broken).values(0)


def test_09_a_rule_within_epochs_reads_the_loss_of_the_batch_and_not_the_mean_so_far():
    model = made(keras.optimizers.SGD(0.0), loss="mse")
    # The losses are 1, 9, 0.25: the third is the best. Their running means are 1, 5, 3.4: nothing after the first is.
    rule = ReduceOnPlateau(every_steps=1, patience=2)
    moved(model, rule, x=X[:3], y=np.array([[1.0], [3.0], [0.5]], "float32"))
    assert rule.changes == []


def test_10_the_history_holds_the_rate_of_a_schedule():
    model = made(keras.optimizers.SGD(s.Linear(1.0, 8)))
    history = model.fit(X, X, batch_size=1, epochs=2, verbose=0, callbacks=[RecordLearningRate()])
    np.testing.assert_allclose(history.history["learning_rate"], [5 / 8, 1 / 8])


@pytest.mark.skipif(BACKEND == "torch", reason="Keras refuses steps_per_execution above 1 on PyTorch")
def test_11_every_step_is_recorded_also_where_callbacks_see_every_fourth():
    model = made(keras.optimizers.SGD(s.Linear(1.0, 8)), steps_per_execution=4)
    record = RecordLearningRate(every_step=True)
    eight = np.ones((8, 1), "float32")
    assert moved(model, record, x=eight, y=eight) == pytest.approx(record.steps["learning_rate"].sum(), rel=1e-6)
    np.testing.assert_allclose(record.steps["learning_rate"], 1 - np.arange(8) / 8)


@pytest.mark.skipif(BACKEND != "jax", reason="only on JAX does looking at the model bring its state back from a step")
def test_12_recording_every_step_does_not_ask_the_device():
    model, asked = made(keras.optimizers.SGD(s.steerable(s.Linear(1.0, 8)))), []

    class WasAsked(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            asked.append(self._model._jax_state_synced)

    moved(model, RecordLearningRate(every_step=True), WasAsked())
    assert asked == [False] * 4


def test_13_integers_do_not_round_the_schedule():
    assert s.Cosine(1, 10) == s.Cosine(np.float32(1), np.int64(10))
    assert float(keras.ops.convert_to_numpy(s.Cosine(1, 10)(5))) == pytest.approx(0.5)
    warmed = s.WarmUp(s.Cosine(0.1, 10), 2, start=0, ramp=s.Ramp.FROM_START)
    assert [float(keras.ops.convert_to_numpy(warmed(step))) for step in (0, 1, 2)] == pytest.approx([0, 0.05, 0.1])


def test_14_restarts_whose_factor_is_no_integer_restart_exactly():
    steps, peaks = [], []
    for first in (10, 100, 1000, 1024):
        schedule = s.CosineRestarts(1.0, first, 1.5, 0.9)
        starts = first * (1.5 ** np.arange(10) - 1) / 0.5
        whole = starts == starts.round()
        steps.append((schedule, starts[whole]))
        peaks.append(0.9 ** np.arange(10)[whole])
    for (schedule, starts), exact in zip(steps, peaks, strict=True):
        np.testing.assert_allclose(schedule.values(starts), exact, rtol=1e-12)
        compiled = [float(keras.ops.convert_to_numpy(schedule(int(start)))) for start in starts[:4]]
        np.testing.assert_allclose(compiled, exact[:4], rtol=1e-6)


def test_15_at_a_boundary_the_new_value_holds_and_keras_is_one_step_later():
    theirs = keras.optimizers.schedules.PiecewiseConstantDecay([10, 20], [1.0, 0.5, 0.1])
    ours = s.Piecewise((10, 20), (1.0, 0.5, 0.1))
    np.testing.assert_array_equal(ours.values([9, 10, 19, 20]), [1.0, 0.5, 0.5, 0.1])
    asked = [float(keras.ops.convert_to_numpy(theirs(float(step)))) for step in (10, 11, 20, 21)]
    np.testing.assert_allclose(ours.values([9, 10, 19, 20]), asked, rtol=1e-6)


def test_16_a_growing_polynomial_ends_at_zero_by_default_and_grows_when_keras_does():
    prints = [1, 0.75, 0.5, 0.25, 0, 0.375, 0.25, 0.125, 0, 0.25]
    np.testing.assert_allclose(s.GrowingPolynomial(1.0, 4).values(range(10)), prints, atol=1e-15)
    assert s.Polynomial(1.0, 4).values(4) == 0


@pytest.mark.parametrize("wrapped", ["alone", "steerable", "loss scale", "per layer", "several"])
def test_17_with_accumulation_a_schedule_counts_updates(wrapped):
    schedule = s.Linear(1.0, 4)
    plan = s.steerable(schedule) if wrapped == "steerable" else schedule
    optimizer = keras.optimizers.SGD(plan, gradient_accumulation_steps=2)
    if wrapped == "loss scale":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=1.0)
    if wrapped == "per layer":
        optimizer = optimizers.PerLayer(optimizer, {"kernel": 1.0})
    if wrapped == "several":
        optimizer = keras.optimizers.MultiOptimizer(keras.optimizers.OptimizerMap(optimizer))
    eight = np.ones((8, 1), "float32")
    assert moved(made(optimizer), x=eight, y=eight) == pytest.approx(1 + 0.75 + 0.5 + 0.25, rel=1e-6)


def test_18_a_function_is_saved_by_its_name_and_not_as_byte_code():
    text = s.Lambda(falling).to_json()
    assert "falling" in text
    assert "marshal" not in text
    assert "__lambda__" not in text
    with pytest.raises(ValueError, match="cannot be saved"):
        s.Lambda(lambda step: 0.1).to_json()


def test_20_the_rate_of_several_optimizers_is_set_inside_a_wrapper():
    several = keras.optimizers.MultiOptimizer(keras.optimizers.OptimizerMap(keras.optimizers.SGD(0.1)))
    model = made(keras.optimizers.LossScaleOptimizer(several, initial_scale=1.0))
    turn = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: set_learning_rate(model, 0.5))
    assert moved(model, turn) == pytest.approx(2, rel=1e-6)


def test_21_a_rate_for_each_layer_leaves_one_optimizer_one_norm_and_one_rate():
    layers = [keras.layers.Dense(1, use_bias=False, kernel_initializer="ones", name=name) for name in ("a", "b")]
    model = keras.Sequential([keras.Input((1,)), *layers])
    optimizer = optimizers.PerLayer(keras.optimizers.SGD(1.0, global_clipnorm=1.0), {"a": 0.5})
    model.compile(optimizer, loss=minus_prediction)
    model.fit(X[:1], X[:1], verbose=0)
    a, b = (float(weight[0, 0]) - 1 for weight in model.get_weights())
    assert (2 * a) ** 2 + b**2 == pytest.approx(1, rel=1e-5)  # the joint norm is 1, not the square root of 2
    assert float(keras.ops.convert_to_numpy(optimizer.learning_rate)) == 1


class Says(keras.callbacks.Callback):
    def __init__(self, values):
        super().__init__()
        self.values = values

    def on_epoch_end(self, epoch, logs=None):
        logs["said"] = self.values[epoch]


def test_22_a_plateau_is_remembered_from_fit_to_fit():
    model, values = made(keras.optimizers.SGD(0.1)), [1.0] * 6
    for epoch in range(6):
        callbacks = [Says(values), ReduceOnPlateau("said", mode="min", factor=0.5, patience=2)]
        model.fit(X, X, initial_epoch=epoch, epochs=epoch + 1, verbose=0, callbacks=callbacks)
    assert model.optimizer._learning_rate.multiplier == 0.25


def test_23_the_rate_is_lowered_at_the_patience_th_measurement_relative_to_the_best():
    rule = ReduceOnPlateau("said", mode="min", factor=0.5, patience=2, min_delta=1e-2)
    values = [1e-3, 0.995e-3, 0.994e-3, 0.98e-3]  # an absolute threshold of 1e-4 would never see an improvement here
    made(keras.optimizers.SGD(0.1)).fit(X, X, epochs=4, verbose=0, callbacks=[Says(values), rule])
    assert rule.changes == [(2, 0.5)]
