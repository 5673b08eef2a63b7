"""The monitor changes nothing, sees what is there, and gives the step back."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_lr import callbacks
from keras_lr.diagnosis import Judgement

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(256, 6)).astype("float32")
Y = (X @ RANDOM.normal(size=(6, 1)) > 0).astype("float32")


def network(optimizer):
    keras.utils.set_random_seed(0)
    hidden = [layers.Dense(16, activation="relu"), layers.BatchNormalization(), layers.Dropout(0.3)]
    model = keras.Sequential([keras.Input((6,)), *hidden, layers.Dense(1, activation="sigmoid")])
    model.compile(optimizer=optimizer, loss="binary_crossentropy", metrics=["accuracy"])
    return model


def round_parabola(rate):
    """A loss with the same curvature, 2, in every direction."""
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1, use_bias=False)])
    model.compile(keras.optimizers.SGD(rate), loss=lambda y, p: 4 * keras.ops.mean((y - p) ** 2, axis=-1))
    x = np.eye(4, dtype="float32")
    return model, x, np.ones((4, 1), "float32")


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: keras.optimizers.Adam(0.01),
        lambda: keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 40), momentum=0.9),
        lambda: keras.optimizers.Adam(0.01, gradient_accumulation_steps=2),
    ],
    ids=["Adam", "schedule", "accumulation"],
)
def test_training_is_bit_for_bit_the_same(optimizer):
    runs = []
    for watching in (False, True):
        model = network(optimizer())
        monitor = callbacks.Monitor(every=3)
        history = model.fit(X, Y, epochs=3, verbose=0, callbacks=[monitor] if watching else []).history
        runs.append((history["loss"], model.get_weights()))
    assert runs[0][0] == runs[1][0]
    for one, other in zip(runs[0][1], runs[1][1], strict=True):
        np.testing.assert_array_equal(one, other)
    assert np.all(np.isfinite(history["reach"]))
    assert np.all(np.array(history["update_to_weight"]) > 0)


def test_an_epoch_has_what_its_own_steps_showed():
    model, x, y = round_parabola(0.05)
    rates = keras.callbacks.LearningRateScheduler(lambda epoch: [0.05, 0.25][epoch])
    history = model.fit(x, y, epochs=2, verbose=0, callbacks=[rates, callbacks.Monitor(every=1)]).history
    np.testing.assert_allclose(history["reach"], [0.1, 0.5], rtol=1e-4)


def test_no_look_compiles_anything(backend):
    if backend == "torch":
        pytest.skip("PyTorch runs eagerly: there is no trace to count")
    counts = []
    for looks in (1, 8):
        traces = []

        def loss(y, prediction, traces=traces):
            traces.append(1)
            return keras.ops.mean((y - prediction) ** 2, axis=-1)

        model = network("adam")
        model.compile("adam", loss=loss)
        model.fit(X, Y, verbose=0, callbacks=[callbacks.Monitor(every=8 // looks)])
        counts.append(len(traces))
    assert counts[0] == counts[1]


def test_the_model_keeps_its_step():
    model = network("adam")
    model.fit(X, Y, verbose=0)
    function = model.train_function
    model.fit(X, Y, verbose=0, callbacks=[callbacks.Monitor(every=2)])
    assert model.train_function is function


def test_an_interrupted_training_leaves_the_step_to_be_found():
    class Interrupt(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise KeyboardInterrupt

    model = network("adam")
    model.fit(X, Y, verbose=0)
    function = model.train_function
    monitor = callbacks.Monitor(every=2)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            model.fit(X, Y, verbose=0, callbacks=[monitor, Interrupt()])
        assert len(monitor.diagnosis().at) == 4
    model.fit(X, Y, verbose=0, callbacks=[callbacks.Guard()])
    assert model.train_function is function


@pytest.mark.parametrize(("rate", "reach"), [(0.01, 0.02), (0.25, 0.5), (0.75, 1.5)])
def test_on_a_round_parabola_the_reach_is_the_rate_times_the_curvature(rate, reach):
    model, x, y = round_parabola(rate)
    monitor = callbacks.Monitor(every=1)
    history = model.fit(x, y, batch_size=4, epochs=3, verbose=0, callbacks=[monitor]).history
    assert history["reach"] == pytest.approx([reach] * 3, rel=1e-3)
    assert monitor.diagnosis().at.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("rate", "judgement"), [(0.01, Judgement.TOO_LOW), (0.25, Judgement.UNDECIDED), (0.75, Judgement.TOO_HIGH)]
)
def test_a_finished_run_is_judged(rate, judgement):
    model, x, y = round_parabola(rate)
    monitor = callbacks.Monitor(every=1)
    model.fit(x, y, batch_size=4, epochs=8, verbose=0, callbacks=[monitor])
    assert monitor.diagnosis().judgement is judgement


def test_an_epoch_without_a_look_has_no_number():
    monitor = callbacks.Monitor(every=12)
    history = network("adam").fit(X, Y, epochs=3, verbose=0, callbacks=[monitor]).history  # 8 updates an epoch
    assert np.isnan(history["reach"]).tolist() == [True, False, False]
    assert monitor.diagnosis().at.tolist() == [11, 23]


@pytest.mark.parametrize("wrapped", [lambda inner: inner, keras.optimizers.LossScaleOptimizer])
def test_each_update_is_seen_where_gradients_are_accumulated(wrapped):
    monitor = callbacks.Monitor(every=2)
    model = network(wrapped(keras.optimizers.SGD(0.01, gradient_accumulation_steps=2)))
    model.fit(X, Y, epochs=1, verbose=0, callbacks=[monitor])  # 8 batches, 4 updates
    assert monitor.diagnosis().at.tolist() == [3, 7]
    assert np.all(monitor.diagnosis().steps.length > 0)


def test_an_update_that_an_earlier_fit_began_is_seen_at_its_last_batch():
    monitor = callbacks.Monitor(every=1)
    model = network(keras.optimizers.SGD(0.01, gradient_accumulation_steps=3))
    for at in ([2, 5], [0, 3, 6], [1, 4, 7]):  # 8 batches, and the accumulation goes on in the next fit
        model.fit(X, Y, verbose=0, callbacks=[monitor])
        assert monitor.diagnosis().at.tolist() == at
        assert np.all(monitor.diagnosis().steps.length > 0)


@pytest.mark.parametrize("first", [True, False])
def test_beside_a_guard_updates_are_seen_after_a_return_between_two_of_them(first):
    x = X.copy()
    x[64 + 5] = np.nan  # once an epoch, in the third batch
    monitor, guard = callbacks.Monitor(every=1), callbacks.Guard(probation=False, window_steps=5)
    model = network(keras.optimizers.SGD(0.01, gradient_accumulation_steps=2))
    model.compile(model.optimizer, loss="mse")
    pair = [monitor, guard] if first else [guard, monitor]
    model.fit(x, Y, epochs=6, shuffle=False, verbose=0, callbacks=pair)
    assert guard.events
    assert np.all(monitor.diagnosis().steps.length != 0)
    assert {at % 2 for at in monitor.diagnosis().at.tolist()} == {0, 1}


@pytest.mark.parametrize("guarded", [False, True])
def test_a_row_of_nan_is_not_laid_to_the_rate(guarded):
    x = X.copy()
    x[64 + 5] = np.nan
    monitor, guard = callbacks.Monitor(every=1), callbacks.Guard(probation=False, window_steps=5)
    model, both = network(keras.optimizers.SGD(1e-6)), [monitor, guard]
    model.compile(model.optimizer, loss="mse")
    model.fit(x, Y, epochs=6, shuffle=False, verbose=0, callbacks=both if guarded else [monitor])
    verdict = monitor.diagnosis().verdict
    assert verdict.judgement is Judgement.UNDECIDED
    assert "NaN and infinity in the data" in verdict.reason


def test_a_rate_at_which_the_loss_grows_until_it_is_not_finite_is_too_high():
    model, x, y = round_parabola(40.0)
    monitor = callbacks.Monitor(every=1)
    model.fit(x, y, batch_size=4, epochs=40, verbose=0, callbacks=[monitor])
    assert monitor.diagnosis().diverged
    assert monitor.diagnosis().judgement is Judgement.TOO_HIGH


@pytest.mark.parametrize(("rate", "judgement"), [(40.0, Judgement.TOO_HIGH), (0.25, Judgement.UNDECIDED)])
def test_a_run_that_is_lost_before_the_second_look_is_judged_by_its_first_step(rate, judgement):
    model, x, y = round_parabola(rate)
    monitor = callbacks.Monitor(every=38)
    model.fit(x, y, batch_size=4, epochs=40, verbose=0, callbacks=[monitor])
    assert monitor.diagnosis().at.tolist() in ([], [37])
    assert monitor.diagnosis().judgement is judgement


def test_the_first_step_that_is_judged_is_that_of_the_run():
    rates = keras.optimizers.schedules.PiecewiseConstantDecay([3], [0.25, 40.0])
    model, x, y = round_parabola(rates)
    monitor = callbacks.Monitor(every=5)
    model.fit(x, y, batch_size=4, epochs=5, verbose=0, callbacks=[monitor])
    assert monitor.diagnosis().steps.loss_after[-1] > 2 * monitor.diagnosis().steps.loss[-1]
    assert monitor.diagnosis().judgement is Judgement.UNDECIDED


def test_the_first_step_is_the_first_update_where_gradients_are_accumulated():
    model, x, y = round_parabola(40.0)
    optimizer = keras.optimizers.SGD(40.0, gradient_accumulation_steps=2)
    model.compile(optimizer, loss=lambda y, p: 4 * keras.ops.mean((y - p) ** 2, axis=-1))
    monitor = callbacks.Monitor(every=50)
    model.fit(x, y, batch_size=4, epochs=4, verbose=0, callbacks=[monitor])
    assert monitor.diagnosis().judgement is Judgement.TOO_HIGH


@pytest.mark.parametrize("first", [True, False])
def test_beside_a_guard_no_step_is_seen_that_was_undone(first):
    monitor, guard = callbacks.Monitor(every=1), callbacks.Guard(probation=False)
    model = network(keras.optimizers.SGD(1e6))
    pair = [monitor, guard] if first else [guard, monitor]
    model.fit(X, Y, epochs=6, verbose=0, callbacks=pair)
    assert guard.events
    assert len(monitor.diagnosis().at) < 48
    assert np.all(np.isfinite(model.get_weights()[0]))


def test_a_second_fit_is_another_run():
    model, monitor = network("adam"), callbacks.Monitor(every=4)
    for _ in range(2):
        model.fit(X, Y, epochs=1, verbose=0, callbacks=[monitor])
        assert monitor.diagnosis().at.tolist() == [3, 7]


def test_what_cannot_be_looked_at_is_refused():
    with pytest.raises(ValueError, match=r"^Monitor takes a whole number of at least 1 as every. Received: every=0"):
        callbacks.Monitor(every=0)
    model = network("adam")
    model.compile("adam", loss="binary_crossentropy", steps_per_execution=4)
    with pytest.raises(ValueError, match="steps_per_execution=4"):
        model.fit(X, Y, verbose=0, callbacks=[callbacks.Monitor()])
