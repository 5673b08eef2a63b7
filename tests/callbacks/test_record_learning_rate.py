"""What is recorded is what the weights were moved by; and the horizon's units and warnings."""

import warnings

import keras
import numpy as np
import pytest

import keras_lr
from keras_lr import line_search, optimizers
from keras_lr import schedules as s
from keras_lr.callbacks import Guard, Horizon, Monitor, RecordLearningRate, ReduceOnPlateau
from keras_lr.training import attach, set_learning_rate

X = np.ones((4, 1), "float32")


def minus_prediction(y, prediction):
    return -prediction


def made(optimizer):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    model.compile(optimizer, loss=minus_prediction)
    return model


class Weights(keras.callbacks.Callback):
    """The weight after each batch, and what the logs said."""

    def __init__(self):
        super().__init__()
        self.weights, self.logs = [0.0], []

    def on_train_batch_end(self, batch, logs=None):
        self.weights.append(float(self.model.get_weights()[0][0, 0]))
        self.logs.append(dict(logs))


RATES = {
    "number": lambda: 0.1,
    "ours": lambda: s.Cosine(0.5, 10),
    "steerable": lambda: s.steerable(s.Cosine(0.5, 10)),
    "Keras": lambda: keras.optimizers.schedules.PolynomialDecay(0.5, 10),
}


@pytest.mark.parametrize("kind", RATES)
def test_every_step_is_what_moved_the_weights(kind):
    model = made(keras.optimizers.SGD(RATES[kind]()))
    record, weights = RecordLearningRate(every_step=True), Weights()

    def turn(batch, logs):
        if batch == 1:
            set_learning_rate(model, 0.01)

    callbacks = [record, weights, keras.callbacks.LambdaCallback(on_train_batch_end=turn)]
    history = model.fit(X, X, batch_size=1, epochs=2, verbose=0, callbacks=callbacks)
    np.testing.assert_allclose(record.steps["learning_rate"], np.diff(weights.weights), rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(record.steps["step"], range(8))
    np.testing.assert_allclose([logs["learning_rate"] for logs in weights.logs], np.diff(weights.weights), atol=1e-6)
    np.testing.assert_allclose(history.history["learning_rate"], record.steps["learning_rate"][[3, 7]], rtol=1e-6)


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="elsewhere a function is asked once, by the compiler")
def test_a_function_without_arguments_is_asked_at_every_step():
    model = made(keras.optimizers.SGD(lambda: 0.4 / (1 + int(model.optimizer.iterations))))
    record, weights = RecordLearningRate(every_step=True), Weights()
    model.fit(X, X, batch_size=1, verbose=0, callbacks=[record, weights])
    np.testing.assert_allclose(record.steps["learning_rate"], 0.4 / np.arange(1, 5), rtol=1e-6)
    np.testing.assert_allclose(np.diff(weights.weights), record.steps["learning_rate"], rtol=1e-5)


def test_each_epoch_with_accumulation_and_momentum():
    cycle = s.OneCycle(0.5, 8)
    model = made(optimizers.one_cycle(keras.optimizers.SGD(momentum=0.9, gradient_accumulation_steps=2), cycle))
    record = RecordLearningRate(every_step=True)
    history = model.fit(X, X, batch_size=1, epochs=3, verbose=0, callbacks=[record])
    np.testing.assert_allclose(history.history["learning_rate"], cycle.values([1, 3, 5]), rtol=1e-6)
    np.testing.assert_allclose(history.history["momentum"], cycle.momentum().values([1, 3, 5]), rtol=1e-6)
    np.testing.assert_array_equal(record.steps["step"], range(6))
    np.testing.assert_allclose(record.steps["learning_rate"], cycle.values(range(6)), rtol=1e-6)


def test_of_steps_that_are_executed_together_those_are_recorded_for_which_there_were_data(backend):
    if backend == "torch":
        pytest.skip("Keras refuses steps_per_execution on the PyTorch backend")
    rate, record, x = s.Linear(1.0, 12), RecordLearningRate(every_step=True), np.zeros((6, 1), "float32")
    model = made(keras.optimizers.SGD(rate))
    model.compile(model.optimizer, "mse", steps_per_execution=4)
    history = model.fit(x, x, batch_size=1, epochs=2, verbose=0, callbacks=[record]).history
    np.testing.assert_array_equal(record.steps["step"], range(12))
    np.testing.assert_allclose(record.steps["learning_rate"], rate.values(range(12)), rtol=1e-6)
    np.testing.assert_allclose(history["learning_rate"], rate.values([5, 11]), rtol=1e-6)


def test_without_steps_no_batch_is_looked_at():
    record = RecordLearningRate()
    assert "on_train_batch_end" not in vars(record)
    model = made(keras.optimizers.Adam(s.Cosine(0.5, 10)))
    history = model.fit(X, X, verbose=0, callbacks=[record])
    assert history.history["learning_rate"] == [0.5]
    assert history.history["beta_1"] == [0.9]


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("rate", [0.1, s.Constant(0.1)])
def test_a_rate_that_is_lowered_after_the_validation_is_not_the_one_that_the_epoch_used(rate, first):
    plateau = ReduceOnPlateau(factor=0.5, patience=1, min_delta=10.0)
    model, callbacks = made(keras.optimizers.SGD(rate)), [RecordLearningRate(), plateau][:: 1 if first else -1]
    history = model.fit(X, X, epochs=3, validation_data=(X, X), verbose=0, callbacks=callbacks).history
    assert [multiplier for _, multiplier in plateau.changes] == [0.5, 0.25]
    np.testing.assert_allclose(history["learning_rate"], [0.1, 0.1, 0.05], rtol=1e-6)


@pytest.mark.parametrize("first", [True, False])
def test_the_rate_of_an_epoch_at_whose_end_a_guard_went_back_is_the_one_that_was_used(first):
    guard, x = Guard(s.Linear(0.8, 8), window_steps=4), np.ones((8, 1), "float32")
    model = made(keras.optimizers.SGD(0.1))
    callbacks = [RecordLearningRate(), guard][:: 1 if first else -1]
    history = model.fit(x, x, batch_size=1, epochs=1, verbose=0, callbacks=callbacks).history
    assert guard.step == 8
    np.testing.assert_allclose(history["learning_rate"], [0.01], rtol=1e-5)  # a tenth of the plan's 0.1 is on trial


FINDING = {
    "DoG": lambda: optimizers.DoG(s.Linear(1.0, 5), relative_start=0.1),
    "DoWG": lambda: optimizers.DoWG(s.Linear(1.0, 5)),
    "AdGD": lambda: optimizers.AdGD(s.Linear(1.0, 5), initial_rate=0.1),
    "MoMo": lambda: optimizers.MoMo(s.Linear(0.4, 5), beta=0.0, lower_bound=-1.0),  # below its cap in the end
    "LineSearch": lambda: optimizers.LineSearch(line_search.SLS(initial=0.1), learning_rate=s.Linear(1.0, 5)),
}


def epochs_of_one_batch(model, fit=None, epochs=5, callbacks=()):
    """Train for epochs of one batch; return what the history says of the rate, and by what the weight moved."""
    weights = Weights()
    result = (fit or model.fit)(X, X, epochs=epochs, batch_size=4, verbose=0, callbacks=[*callbacks, weights])
    return result.history["learning_rate"], np.diff(weights.weights)


@pytest.mark.parametrize("name", FINDING)
def test_of_an_optimizer_that_finds_its_rate_it_is_the_rate_that_moved_the_weights(name):
    model = attach(made(FINDING[name]()))
    recorded, moved = epochs_of_one_batch(model, callbacks=[RecordLearningRate()])
    assert len(set(moved)) > 1
    np.testing.assert_allclose(recorded, moved, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["DoG", "LineSearch"])
def test_the_history_of_keras_lr_fit_has_the_rate_that_was_found(name):
    model = attach(made(FINDING[name]()))
    recorded, moved = epochs_of_one_batch(model, lambda *data, **how: keras_lr.fit(model, *data, **how), epochs=20)
    assert recorded[-1] < 0.5 * max(recorded)
    np.testing.assert_allclose(recorded, moved, rtol=1e-4)


def test_of_a_search_across_batches_it_is_the_step_that_was_accepted_last():
    rule = line_search.Inexact(), optimizers.SteepestDescent()  # of a gradient of length 1, so that steps are lengths
    model = made(optimizers.GradientOnly(*rule, max_update_norm=0.2, initial_step=1.0))
    model.optimizer.learning_rate = 0.5  # a factor on the cap, which the accepted step has in it
    recorded, moved = epochs_of_one_batch(model, callbacks=[RecordLearningRate()])
    assert recorded[-1] == pytest.approx(0.1)
    assert moved[-1] == pytest.approx(0.1)


def test_single_steps_of_an_optimizer_that_finds_its_rate_are_refused():
    model = made(optimizers.PerLayer(optimizers.Prodigy(), {".*kernel": 0.5}))
    with pytest.raises(ValueError, match="Prodigy, which finds them inside the step"):
        model.fit(X, X, verbose=0, callbacks=[RecordLearningRate(every_step=True)])


def test_each_optimizer_of_several_has_its_name():
    parts = keras.optimizers.OptimizerMap(keras.optimizers.SGD(s.Constant(0.2), name="rest"))
    model = made(keras.optimizers.MultiOptimizer(parts))
    history = model.fit(X, X, verbose=0, callbacks=[RecordLearningRate()])
    assert history.history["learning_rate_rest"] == [0.2]


def test_the_horizon_resolves_units_with_accumulation():
    schedule = s.WSD(0.5, s.Fraction(1), warmup_steps=s.Epochs(1), decay_steps=s.Fraction(0.5))
    model = made(keras.optimizers.SGD(schedule, gradient_accumulation_steps=2))
    horizon = Horizon()
    model.fit(X, X, batch_size=1, epochs=4, verbose=0, callbacks=[horizon])
    assert horizon.messages == []
    assert horizon.total_steps == 8
    resolved = s.WSD(0.5, 8, warmup_steps=2, decay_steps=4)
    assert model.optimizer._learning_rate == resolved
    assert model.get_weights()[0][0, 0] == pytest.approx(resolved.values(range(8)).sum(), rel=1e-5)


def test_the_horizon_resolves_steerables_and_scheduled_momentum():
    steered = s.steerable(s.Linear(0.5, s.Fraction(1)))
    optimizer = optimizers.Scheduled(
        keras.optimizers.SGD(steered, momentum=0.9), momentum=s.Linear(0.9, s.Epochs(2), 0.5)
    )
    model = made(optimizer)
    model.fit(X, X, batch_size=1, epochs=2, verbose=0, callbacks=[Horizon()])
    assert optimizer.hyperparameters(8) == {"momentum": 0.5}
    assert float(keras.ops.convert_to_numpy(optimizer.learning_rate)) == 0


@pytest.mark.parametrize(
    ("schedule", "says"),
    [
        (s.Cosine(0.1, 4), "ends at step 4 of 8: the last 50% of the run trains at the rate 0"),
        (s.WarmUp(0.1, 100), "warm-up takes 100 steps and the run has 8"),
        (s.Cosine(0.1, 80), "ends at step 80 and the run at 8"),
    ],
)
def test_a_schedule_that_does_not_fit_the_run_is_reported(schedule, says):
    model = made(keras.optimizers.SGD(schedule))
    with pytest.warns(UserWarning, match=says):
        model.fit(X, X, batch_size=1, epochs=2, verbose=0, callbacks=[Horizon()])


@pytest.mark.parametrize("first", [True, False])
def test_single_steps_beside_a_guard_are_refused_rather_than_recorded_wrongly(first):
    guard, record = Guard([0.5, 0.25], probation=False), RecordLearningRate(every_step=True)
    with pytest.raises(ValueError, match=r"every_step=True\) cannot see .* beside a Guard"):
        made(keras.optimizers.SGD(0.1)).fit(X, X, verbose=0, callbacks=[record, guard][:: 1 if first else -1])
    recorded = made(keras.optimizers.SGD(0.1)).fit(
        X, X, batch_size=2, verbose=0, callbacks=[guard, RecordLearningRate()]
    )
    assert recorded.history["learning_rate"] == [0.25]


@pytest.mark.parametrize("first", [True, False])
def test_single_steps_are_recorded_beside_a_monitor_which_sets_no_rate(first):
    record = RecordLearningRate(every_step=True)
    made(keras.optimizers.SGD(s.Linear(1.0, 8))).fit(
        X, X, batch_size=1, epochs=2, verbose=0, callbacks=[record, Monitor(every=1)][:: 1 if first else -1]
    )
    np.testing.assert_allclose(record.steps["learning_rate"], np.linspace(1.0, 0.0, 9)[:8])


def test_single_steps_beside_a_monitor_around_a_guard_are_refused():
    callbacks = [Guard(0.1), Monitor(every=1), RecordLearningRate(every_step=True)]
    with pytest.raises(ValueError, match="beside a Guard"):
        made(keras.optimizers.SGD(0.1)).fit(X, X, verbose=0, callbacks=callbacks)


def test_a_schedule_that_fits_is_not_reported():
    model = made(keras.optimizers.SGD(s.Cosine(0.1, 8)))
    horizon = Horizon()
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # the category of ours; Keras' own deprecations are not asked about
        model.fit(X, X, batch_size=1, epochs=2, verbose=0, callbacks=[horizon])
    assert horizon.total_steps == 8
    assert horizon.messages == []


def test_the_horizon_counts_the_steps_of_the_fits_before():
    model, horizon = made(keras.optimizers.SGD(0.1)), Horizon()
    for epochs, total_steps in ((1, 4), (2, 8), (2, 16)):  # a run, its resumption, and as many epochs again
        first = 1 if total_steps == 8 else 0
        model.fit(X, X, batch_size=1, epochs=epochs, initial_epoch=first, verbose=0, callbacks=[horizon])
        assert horizon.total_steps == total_steps


def test_the_horizon_forgets_the_length_of_the_fit_before():
    model, horizon = made(keras.optimizers.SGD(s.Cosine(0.1, 4))), Horizon()
    model.fit(X, X, batch_size=1, verbose=0, callbacks=[horizon])
    assert horizon.total_steps == 4
    horizon.set_params({"epochs": 1, "steps": None})  # as of a generator
    horizon.on_train_begin()
    assert horizon.total_steps is None
    assert horizon.messages == []


def test_nobody_said_how_long_an_epoch_is():
    model = made(keras.optimizers.SGD(s.Cosine(0.1, s.Epochs(2))))
    before = model.get_weights()[0]
    with pytest.raises(ValueError, match="Horizon"):
        float(model.optimizer.learning_rate)
    np.testing.assert_array_equal(model.get_weights()[0], before)
    with pytest.raises(ValueError, match=r"Horizon.*with a Guard after it"):
        model.fit(X, X, verbose=0, callbacks=[Guard(), Horizon()])
    with pytest.raises(ValueError, match=r"Cosine.*Epochs.*pass steps_per_epoch"):
        model.fit(((X, X) for _ in range(4)), shuffle=False, verbose=0, callbacks=[Horizon()])
