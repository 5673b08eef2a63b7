"""The guard saves a training from a rate that is too high, from bad batches, and never touches a healthy one."""

import gc
import re
import weakref

import keras
import numpy as np
import pytest
from keras import layers
from sklearn.datasets import load_digits

import keras_lr
from keras_lr._backends.shuffled_arrays import shuffled_arrays
from keras_lr._backends.steps_interface import loss_of
from keras_lr.callbacks._batch_losses import BatchLosses
from keras_lr.callbacks._divergence import LossWatch, Trouble
from keras_lr.callbacks._guard import Guarding
from keras_lr.callbacks._guarded_run import GuardedRun, _Copy
from keras_lr.callbacks._loss_window import LossWindow
from keras_lr.callbacks._plan import own_plan, rates_at
from keras_lr.callbacks._probation import Probation, ends_lower
from keras_lr.callbacks._rate_in_hand import RateInHand
from keras_lr.callbacks._velocity import velocity
from keras_lr.training._dead_network import Life, life_of

IMAGES, LABELS = (load_digits().data / 16).astype("float32"), load_digits().target
X, Y = IMAGES[:800], LABELS[:800]


def a_model(optimizer):
    model = keras.Sequential([keras.Input((64,)), layers.Dense(32, activation="relu"), layers.Dense(10)])
    model.compile(optimizer=optimizer, loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def final_loss(model, rate, seed, guarded=False):
    """Train from new weights for 24 epochs, each in another order; return the held-out loss and the guard."""
    keras.utils.set_random_seed(seed)
    model.set_weights(keras.models.clone_model(model).get_weights())
    for variable in model.optimizer.variables:
        variable.assign(np.zeros(variable.shape))
    model.optimizer.learning_rate = rate
    guard = keras_lr.callbacks.Guard()
    # Of plain arrays Keras on TensorFlow repeats one order in every epoch once a seed is set.
    shuffled = shuffled_arrays(X, Y, None, class_weight=None, batch_size=32)
    data = (X, Y) if shuffled is None else (shuffled,)
    model.fit(*data, batch_size=32, epochs=24, verbose=0, callbacks=[guard] if guarded else [])
    return model.evaluate(IMAGES[800:], LABELS[800:], verbose=0, batch_size=997), guard


@pytest.mark.parametrize(
    ("optimizer", "good"),
    [(keras.optimizers.SGD(momentum=0.9), 0.1), (keras.optimizers.Adam(), 0.003)],
    ids=["momentum", "Adam"],
)
def test_a_rate_far_too_high_ends_near_the_good_loss(optimizer, good, backend):
    seeds = (0, 1, 2) if backend == "jax" else (0,)  # where steps are quick
    model = a_model(optimizer)
    best = np.array([final_loss(model, good, seed)[0] for seed in seeds])
    for factor in (10.0, 100.0):
        runs = [final_loss(model, factor * good, seed, guarded=True) for seed in seeds]
        assert np.median([loss for loss, _ in runs] / best) < 1.2
    # Ten times too high need not diverge; a hundred times does, and is seen.
    assert all(guard.factor <= 0.1 and guard.events for _, guard in runs)


class LossOfTheBatch(keras.metrics.Metric):
    def __init__(self):
        super().__init__(name="of_the_batch")
        self.last = self.add_variable((), "zeros", name="last")

    def update_state(self, y, y_pred, sample_weight=None):
        losses = keras.losses.sparse_categorical_crossentropy(y, y_pred, from_logits=True)
        self.last.assign(keras.ops.mean(losses))

    def result(self):
        return self.last + 0.0  # a value of its own, which the next assignment leaves alone


class ReportsAMean(keras.Sequential):
    def train_step(self, *arguments):
        return super().train_step(*arguments)


class ReportsTheBatch(keras.Sequential):
    def train_step(self, *arguments):
        done = super().train_step(*arguments)
        logs = done[0] if isinstance(done, tuple) else done
        logs = {"loss": logs["of_the_batch"]}
        return (logs, done[1]) if isinstance(done, tuple) else logs


@pytest.mark.parametrize("bad_rows", [slice(0), slice(40, 41)], ids=["whole", "NaN in the second batch"])
def test_a_step_of_ones_own_may_report_a_mean_or_the_loss_of_the_batch(bad_rows, monkeypatch):
    monkeypatch.setattr("keras_lr.callbacks._guarded_run.MOST_CHECKS", 0)  # which only Keras' own step makes
    seen, x = [], X.copy()
    x[bad_rows] = np.nan
    for kind in (keras.Sequential, ReportsAMean, ReportsTheBatch):
        keras.utils.set_random_seed(0)
        model = kind([keras.Input((64,)), *a_model("adam").layers])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(1.0), loss, metrics=[LossOfTheBatch()])
        guard = keras_lr.callbacks.Guard()
        model.fit(x, Y, epochs=8, shuffle=False, verbose=0, callbacks=[guard])
        seen.append([(event.step, event.text, event.factor) for event in guard.events])
    assert seen[0]
    assert seen[0] == seen[1] == seen[2]


@pytest.mark.above_backends
def test_epochs_that_were_done_before_do_not_lengthen_the_windows():
    seen = []
    for before in (0, 18):
        keras.utils.set_random_seed(0)
        model = a_model(keras.optimizers.Adam(0.003))
        guard = keras_lr.callbacks.Guard()
        arguments = {"initial_epoch": before, "epochs": before + 4, "shuffle": False, "verbose": 0}
        model.fit(X, Y, batch_size=32, callbacks=[guard], **arguments)
        seen.append([guard.factor, len(guard.events), *map(np.array, model.get_weights())])
    for one, other in zip(*seen, strict=True):
        np.testing.assert_array_equal(one, other)


def a_deep_model(optimizer, *more):
    hidden = [layers.Dense(64, activation="relu"), layers.Dense(64, activation="relu")]
    model = keras.Sequential([keras.Input((64,)), *hidden, *more, layers.Dense(10)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, metrics=["accuracy"])
    return model


@pytest.mark.parametrize("looks", [True, False])
def test_a_network_that_dies_at_once_comes_back_at_a_lower_rate(looks, monkeypatch):
    if not looks:
        monkeypatch.setattr("keras_lr.callbacks._guarded_run.life_of", lambda steps, before: Life.ALIVE)
    guard = GuardedRun(50.0, window_steps=16, probation=False)
    x, y = IMAGES[:1280], LABELS[:1280]
    model = a_deep_model("sgd")
    model.fit(x, y, epochs=8, verbose=0, callbacks=[Guarding(guard)])
    assert any("answers every input alike" in event.text for event in guard.events) is looks
    loss, _ = model.evaluate(x, y, verbose=0)
    assert (loss < 2.0) is looks  # an answer that is always the same has 2.3


def test_looks_whether_a_network_has_died_leave_no_trace(monkeypatch):
    def trained(judge, look):
        keras.utils.set_random_seed(0)
        monkeypatch.setattr(LossWatch, "judge", judge)
        monkeypatch.setattr("keras_lr.callbacks._guarded_run.life_of", look)
        model = a_deep_model(keras.optimizers.Adam(0.003), layers.BatchNormalization(), layers.Dropout(0.2))
        guard = GuardedRun(0.003, window_steps=10, probation=False)
        history = model.fit(X, Y, epochs=3, verbose=0, callbacks=[Guarding(guard)]).history
        return history, [keras.ops.convert_to_numpy(v) for v in [*model.variables, *model.optimizer.variables]]

    def stalled(self, losses, finite):
        trouble = judge(self, losses, finite)
        self.gained = False
        return trouble

    def looked(steps, before):
        answers.append(life_of(steps, before))
        return answers[-1]

    judge, answers = LossWatch.judge, []
    (history, values), (other_history, other_values) = trained(judge, lambda *_: Life.ALIVE), trained(stalled, looked)
    assert answers == [Life.ALIVE] * 5  # of seven windows the first has no batch yet, and one in two is the most
    assert history == other_history
    for one, other in zip(values, other_values, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_step_of_ones_own_which_may_train_more_than_the_model_is_not_made_to_look(monkeypatch):
    monkeypatch.setattr(LossWatch, "judge", lambda self, losses, finite=True: setattr(self, "gained", False))
    monkeypatch.setattr("keras_lr.callbacks._guarded_run.life_of", lambda *_: pytest.fail("it looked"))
    model = ReportsAMean([keras.Input((64,)), *a_model("adam").layers])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(X, Y, epochs=2, verbose=0, callbacks=[Guarding(GuardedRun(0.003, window_steps=5, probation=False))])


def test_a_network_that_may_have_died_is_compared_with_what_was_there_before(monkeypatch):
    monkeypatch.setattr(LossWatch, "judge", lambda self, losses, finite=True: setattr(self, "gained", False))
    monkeypatch.setattr("keras_lr.callbacks._guarded_run.ends_lower", lambda losses, than: False)
    seen = []

    def saying(life):
        def look(steps, before):
            seen.append((steps.kept_batch is not None, guard._good.step))
            return life

        return look

    for life in (Life.ALIVE, Life.DOUBTFUL):
        monkeypatch.setattr("keras_lr.callbacks._guarded_run.life_of", saying(life))
        guard = GuardedRun(0.003, window_steps=5)
        a_model("adam").fit(X, Y, epochs=2, verbose=0, callbacks=[Guarding(guard)])
    assert seen[0] == seen[2] == (True, 0)  # and not the end of the trial at the start, in which it may have died
    assert seen[1][1] > seen[3][1] == 0  # what hardly tells rows apart is not worth going back to


def test_a_window_gains_where_its_median_is_lower_than_all_before_for_certain():
    noise = 0.1 * np.random.default_rng(0).normal(size=(4, 20))
    watch, gained = LossWatch(), []
    for level, scatter in zip((2.0, 1.8, 1.8, 1.75), noise, strict=True):
        assert watch.judge(level + scatter) is None
        gained.append(watch.gained)
    assert gained[1:] == [True, False, False]


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="only PyTorch hands a graph over")
def test_no_graph_is_kept_with_the_losses():
    weight = keras.Variable(3.0)
    loss = weight.value * 2.0
    assert loss.requires_grad
    reported = loss_of({"loss": loss})
    assert not reported.requires_grad
    assert float(reported) == 6.0
    assert loss_of({"loss": 1.5}) == 1.5


def test_the_rate_can_be_read_before_the_first_step():
    model = a_model(keras.optimizers.Adam(keras_lr.schedules.Linear(0.01, 100)))
    read = []

    class Reader(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            read.append(float(self.model.optimizer.learning_rate))

    model.fit(X[:64], Y[:64], verbose=0, callbacks=[Reader(), keras_lr.callbacks.Guard(probation=False)])
    assert read[0] == pytest.approx(0.01)


def test_a_healthy_training_is_left_alone():
    losses = []
    for callbacks in ((), (keras_lr.callbacks.Guard(probation=False),)):
        keras.utils.set_random_seed(1)
        model = a_model(keras.optimizers.Adam(0.003))
        losses.append(model.fit(X, Y, epochs=3, verbose=0, callbacks=list(callbacks)).history["loss"])
    assert losses[0] == losses[1]


def test_no_copy_of_the_weights_lives_on_in_a_guard_or_the_history_of_the_model(monkeypatch):
    made = []
    for kind in (_Copy, Probation):

        def noted(self, *fields, init=kind.__init__):
            init(self, *fields)
            made.append(weakref.ref(self))

        monkeypatch.setattr(kind, "__init__", noted)
    model, guard = a_model("adam"), keras_lr.callbacks.Guard()
    history = model.fit(X, Y, epochs=2, verbose=0, callbacks=[guard])
    gc.collect()
    assert len(made) > 2
    assert not any(one() for one in made)
    assert set(history.params) == {"verbose", "epochs", "steps"}


def test_a_bad_batch_in_the_middle_is_stepped_over():
    x = X.copy()
    x[400:410] = np.nan
    guard = keras_lr.callbacks.Guard(probation=False)
    keras.utils.set_random_seed(1)
    model = a_model(keras.optimizers.Adam(0.003))
    model.fit(x, Y, batch_size=32, epochs=8, shuffle=False, verbose=0, callbacks=[guard])
    assert np.isfinite(model.evaluate(X, Y, verbose=0))
    assert model.evaluate(X, Y, verbose=0) < 1.0
    assert any("one batch is not finite" in event.text for event in guard.events)


def test_a_bad_batch_is_stepped_over_where_predictions_are_probabilities():  # of which PyTorch's loss raises at NaN
    x = np.random.default_rng(0).normal(size=(1024, 4)).astype("float32")
    y = (x.sum(1) > 0).astype("float32")
    x[77] = np.nan
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1, activation="sigmoid")])
    model.compile(keras.optimizers.Adam(0.05), "binary_crossentropy", metrics=["accuracy"])
    guard = keras_lr.callbacks.Guard(probation=False)
    model.fit(x, y, epochs=4, verbose=0, callbacks=[guard])
    assert any("one batch is not finite" in event.text for event in guard.events)
    sound = np.delete(np.arange(1024), 77)
    assert model.evaluate(x[sound], y[sound], verbose=0)[1] > 0.8


def test_an_epoch_that_ends_with_a_return_reports_no_loss_rather_than_zero():
    x = X[:320].copy()
    x[-1, 0] = np.nan  # the last batch of every epoch
    model = a_model(keras.optimizers.Adam(0.003))
    guard = keras_lr.callbacks.Guard(probation=False)
    logs = model.fit(x, Y[:320], epochs=3, shuffle=False, verbose=0, callbacks=[guard], validation_data=(X, Y)).history
    losses = np.array(logs["loss"])
    assert guard.events
    assert np.any(np.isnan(losses))  # TensorFlow's ReLU makes the first bad batch look like a good one
    assert np.all(np.isnan(losses) | (losses > 0.5))
    assert np.all(np.isfinite(logs["val_loss"] + logs["learning_rate"]))


def test_losses_that_are_never_finite_leave_the_weights_as_they_were():
    model = a_model(keras.optimizers.Adam(0.003))
    before = [w.copy() for w in model.get_weights()]
    model.fit(np.full_like(X, np.nan), Y, epochs=2, verbose=0, callbacks=[keras_lr.callbacks.Guard()])
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def hiding(x):
    """What TensorFlow's fused ReLU is: 0 of NaN."""
    return keras.ops.where(x > 0, x, 0.0)


@pytest.mark.parametrize("epochs", [4, 8])
def test_a_bad_batch_in_its_first_window_is_not_held_against_a_rate(epochs):
    x, guard = X.copy(), keras_lr.callbacks.Guard()
    x[40] = np.nan
    a_model(keras.optimizers.Adam(0.003)).fit(x, Y, epochs=epochs, shuffle=False, verbose=0, callbacks=[guard])
    assert guard.factor > 0.2, guard.events  # a tenth is what a trial that was lost leaves


def test_a_bad_batch_in_its_first_window_that_an_activation_hides_is_not_held_against_a_rate_either():
    x, guard = X.copy(), keras_lr.callbacks.Guard()
    x[40] = np.nan
    model = keras.Sequential([keras.Input(X.shape[1:]), layers.Flatten(), layers.Dense(32, hiding), layers.Dense(10)])
    model.compile(keras.optimizers.Adam(0.003), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(x, Y, epochs=4, shuffle=False, verbose=0, callbacks=[guard])
    assert guard.factor > 0.2, guard.events


def test_no_rate_is_put_on_probation_while_bad_batches_keep_the_windows_short():
    x, run, seen = X.copy(), GuardedRun(0.01, window_steps=8), []
    x[:: 6 * 32] = np.nan  # every sixth batch
    look = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append((run.step, run._probation is None, run._window.length))
    )
    model = a_model(keras.optimizers.Adam(0.01))
    model.fit(x, Y, shuffle=False, epochs=4, verbose=0, callbacks=[Guarding(run), look])
    late = [(none, length) for step, none, length in seen if step >= 50]  # halfway
    assert any(length < 8 for _, length in late)
    assert all(none for none, length in late if length < 8)


def test_bad_batches_one_soon_after_another_do_not_lower_a_rate_at_which_the_loss_has_come_down():
    x, guard = X.copy(), keras_lr.callbacks.Guard(probation=False)
    x[[32 * row for row in (9, 13, 15, 17)]] = np.nan  # four returns without a whole window in between
    a_model(keras.optimizers.Adam(0.01)).fit(x, Y, epochs=1, shuffle=False, verbose=0, callbacks=[guard])
    assert [event.factor for event in guard.events] == [1.0] * len(guard.events)
    assert len(guard.events) > 2


@pytest.mark.parametrize("activation", ["relu", hiding])
@pytest.mark.parametrize("probation", [False, True])
def test_of_rows_that_are_not_finite_a_training_learns_little_less(probation, activation):
    random = np.random.default_rng(0)
    x = random.normal(size=(1280, 8)).astype("float32")
    y, spoilt = np.argmax(x[:, :4], 1), x.copy()
    spoilt[random.choice(1280, 2, replace=False)] = np.nan  # two batches of forty, others in every epoch
    model = keras.Sequential([keras.Input((8,)), layers.Dense(32, activation=activation), layers.Dense(4)])
    model.compile(keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    guard = keras_lr.callbacks.Guard(probation=probation)
    model.fit(spoilt, y, epochs=6, verbose=0, callbacks=[guard])
    assert model.evaluate(x, y, verbose=0) < 0.3  # 0.13 to 0.16 without these rows
    assert guard.factor == 1.0


def test_weights_that_are_not_finite_behind_finite_losses_tell_a_bad_batch_from_divergence():
    watch = LossWatch()
    assert watch.judge(np.full(20, 2.3), False) is Trouble.BAD_BATCH  # from the first window nothing else is known
    assert [watch.judge(losses) for losses in windows(2.3, 1.5, 0.5)] == [None] * 3
    constant = np.concatenate([windows(0.5)[0][:8], windows(2.3)[0][:12]])
    exploded = np.concatenate([windows(0.5)[0][:6], [3.0, 40.0], windows(2.3)[0][:12]])
    assert watch.judge(constant, False) is Trouble.BAD_BATCH
    assert watch.judge(exploded, False) is Trouble.NOT_FINITE


@pytest.mark.parametrize(("probation", "lengths"), [(False, {16: 8, 24: 9}), (True, {16: 8, 24: 8})])
def test_windows_are_short_after_a_bad_batch(probation, lengths):
    x, run, seen = X.copy(), GuardedRun(0.02, window_steps=16, probation=probation), {}
    x[40] = np.nan  # in the first window; while a rate is on probation, no other is judged
    look = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.update({run.step: run._window.length})
    )
    model = a_model(keras.optimizers.Adam(0.02))
    model.fit(x, Y, shuffle=False, epochs=2, verbose=0, callbacks=[Guarding(run), look])
    assert {step: seen[step] for step in lengths} == lengths


def test_a_window_is_halved_by_a_bad_batch_and_grows_again_by_one_with_each_good_one():
    window = LossWindow(20)
    lengths = []
    for one_more in (window.shorten, window.shorten, window.shorten, window.lengthen, window.lengthen):
        one_more()
        lengths.append(window.length)
    assert lengths == [10, 5, 4, 5, 6]
    for _ in range(20):
        window.lengthen()
    assert window.length == 20


def test_a_loss_has_come_down_when_it_has_by_more_than_its_noise():
    noise = np.random.default_rng(0).normal(size=20)
    flat, fallen = LossWatch(), LossWatch()
    assert not flat.has_won
    assert flat.judge(5.0 + noise) is None
    assert not flat.has_won
    assert fallen.judge(np.linspace(25.0, 5.0, 20) + noise) is None
    assert fallen.has_won


def test_bad_batches_one_soon_after_another_lower_a_rate_at_which_nothing_was_won():
    x, guard = X.copy(), keras_lr.callbacks.Guard(probation=False)
    x[[32, 160, 288, 416]] = np.nan  # in each of the first four windows
    a_model(keras.optimizers.Adam(0.01)).fit(x, Y, epochs=1, shuffle=False, verbose=0, callbacks=[guard])
    assert [event.factor for event in guard.events[:4]] == [1.0, 1.0, 0.25, 0.25**2]
    run = GuardedRun(0.01, probation=False, trial_loss=1.0)  # where a trial has won something, it is not the rate
    a_model(keras.optimizers.Adam(0.01)).fit(x, Y, shuffle=False, verbose=0, callbacks=[Guarding(run)])
    assert [event.factor for event in run.events[:4]] == [1.0] * 4


def test_a_first_window_is_made_again_twice_and_where_there_is_room():
    broken, whole = np.array([1.0, np.nan]), np.ones(2)
    assert not Probation(10).begins_anew(broken, 11)
    probation = Probation(10)
    assert not probation.begins_anew(whole, 10)
    assert [probation.begins_anew(broken, 10) for _ in range(3)] == [True, True, False]
    assert not Probation(10, losses=whole).begins_anew(broken, 5)  # that is the window of the tenth


def test_the_last_steps_of_a_run_are_guarded_too():
    x = X.copy()
    x[-1] = np.nan
    model = a_model(keras.optimizers.Adam(0.003))
    model.fit(x, Y, epochs=1, shuffle=False, verbose=0, callbacks=[keras_lr.callbacks.Guard(probation=False)])
    assert all(np.all(np.isfinite(w)) for w in model.get_weights())


def test_weights_that_the_very_last_update_kills_behind_a_finite_loss_are_put_back():
    x = np.ones((40, 3), "float32")
    x[-4:] = 0.0  # the root of 0 is finite, its slope is not
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1, use_bias=False, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(0.01), loss=lambda y, prediction: keras.ops.sqrt(keras.ops.abs(prediction)))
    guard = keras_lr.callbacks.Guard(probation=False, window_steps=4)
    history = model.fit(x, x[:, :1], batch_size=4, shuffle=False, verbose=0, callbacks=[guard]).history
    assert np.isfinite(history["loss"][0])
    assert np.all(np.isfinite(model.get_weights()[0]))
    assert np.all(model.get_weights()[0] < 1.0)
    assert len(guard.events) == 1


@pytest.mark.parametrize(
    "rate",
    [
        keras.optimizers.schedules.ExponentialDecay(0.01, 10, 0.5),
        keras_lr.schedules.Exponential(0.01, 0.1),
    ],
    ids=["Keras' schedule", "our schedule"],
)
def test_a_compiled_schedule_is_followed_and_given_back(rate):
    guard = keras_lr.callbacks.Guard(probation=False)
    model = a_model(keras.optimizers.SGD(rate))
    history = model.fit(X, Y, batch_size=80, epochs=2, verbose=0, callbacks=[guard]).history
    assert model.optimizer._learning_rate is rate
    expected = [float(keras.ops.convert_to_numpy(rate(step))) for step in (9, 19)]
    np.testing.assert_allclose(history["learning_rate"], expected, rtol=1e-5)


@pytest.mark.parametrize("fixed", [None, 0.01])
def test_a_steerable_is_followed_as_it_stands_and_by_updates(fixed):
    steerable = keras_lr.schedules.Steerable(keras_lr.schedules.Linear(1.0, 10), multiplier=0.5, learning_rate=fixed)
    follow = own_plan(keras.optimizers.SGD(steerable, gradient_accumulation_steps=2))
    expected = np.linspace(0.5, 0.0, 11)[:10] if fixed is None else np.full(10, 0.005)
    np.testing.assert_allclose([follow(step) for step in range(20)], np.repeat(expected, 2), rtol=1e-6)


def test_a_schedule_of_keras_that_is_steerable_is_followed_by_batches_as_without():
    halving = keras.optimizers.schedules.ExponentialDecay(1.0, 1, 0.5)
    plain = keras.optimizers.SGD(halving, gradient_accumulation_steps=2)
    steered = keras.optimizers.SGD(keras_lr.schedules.steerable(halving), gradient_accumulation_steps=2)
    for follow in (own_plan(plain), own_plan(steered)):
        np.testing.assert_allclose([follow(step) for step in range(4)], [1.0, 0.5, 0.25, 0.125], rtol=1e-6)
    updates = np.arange(3)
    np.testing.assert_allclose(rates_at(steered, updates), rates_at(plain, updates), rtol=1e-6)


def test_the_plan_is_what_the_weights_follow():
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    model.compile(optimizer=keras.optimizers.SGD(123.0), loss=lambda y, prediction: prediction)
    ones = np.ones((6, 1), "float32")
    rates = [0.5, 0.25, 0.125, 0.0, 1.0, 2.0]
    guard = keras_lr.callbacks.Guard(rates, probation=False)
    seen = []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(float(self.model.get_weights()[0][0, 0]))

    model.fit(ones, ones, batch_size=1, shuffle=False, verbose=0, callbacks=[guard, Watch()])
    np.testing.assert_allclose(-np.diff([0.0, *seen]), rates, rtol=1e-6)
    assert float(model.optimizer.learning_rate) == 123.0


def test_steps_executed_together_share_the_rate_of_their_middle(backend):
    if backend == "torch":
        pytest.skip("Keras refuses steps_per_execution on the PyTorch backend")
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    model.compile(optimizer=keras.optimizers.SGD(1.0), loss=lambda y, prediction: prediction, steps_per_execution=3)
    ones = np.ones((6, 1), "float32")
    guard = keras_lr.callbacks.Guard([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], probation=False)
    model.fit(ones, ones, batch_size=1, shuffle=False, verbose=0, callbacks=[guard])
    assert float(model.get_weights()[0][0, 0]) == pytest.approx(-(3 * 2 + 3 * 5))


def test_an_epoch_that_ends_in_fewer_steps_than_are_executed_together_counts_its_own(backend):
    if backend == "torch":
        pytest.skip("Keras refuses steps_per_execution on the PyTorch backend")
    model = a_model(keras.optimizers.Adam(0.003))
    model.steps_per_execution = 4
    guard = keras_lr.callbacks.Guard(np.arange(1, 31) / 1e4, probation=False)
    logs = model.fit(X[:320], Y[:320], batch_size=32, epochs=3, verbose=0, callbacks=[guard]).history
    assert guard.step == 30
    # the middle of the last two steps of ten, as far as Keras says beforehand that there are four
    np.testing.assert_allclose(logs["learning_rate"], [10e-4, 20e-4, 30e-4])


def test_an_epoch_of_fewer_steps_than_are_executed_together_has_the_rate_of_its_own_middle(backend):
    if backend == "torch":
        pytest.skip("Keras refuses steps_per_execution on the PyTorch backend")
    model = a_model(keras.optimizers.Adam(0.003))
    model.steps_per_execution = 500
    guard = keras_lr.callbacks.Guard(np.arange(1, 22) / 1e4, probation=False)
    logs = model.fit(X[:224], Y[:224], batch_size=32, epochs=3, verbose=0, callbacks=[guard]).history
    assert guard.step == 21
    np.testing.assert_allclose(logs["learning_rate"], [4e-4, 11e-4, 18e-4], rtol=1e-6)


@pytest.mark.parametrize("rows", [40, 11], ids=["an epoch is completed", "the data end"])
@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_a_schedule_is_followed_where_keras_executes_more_steps_than_the_epoch_was_said_to_have(backend, rows):
    if backend == "torch":
        pytest.skip("Keras refuses steps_per_execution on the PyTorch backend")
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    rate = keras.optimizers.schedules.PolynomialDecay(36.0, 36, 0.0)
    model.compile(keras.optimizers.SGD(rate), loss=lambda y, prediction: prediction, steps_per_execution=4)
    x, guard = np.ones((rows, 1), "float32"), keras_lr.callbacks.Guard(probation=False)
    given = {"batch_size": 1, "steps_per_epoch": 10, "epochs": 3, "shuffle": False, "verbose": 0}
    logs = model.fit(x, x, callbacks=[guard], **given).history
    assert guard.step == int(keras.ops.convert_to_numpy(model.optimizer.iterations))
    third = guard.step // 3  # each epoch ends with an execution that was begun two steps before its tenth
    np.testing.assert_allclose(logs["learning_rate"], [36 - (third * epoch + 9) for epoch in range(3)], 1e-5)


def test_two_guards_in_one_fit_are_refused_and_one_in_the_next_is_not():
    model, guard = a_model(keras.optimizers.Adam(0.003)), keras_lr.callbacks.Guard()
    with pytest.raises(ValueError, match="Two guards in one fit"):
        model.fit(X, Y, verbose=0, callbacks=[keras_lr.callbacks.Guard(), guard])
    assert np.isfinite(model.fit(X, Y, verbose=0, callbacks=[guard]).history["loss"][0])


@pytest.mark.parametrize(
    ("rows", "epochs", "initial_epoch", "window", "tried"),
    [
        (128, 2, 0, 5, []),
        (128, 2, 0, 4, [4]),
        (18 * 32, 1, 0, 8, [8]),
        (128, 12, 0, 7, [7]),
        (128, 12, 0, 8, [8, 32]),
        (256, 5, 0, 8, [8, 32]),
        (128, 24, 12, 8, [8, 32]),
    ],
    ids=[
        "no room",
        "room for one",
        "no room halfway",
        "short windows",
        "twice",
        "twice, just",
        "twice from a later epoch",
    ],
)
def test_when_a_tenth_of_the_rate_is_tried(rows, epochs, initial_epoch, window, tried):
    model, guard, used = a_model(keras.optimizers.SGD(0.1)), keras_lr.callbacks.Guard(window_steps=window), []
    x, y = np.random.default_rng(0).normal(size=(rows, 64)).astype("float32"), np.zeros(rows, Y.dtype)

    class Uses(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            used.append(guard._run._rate)

    model.fit(x, y, epochs=epochs, initial_epoch=initial_epoch, verbose=0, callbacks=[guard, Uses()])
    assert [k for k in range(1, len(used)) if used[k] < 0.5 * used[k - 1]] == tried


def test_a_window_too_short_is_refused():
    with pytest.raises(
        ValueError, match=r"^Guard takes a whole number of at least 4 as window_steps. Received: window_steps=3"
    ):
        keras_lr.callbacks.Guard(window_steps=3)


A_CLASS = keras_lr.schedules.Cosine


@pytest.mark.parametrize("rates", [[], -1.0, [0.1, float("nan")], "fast", np.zeros((2, 2)), {"a": 1}, A_CLASS])
def test_what_is_no_plan_is_refused_before_a_step(rates):
    model = a_model("adam")
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"(?s)learning_rate=.* is no plan of rates: give a schedule"):
        model.fit(X, Y, verbose=0, callbacks=[keras_lr.callbacks.Guard(rates)])
    for one, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("rate", [-1.0, float("nan"), float("inf"), "a", "0.1", None, [0.1, 0.2]])
def test_what_a_plan_says_is_refused_where_it_is_no_rate(rate):
    model = a_model("adam")
    before = model.get_weights()
    with pytest.raises(ValueError, match=rf"^learning_rate is {re.escape(repr(rate))} at step 0: .* of at least 0\.$"):
        model.fit(X, Y, verbose=0, callbacks=[keras_lr.callbacks.Guard(lambda step: rate)])
    for one, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)
    rising = keras.optimizers.schedules.PolynomialDecay(0.1, 4, -0.1)
    for plan_of, says in ((rising, "learning_rate is -0"), (lambda step: 0.1 - 0.05 * step, "learning_rate is -0")):
        with pytest.raises(ValueError, match=rf"^{says}.* at step 3"):
            model.fit(X, Y, verbose=0, callbacks=[keras_lr.callbacks.Guard(plan_of, probation=False)])
        model.get_weights()
    model = a_model(keras.optimizers.SGD(lambda: -1.0))
    with pytest.raises(ValueError, match=r"^the optimizer's learning_rate is -1\.0 at step 0"):
        model.fit(X, Y, verbose=0, callbacks=[keras_lr.callbacks.Guard()])


def test_batch_losses_are_recovered_from_running_means():
    losses = np.random.default_rng(0).normal(size=20)
    collected = BatchLosses()
    found = []
    for epoch in (losses[:7], losses[7:]):
        collected.begin_mean()
        for k in range(len(epoch)):
            collected.add(np.mean(epoch[: k + 1]))
            if k % 3 == 1:
                found.extend(collected.read())
    found.extend(collected.read())
    np.testing.assert_allclose(found, losses, rtol=1e-9)


def test_batches_without_a_row_that_counts_have_a_loss_of_exactly_zero():
    losses = np.array([0.3, 0, 0, 0.07, 0, 0, 0, 0.9, 0, 0], np.float32)
    collected = BatchLosses()
    total, rounded = np.float32(0), 0
    for k, loss in enumerate(losses):
        total += loss
        mean = total / np.float32(k + 1)
        rounded += float(mean) * (k + 1) != float(total)
        collected.add(mean)
    found = collected.read()
    assert rounded  # else nothing would be tested
    np.testing.assert_array_equal(found == 0.0, losses == 0.0)
    np.testing.assert_allclose(found, losses, rtol=1e-5)


def test_a_few_rows_that_count_are_no_divergence():
    random = np.random.default_rng(0)
    for _ in range(50):
        watch = LossWatch()
        for _ in range(8):
            losses = np.where(random.random(6) < 0.25, random.uniform(0.05, 0.1, 6), 0.0)
            losses[0] *= watch.start is not None  # no row of the first batch counts
            assert watch.judge(losses) is None


def test_a_window_goes_on_with_its_losses_and_the_first_one_of_the_last():
    window, other = LossWindow(8), LossWindow(8)
    window.shorten()
    window.start_loss = 7.0
    window.add(3.0)
    other.go_on(window.state())
    assert other.start_loss == 7.0
    other.begin_mean()
    for mean in (2.0, 2.0):
        other.add(mean)
    assert not other.is_full()
    other.add(2.0)
    assert other.is_full()
    assert other.take().tolist() == [3.0, 2.0, 2.0, 2.0]
    assert not other.is_full()


class Setting:
    """Stands for the compiled step: it sets the variable of the rate."""

    def __init__(self, optimizer):
        self._optimizer = optimizer

    def set_learning_rate(self, rate):
        self._optimizer.learning_rate = rate


def test_a_rate_that_came_back_with_old_weights_is_not_taken_for_another_callbacks():
    optimizer = keras.optimizers.SGD(0.5)
    rate = RateInHand(optimizer, Setting(optimizer))
    assert rate.said_of_another() == ""
    rate.set(0.1)
    optimizer.learning_rate = 0.2  # with a copy of all values that is put back
    rate.forget()
    assert rate.said_of_another() == ""
    rate.begin_epoch()
    assert rate.said_of_another() == ""
    optimizer.learning_rate = 0.3
    assert "set the rate to 0.3," in rate.said_of_another()
    assert rate.said_of_another() == ""  # once is enough


@pytest.mark.parametrize(("length", "lower"), [(4, False), (20, False), (100, True)])
def test_a_tenth_of_the_rate_must_lie_further_below_where_few_losses_are_known(length, lower):
    losses = np.tile([0.0, 0.954], length // 2)  # noise 1 around 0.477
    error = np.sqrt(4 / length)  # of the difference of two halves
    assert ends_lower(losses, losses + 1.1 * error) is lower
    assert ends_lower(losses, losses + 2.1 * error)


def windows(*means, noise=0.1, seed=0):
    random = np.random.default_rng(seed)
    return [mean + noise * random.normal(size=20) for mean in means]


def test_growth_before_the_end_tells_divergence_from_a_bad_batch():
    calm, growing = windows(2.3, 1.5), np.array([1.5, 1.6, 4.0, 30.0, 1e4, np.inf, np.nan])
    watch = LossWatch()
    assert [watch.judge(losses) for losses in calm] == [None, None]
    assert watch.judge(growing) is Trouble.NOT_FINITE
    assert watch.judge(np.array([30.0, 1.5, 1.6, 1.5, np.nan])) is Trouble.BAD_BATCH  # one that was high is long gone


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
@pytest.mark.parametrize(
    ("means", "verdicts"),
    [
        ((2.3, 1.5, 1.0, 0.8, 0.7), [None] * 5),
        ((2.3, 2.3, 2.3, 2.3), [None] * 4),
        ((2.3, 1.5, 1.0, 40.0), [None, None, None, Trouble.EXPLODED]),
        ((2.3, 2.2, 2.3, 4.0), [None, None, None, Trouble.LOST]),
        ((2.5, 1.5, 0.5, 2.3), [None, None, None, Trouble.LOST]),
        ((-1.0, -2.0, -3.0, -3.5), [None] * 4),
        ((2.3, 1.5, np.nan), [None, None, Trouble.BAD_BATCH]),
    ],
    ids=["falls", "plateau", "explodes", "worse than untrained", "collapsed", "negative", "bad batch"],
)
def test_windows_of_losses_are_judged(means, verdicts, scale):
    watch = LossWatch()
    assert [watch.judge(scale * losses) for losses in windows(*means)] == verdicts


@pytest.mark.parametrize("start", [1.0, -4.0])
@pytest.mark.parametrize(("rise", "verdict"), [(2.4, None), (2.6, Trouble.EXPLODED)])
def test_before_anything_was_won_a_loss_explodes_by_two_and_a_half_times_its_size(start, rise, verdict):
    """As of weights that fit the data: the first steps of a new optimizer raise the loss a little."""
    watch = LossWatch()
    assert watch.judge(np.full(8, start)) is None
    assert watch.judge(np.full(8, start + rise * abs(start))) is verdict


@pytest.mark.parametrize(("level", "near"), [(2.1, True), (2.2, False)])
def test_what_the_noise_of_a_median_may_hide_is_worth_going_back_to(level, near):
    """On a plateau nothing else would be kept any more, and a return would go far back."""
    watch, noise = LossWatch(), np.tile([0.1, -0.1], 8)  # its median is known to 0.07
    for middle in (2.0, level):
        assert watch.judge(middle + noise) is None
    assert watch.near_best is near


def test_the_noise_is_that_of_the_last_two_hundred_steps():
    watch = LossWatch()
    for scale in [1.0] * 20 + [0.01] * 11:
        assert watch.judge(5.0 + scale * np.tile([1.0, -1.0], 10)) is None
    assert watch.noise == pytest.approx(0.02 / 0.954)


@pytest.mark.parametrize(("before", "verdict"), [(1.5, Trouble.BAD_BATCH), (2.5, Trouble.NOT_FINITE)])
def test_a_loss_grew_before_it_was_not_finite_where_all_that_was_won_is_lost_by_then(before, verdict):
    watch = LossWatch()
    for level in (2.3, 0.5):
        assert watch.judge(np.full(8, level)) is None
    assert watch.judge(np.array([0.5, before, np.nan])) is verdict


def test_a_trial_has_room_for_its_windows_where_several_steps_are_executed_together(backend):
    if backend == "torch":
        pytest.skip("Keras refuses steps_per_execution on the PyTorch backend")
    model, run, rates = a_model("adam"), GuardedRun(0.001, window_steps=8), []
    model.steps_per_execution = 2
    note = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: rates.append(run._rate))
    model.fit(X[:448], Y[:448], verbose=0, callbacks=[Guarding(run), note])  # 14 steps, and two windows need 16
    assert sorted(rates) == rates


@pytest.mark.parametrize(
    ("optimizer", "stops"),
    [
        (lambda: keras.optimizers.SGD(0.01, momentum=0.9), True),
        (lambda: keras.optimizers.RMSprop(0.01, momentum=0.9), True),
        (lambda: keras.optimizers.Adam(0.01), False),
    ],
    ids=["SGD", "RMSprop", "Adam"],
)
def test_the_velocity_that_holds_a_rate_can_be_stopped(optimizer, stops):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(optimizer(), "mse")
    x = np.ones((8, 2), "float32")
    model.fit(x, x[:, :1], verbose=0)

    class Stop(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            guard._run._steps.zero(velocity(model.optimizer))

    def moves(callbacks):
        before = model.get_weights()
        model.fit(x, x[:, :1], verbose=0, callbacks=callbacks)
        return any(np.any(new != old) for new, old in zip(model.get_weights(), before, strict=True))

    guard = keras_lr.callbacks.Guard(0.0, probation=False)
    assert moves([guard]) == stops  # at a rate of zero, only a velocity moves the weights
    assert not moves([guard, Stop()])


def test_weights_from_before_a_gain_need_not_have_it_at_once():
    watch = LossWatch()
    for level in (2.0, 1.9, 1.0):
        assert watch.judge(np.full(10, level)) is None
    assert watch.judge(np.full(10, 1.4)) is None  # lost a third of what was won: no trouble, but not to be gone back to
    assert not watch.near_best
    assert watch.judge(np.full(10, 1.9)) is Trouble.LOST
    watch.best = 1.9
    assert watch.judge(np.full(10, 1.8)) is None
    assert watch.near_best


@pytest.mark.parametrize(("expected", "after", "noticed_at"), [(np.inf, 0, []), (0.5, 0, [12]), (0.5, 17, [24])])
def test_a_training_that_never_wins_what_a_trial_did_is_noticed(expected, after, noticed_at):
    model = a_model("sgd")
    trial = {"trial_loss": expected, "trial_steps": after}
    guard = GuardedRun(lambda step: 0.0, probation=False, window_steps=4, **trial)
    random = np.random.default_rng(0)  # the same losses on every backend
    model.set_weights([0.15 * random.normal(size=w.shape) for w in model.get_weights()])
    model.fit(X, Y, shuffle=False, batch_size=32, verbose=0, callbacks=[Guarding(guard)])
    # Once: at the lower rate the training need not win as much as soon, or it would be lowered window by window.
    assert [event.step for event in guard.events] == noticed_at
    assert all("a trial before it" in event.text for event in guard.events)


def test_a_return_goes_to_weights_from_before_the_trouble_and_stops_the_velocity(monkeypatch):
    # Windows of four steps: two good ones, one that begins to fall behind, one that has lost.
    script = iter([(None, True, 3.0), (None, True, 2.0), (None, False, 2.0), (Trouble.LOST, False, 2.0)])

    def judge(watch, losses, weights_are_finite):
        trouble, watch.near_best, watch.best = next(script)
        return trouble

    monkeypatch.setattr(LossWatch, "judge", judge)
    model = a_model(keras.optimizers.SGD(0.01, momentum=0.9))
    guard = keras_lr.callbacks.Guard(probation=False, window_steps=4)
    model.fit(X[:512], Y[:512], batch_size=32, verbose=0, callbacks=[guard])
    assert [event.step for event in guard.events] == [16]
    assert "back to the weights of step 4;" in guard.events[0].text
    assert guard._run._watch.best == 3.0  # as it was known at step 4
    for v in velocity(model.optimizer):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(v), 0.0)


def judged_as(monkeypatch, *troubles, gained=True, near_best=True):
    """Let windows be judged by a script, whose last word holds."""
    script = iter(troubles)

    def judge(watch, losses, weights_are_finite=True):
        judged.append(losses)
        watch.gained, watch.near_best = gained, near_best
        watch.said = next(script, getattr(watch, "said", None))
        return watch.said

    judged = []
    monkeypatch.setattr(LossWatch, "judge", judge)
    return judged


def guarded(run, x=X, batch_size=8, **arguments):
    """Train under guard; return the rate of every step."""
    rates = []
    note = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: rates.append(run._rate))
    callbacks = [Guarding(run), note]
    a_model("adam").fit(
        x, Y[: len(x)], batch_size=batch_size, shuffle=False, verbose=0, callbacks=callbacks, **arguments
    )
    return rates


def test_a_training_that_no_return_helps_is_stopped(monkeypatch):
    judged_as(monkeypatch, Trouble.EXPLODED)
    run = GuardedRun(0.001, window_steps=4, probation=False)
    guarded(run, epochs=2)
    assert [event.step for event in run.events[:13]] == [*range(4, 52, 4), 48]
    assert "stopped at the weights of step 0: 12 returns did not help" in run.events[12].text


def test_a_loss_that_stays_high_at_any_rate_is_let_be_and_what_follows_is_worth_going_back_to(monkeypatch):
    """As of data in an order. Were it not, an explosion later on would undo everything since the beginning."""
    judged_as(monkeypatch, *[Trouble.LOST] * 6, Trouble.EXPLODED, None, near_best=False)
    run = GuardedRun(0.001, window_steps=4, probation=False)
    guarded(run)
    assert [event.step for event in run.events] == [4, 8, 12, 16, 28]
    assert "back to the weights of step 20;" in run.events[-1].text


def test_more_bad_batches_in_a_row_than_six_are_laid_to_the_rate_though_something_was_won(monkeypatch):
    judged_as(monkeypatch, *[Trouble.BAD_BATCH] * 7, None)
    run = GuardedRun(0.001, window_steps=4, probation=False, trial_loss=1.0)
    guarded(run)
    assert [event.factor for event in run.events] == [1.0] * 6 + [0.25]


def test_only_looks_that_find_a_network_alive_are_counted(monkeypatch):
    """Of one that dies again and again at ever lower rates, the third death must be seen like the first."""
    judged_as(monkeypatch, None, gained=False)
    monkeypatch.setattr("keras_lr.callbacks._guarded_run.life_of", lambda *_: Life.DEAD)
    run = GuardedRun(0.001, window_steps=4, probation=False)
    guarded(run, X[:320])  # ten windows of four, of which the first has no batch to look at, and two looks at most
    assert [event.step for event in run.events] == [*range(8, 44, 4)]


@pytest.mark.parametrize(("bad", "step"), [(8, 4), (9, 8)], ids=["first of its window", "second"])
def test_a_bad_batch_goes_back_to_weights_whose_loss_was_seen_and_the_rate_comes_back_in_ten_steps(
    monkeypatch, bad, step
):
    judged_as(monkeypatch, None, None, Trouble.BAD_BATCH, None)
    x, run = X.copy(), GuardedRun(0.5, window_steps=4, probation=False)
    x[8 * bad] = np.nan
    rates = guarded(run, x)
    assert [event.step for event in run.events] == [12]
    assert f"back to the weights of step {step}; the rate is kept" in run.events[0].text
    np.testing.assert_allclose(rates[12:24], 0.5 * np.minimum(1.0, np.arange(1, 13) / 10))


def test_a_bad_batch_while_a_tenth_of_the_rate_is_tried_says_nothing_against_the_rate():
    x, guard = X.copy(), keras_lr.callbacks.Guard(window_steps=8)
    x[32 * 12] = np.nan  # between the eighth step and the sixteenth
    model = keras.Sequential([keras.Input((64,)), layers.Dense(10)])  # with no activation that hides it
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    history = model.fit(x, Y, shuffle=False, verbose=0, callbacks=[guard]).history
    assert (guard.factor, guard.events) == (1.0, [])
    assert np.isfinite(history["loss"][0])


@pytest.mark.parametrize(("given", "length"), [(24, 6), (None, 5)])
def test_a_window_has_as_many_steps_where_several_are_executed_together(monkeypatch, backend, given, length):
    if backend == "torch":
        pytest.skip("Keras refuses steps_per_execution on the PyTorch backend")
    judged = judged_as(monkeypatch, None)
    model = a_model("adam")
    model.steps_per_execution = 4
    guard = keras_lr.callbacks.Guard(window_steps=given, probation=False)
    model.fit(X, Y, batch_size=16, epochs=8, verbose=0, callbacks=[guard])  # 400 steps, a twentieth of them 20
    assert {len(losses) for losses in judged} == {length}


def streamed(batches):
    """Return what `fit` reads from a function of no arguments, without knowing how many batches there are."""
    if keras.backend.backend() == "tensorflow":
        tf = pytest.importorskip("tensorflow")
        kinds = tf.TensorSpec((None, 64)), tf.TensorSpec((None,), "int64")
        return tf.data.Dataset.from_generator(batches, output_signature=kinds)
    torch = pytest.importorskip("torch")

    class Stream(torch.utils.data.IterableDataset):
        def __iter__(self):
            return batches()

    return torch.utils.data.DataLoader(Stream(), batch_size=None)


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_data_that_end_without_notice_leave_finite_weights():
    def batches():
        for end in range(32, 224, 32):
            yield X[end - 32 : end] * np.float32(np.nan if end == 192 else 1), Y[end - 32 : end]

    model, guard = a_model(keras.optimizers.Adam(0.01)), keras_lr.callbacks.Guard(probation=False)
    model.fit(streamed(batches), shuffle=False, verbose=0, callbacks=[guard])
    assert len(guard.events) == 1
    assert all(np.all(np.isfinite(weight)) for weight in model.get_weights())


def test_an_evaluation_within_an_epoch_is_not_taken_for_losses_of_the_training():
    def trained(*others):
        keras.utils.set_random_seed(0)
        model, guard = a_model("adam"), keras_lr.callbacks.Guard(probation=False)
        model.fit(X, Y, epochs=8, batch_size=16, shuffle=False, verbose=0, callbacks=[guard, *others])
        return model.get_weights(), guard.events

    class Evaluates(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch % 20 == 9:
                self.model.evaluate(X[:64], 9 - Y[:64], verbose=0)

    (weights, events), (alone, _) = trained(Evaluates()), trained()
    assert not events
    for one, other in zip(weights, alone, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("guard_first", [True, False])
@pytest.mark.parametrize(
    ("other", "step"),
    [
        (lambda: keras.callbacks.ReduceLROnPlateau("loss", min_delta=9.0, patience=1, factor=0.5), 20),
        (lambda: keras.callbacks.LearningRateScheduler(lambda epoch: 0.5), 0),
        (lambda: keras.callbacks.EarlyStopping("loss"), ()),
    ],
    ids=["plateau", "scheduler", "neither"],
)
def test_a_rate_that_another_callback_sets_has_no_effect_and_is_said(other, step, guard_first):
    model, guard = a_model(keras.optimizers.SGD(0.125)), keras_lr.callbacks.Guard(probation=False)
    pair = [guard, other()] if guard_first else [other(), guard]
    model.fit(X[:320], Y[:320], epochs=4, verbose=0, callbacks=pair)
    assert [event.step for event in guard.events] == ([] if step == () else [step])
    assert all("which has no effect beside the guard" in event.text for event in guard.events)
    assert model.history.history["learning_rate"] == [0.125 if guard_first else pytest.approx(0.125)] * 4


class Breaks(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        raise KeyboardInterrupt


@pytest.mark.parametrize("compiled_again", [False, True])
@pytest.mark.parametrize("rate", [0.5, keras.optimizers.schedules.CosineDecay(0.5, 100)], ids=["number", "schedule"])
def test_a_guard_whose_fit_was_broken_off_leaves_the_next_fit_alone(rate, compiled_again):
    model, guard = a_model(keras.optimizers.SGD(rate)), keras_lr.callbacks.Guard(0.125, probation=False)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, verbose=0, callbacks=[guard, Breaks()])
    if compiled_again:
        model.compile(keras.optimizers.SGD(rate), loss=model.loss)
    plain = a_model(keras.optimizers.SGD(rate))
    plain.optimizer.build(plain.trainable_variables)
    plain.set_weights(model.get_weights())
    plain.optimizer.iterations.assign(keras.ops.convert_to_numpy(model.optimizer.iterations))
    for trained in (model, plain):
        trained.fit(X, Y, shuffle=False, verbose=0)
    for one, other in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert guard.step == 1
    assert not {"_assert_compile_called", "reset_metrics"} & set(vars(model))


@pytest.mark.parametrize("same_list", [False, True])
def test_a_fit_with_a_list_of_callbacks_that_was_made_before_is_another_fit_too(same_list):
    model, guard = a_model(keras.optimizers.SGD(0.5)), keras_lr.callbacks.Guard(0.125, probation=False)
    plain = keras.callbacks.CallbackList([], add_history=True, model=model)
    breaks = Breaks()
    guarded = keras.callbacks.CallbackList([guard, breaks], add_history=True, model=model)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, verbose=0, callbacks=guarded)
    breaks.on_train_batch_end = lambda *_, **__: None
    model.fit(X, Y, verbose=0, callbacks=guarded if same_list else plain)
    assert guard.step == (25 if same_list else 1)
    assert float(model.optimizer.learning_rate) == 0.5
    assert not {"_assert_compile_called", "reset_metrics"} & set(vars(model))


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_the_guard_of_a_fit_knows_its_length_where_keras_does_not():
    def batches():
        for end in range(32, 224, 32):
            yield X[end - 32 : end], Y[end - 32 : end]

    class Looks(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            seen.append((self.params["steps"], self.params["guard"]._run._window_steps))

    seen = []
    keras_lr.fit(a_model("adam"), streamed(batches), epochs=20, verbose=0, callbacks=[Looks()])
    assert seen == [(None, 6)]
