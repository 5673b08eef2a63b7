"""The main job, end to end: a training without a learning rate, on real data and in the hard cases."""

import tracemalloc
from dataclasses import replace
from types import SimpleNamespace

import keras
import numpy as np
import pandas
import pytest
from keras import layers
from sklearn.datasets import load_digits

import keras_lr
from keras_lr import schedules
from keras_lr._fit_events import over_fit, rows_not_finite, slow_statistics, unscaled_inputs, unscaled_targets
from keras_lr._fit_plan import updates_as_far_as
from keras_lr.callbacks import Event
from keras_lr.callbacks._guarded_run import GuardedRun
from keras_lr.finder import RaceResult, _ladder
from keras_lr.finder._race import run_race
from keras_lr.report import Chart, Table
from keras_lr.training._spoilt_rows import LEFT_OUT, NOT_EVALUATED, NOT_TRIED, ON_DISK, not_finite

IMAGES = (load_digits().images / 16).astype("float32")[..., None]
LABELS = load_digits().target
TRAIN, TEST = slice(0, 1400), slice(1400, None)


def a_model(optimizer="adam", **compile_arguments):
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(8, 3, strides=2),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(),
            layers.Flatten(),
            layers.Dropout(0.1),
            layers.Dense(10),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy"], **compile_arguments)
    return model


def fit(model, x=IMAGES[TRAIN], y=LABELS[TRAIN], **arguments):
    return keras_lr.fit(model, x, y, **{"epochs": 6, "batch_size": 32, "verbose": 0} | arguments)


@pytest.fixture
def bad_batch(monkeypatch):
    """The images, with one batch that is NaN, as a pipeline may have it: of arrays its rows would be left out."""
    monkeypatch.setattr("keras_lr._fit.leave_out_spoilt_rows", lambda *_: NOT_TRIED)
    x = IMAGES[TRAIN].copy()
    x[700:703] = np.nan
    return x


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_real_digits_are_learnt_better_than_at_the_default_rate(optimizer):
    keras.utils.set_random_seed(0)
    ours = fit(a_model(optimizer), validation_data=(IMAGES[TEST], LABELS[TEST]))
    keras.utils.set_random_seed(0)
    plain = a_model(optimizer)
    plain.fit(IMAGES[TRAIN], LABELS[TRAIN], epochs=6, batch_size=32, verbose=0)
    assert ours.history["val_loss"][-1] < plain.evaluate(IMAGES[TEST], LABELS[TEST], verbose=0)[0]
    assert ours.history["val_accuracy"][-1] > 0.85
    assert ours.total_steps <= 1.3 * ours.steps
    assert ours.completed
    assert all("over-fits" in event.text for event in ours.events)


@pytest.mark.above_backends
def test_the_result_shows_why(tmp_path):
    result = fit(a_model(), epochs=3)
    assert "learning rate" in str(result)
    assert len(result.plot()) >= 3
    result.save(tmp_path / "report.html")
    result.save(tmp_path / "report.json")
    assert "Race" in (tmp_path / "report.html").read_text() or "race" in (tmp_path / "report.html").read_text()
    assert set(result.history) == {"accuracy", "loss", "learning_rate"}
    assert len(result.history["loss"]) == 3
    assert result.schedule.values(range(result.steps)).max() == pytest.approx(result.learning_rate)
    share = np.linspace(0, 1, result.steps + 1)
    wanted = np.interp(share, [0, 0.05, 0.7, 1], [0, 1, 1, 0])
    plan = result.schedule.values(range(result.steps + 1)) / result.learning_rate
    np.testing.assert_allclose(plan[share > 0.05], wanted[share > 0.05], atol=0.02)
    assert 0 < plan[0] < 0.2


def test_it_takes_what_fit_takes():
    seen = []

    class Count(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append((epoch, sorted(logs)))

    result = fit(
        a_model(),
        validation_split=0.2,
        class_weight={label: 1.0 + label % 2 for label in range(10)},
        initial_epoch=2,
        callbacks=[Count()],
    )
    assert [epoch for epoch, _ in seen] == [2, 3, 4, 5]
    assert "val_loss" in seen[0][1]
    assert result.steps == 4 * 35


@pytest.mark.above_backends
@pytest.mark.parametrize(("often", "evaluated"), [(2, [4, 6]), ([3, 5], [3, 5]), (1, [3, 4, 5, 6, 7])])
def test_a_loss_is_shown_at_the_epoch_that_it_is_of(often, evaluated):
    model = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(10, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    arguments = {"initial_epoch": 2, "epochs": 7, "validation_split": 0.2, "validation_freq": often}
    result = keras_lr.fit(model, IMAGES[:96], LABELS[:96], verbose=0, **arguments)
    assert result.epoch == model.history.epoch == [2, 3, 4, 5, 6]
    report = result.report()
    loss, val_loss = next(part for part in report.parts if isinstance(part, Chart)).lines
    assert (loss.x.tolist(), val_loss.x.tolist()) == ([3, 4, 5, 6, 7], evaluated)
    last = "last epoch" if evaluated[-1] == 7 else f"epoch {evaluated[-1]}"
    assert {"loss, last epoch", f"val_loss, {last}"} <= set(report.parts[0].values)


@pytest.mark.above_backends
def test_a_metric_of_several_values_is_reported_as_fit_does(tmp_path):
    metrics = [keras.metrics.F1Score(name="f1"), "accuracy"]
    model = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(10, activation="softmax")])
    model.compile("adam", "categorical_crossentropy", metrics=metrics)
    labels = keras.utils.to_categorical(LABELS[TRAIN])
    result = fit(model, y=labels, epochs=2, validation_split=0.2, backup_dir=tmp_path)
    assert np.shape(result.history["val_f1"]) == (2, 10)
    assert np.shape(result.history["val_accuracy"]) == (2,)
    assert "val_accuracy" in str(result)


def test_several_inputs_and_outputs_with_sample_weights():
    one, two = keras.Input((4,)), keras.Input((3,))
    joined = layers.Concatenate()([layers.Dense(8, activation="tanh")(one), two])
    model = keras.Model([one, two], [layers.Dense(1, name="a")(joined), layers.Dense(1, name="b")(joined)])
    model.compile(optimizer="adam", loss=["mse", "mae"])
    random = np.random.default_rng(0)
    x = [random.normal(size=(320, n)).astype("float32") for n in (4, 3)]
    y = [x[0][:, :1], x[1][:, :1]]
    result = keras_lr.fit(model, x, y, epochs=15, verbose=0, sample_weight=np.ones(320, "float32"))
    assert result.history["loss"][-1] < 0.3 * result.history["loss"][0]


@pytest.mark.parametrize("initial_epoch", [0, 1])
def test_a_generator_is_read_once_and_in_order(initial_epoch):
    order = []

    def batches():
        k = 0
        while True:
            order.append(k)
            rows = np.arange(32 * k, 32 * (k + 1)) % 1400
            yield IMAGES[rows], LABELS[rows]
            k += 1

    arguments = {"steps_per_epoch": 40, "epochs": initial_epoch + 2, "initial_epoch": initial_epoch}
    result = keras_lr.fit(a_model(), batches(), verbose=0, **arguments)
    assert order == sorted(set(order))
    assert len(order) <= 80 + 12  # what the race has read is trained on again by the run; Keras reads a little ahead
    assert result.steps == 80


@pytest.mark.parametrize("samples", [40, 160, 640])
def test_fewer_than_fifty_steps_in_all(samples):
    keras.utils.set_random_seed(0)
    result = fit(a_model(), IMAGES[:samples], LABELS[:samples], epochs=2)
    assert result.steps == 2 * -(-samples // 32)
    assert result.race.total_steps <= max(9, 0.3 * result.steps)
    assert np.isfinite(result.history["loss"]).all()


def test_one_step_in_all():
    result = fit(a_model(), IMAGES[:8], LABELS[:8], epochs=1)
    assert result.steps == 1


def test_frozen_layers_stay_as_they_are():
    model = a_model()
    model.layers[0].trainable = False
    model.compile(optimizer="adam", loss=model.loss)
    before = model.layers[0].get_weights()[0].copy()
    result = fit(model, epochs=2)
    np.testing.assert_array_equal(before, model.layers[0].get_weights()[0])
    assert result.history["loss"][-1] < result.history["loss"][0]


@pytest.mark.above_backends
def test_callbacks_are_taken_as_fit_takes_them():
    class Ends(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = True

    for callbacks in (Ends(), (Ends(),), [[Ends()]], keras.callbacks.CallbackList([Ends()])):
        result = fit(a_model(), callbacks=callbacks)
        assert result.events[-1].text == "the run ended after 44 of 264 steps, before the rate had fallen to zero"


@pytest.mark.above_backends
def test_callbacks_that_would_steer_the_rate_as_well_are_said_or_refused(capsys):
    model = a_model()
    result = fit(model, epochs=1, callbacks=[keras.callbacks.LearningRateScheduler(lambda epoch: 1e-9, verbose=1)])
    assert "setting learning rate" not in capsys.readouterr().out  # to one that no step has
    assert result.events[0].text == "the LearningRateScheduler among the callbacks has no effect in this fit"

    class Counting(keras.callbacks.LearningRateScheduler):
        epochs = 0

        def on_epoch_end(self, epoch, logs=None):
            self.epochs += 1

    counting = Counting(lambda epoch: 1e-9)  # does something else as well, so it is not left out
    fit(model, epochs=1, callbacks=[counting])
    assert counting.epochs == 1
    assert result.history["loss"][-1] < 2.3
    for callback, message in [
        (keras_lr.callbacks.Guard(), "callbacks holds a Guard, and keras_lr.fit brings one of its own"),
        (keras_lr.callbacks.ReduceOnPlateau("loss"), "ReduceOnPlateau cannot lower a rate that a Guard"),
        (keras.callbacks.BackupAndRestore("kept"), r"holds a BackupAndRestore.*pass backup_dir='kept' to keras_lr"),
    ]:
        with pytest.raises(ValueError, match=message):
            fit(model, epochs=1, callbacks=[callback])


@pytest.mark.above_backends
def test_a_bad_batch_that_the_guard_steps_over_is_not_the_end(bad_batch):
    result = fit(a_model(), bad_batch, shuffle=False, callbacks=[keras.callbacks.TerminateOnNaN()])
    assert result.completed
    assert result.steps == 6 * 44
    assert any("the rate is kept" in event.text for event in result.events)
    assert result.events[0].text == "the TerminateOnNaN among the callbacks has no effect in this fit"


def test_a_step_that_reports_no_loss_is_refused_with_the_remedy():
    class Adversary(keras.Sequential):
        def train_step(self, *arguments):
            done = super().train_step(*arguments)
            renamed = {"d_loss": (done[0] if isinstance(done, tuple) else done)["loss"]}
            return (renamed, done[1]) if isinstance(done, tuple) else renamed

    model = Adversary([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(10, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"train_step reports 'd_loss' but no 'loss'.*use model\.fit"):
        fit(model, epochs=1)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.above_backends
def test_several_optimizers_are_refused_with_the_remedy():
    parts = keras.optimizers.OptimizerMap(keras.optimizers.SGD())
    model = a_model(keras.optimizers.MultiOptimizer(parts))
    for train in (
        lambda: fit(model),
        lambda: keras_lr.diagnose(model, IMAGES, LABELS),
        lambda: model.fit(IMAGES, LABELS, verbose=0, callbacks=[keras_lr.callbacks.Guard()]),
    ):
        with pytest.raises(ValueError, match=r"MultiOptimizer holds several optimizers.*PerLayer gives layers rates"):
            train()


def test_an_optimizer_beside_the_compiled_one_is_refused_with_the_remedy_where_a_step_may_use_it():
    class Two(keras.Sequential):
        def train_step(self, *arguments):
            return super().train_step(*arguments)

    def a_pair(kind):
        model = kind([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(10, "softmax")])
        model.compile("adam", "sparse_categorical_crossentropy")
        model.compiled_with, model.head_optimizer = model.optimizer, keras.optimizers.SGD()
        return model

    model = a_pair(Two)
    for train in (
        lambda: fit(model, validation_split=0.1),
        lambda: keras_lr.range_test(model, IMAGES, LABELS),
        lambda: model.fit(IMAGES, LABELS, verbose=0, callbacks=[keras_lr.callbacks.Guard()]),
    ):
        with pytest.raises(
            ValueError, match=r"Two defines its own.* holds self\.head_optimizer \(SGD\) beside the Adam "
        ):
            train()
    assert fit(a_pair(keras.Sequential), epochs=1).completed  # whose step knows nothing of it


@pytest.mark.above_backends
def test_a_schedule_in_the_optimizer_is_set_aside_and_said():
    schedule = keras.optimizers.schedules.CosineDecay(1e-8, 100)
    model = a_model(keras.optimizers.Adam(schedule))
    result = fit(model, epochs=3)
    assert "CosineDecay" in result.events[0].text
    assert result.history["accuracy"][-1] > 0.5
    assert model.optimizer._learning_rate is schedule


def test_a_loss_that_is_never_finite_is_an_error_and_leaves_the_weights():
    model = a_model()
    before = [w.copy() for w in model.get_weights()]
    # TensorFlow's ReLU makes 0 of NaN: there the loss is finite, and only the weights' movement is not.
    with pytest.raises(ValueError, match=r"before any update|not finite"):
        fit(model, np.full_like(IMAGES[TRAIN], np.nan))
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.above_backends
def test_a_run_that_does_not_win_what_its_race_did_is_noticed(monkeypatch):
    def race_that_won_too_much(*arguments, **keywords):
        found = run_race(*arguments, **keywords)
        return replace(found, losses=found.losses - 10.0)

    monkeypatch.setattr("keras_lr._fit.run_race", race_that_won_too_much)
    assert "a trial before it" in fit(a_model()).events[0].text


@pytest.mark.above_backends
def test_events_are_told_in_the_order_in_which_they_happened(bad_batch):
    class Ends(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 1

    schedule = keras.optimizers.schedules.CosineDecay(1e-3, 100)
    events = fit(a_model(keras.optimizers.Adam(schedule)), bad_batch, shuffle=False, callbacks=[Ends()]).events
    assert [event.step for event in events] == sorted(event.step for event in events)
    for event, words in zip(
        (*events[:3], events[-1]), ("set aside", "hold NaN", "not finite", "ended after"), strict=True
    ):
        assert words in event.text


@pytest.mark.above_backends
def test_what_happens_in_the_run_is_printed_when_it_happens(capsys, bad_batch):
    event = fit(a_model(), bad_batch, shuffle=False, verbose=2, epochs=2).events[1]
    said = capsys.readouterr().out.splitlines()
    assert "not finite" in event.text
    assert said.index("Epoch 1/2") < said.index(str(event)) < said.index("Epoch 2/2")


@pytest.mark.above_backends
def test_what_happens_in_the_middle_of_a_bar_begins_a_line(capsys, bad_batch):
    events = fit(a_model(), bad_batch, shuffle=False, verbose=1, epochs=2).events
    said = capsys.readouterr().out.splitlines()
    assert "not finite" in events[1].text
    assert str(events[1]) in said


def test_bad_data_in_the_middle_does_not_end_the_run(bad_batch):
    model = a_model()
    result = fit(model, bad_batch, shuffle=False)
    assert any("not finite" in event.text for event in result.events)
    assert model.evaluate(IMAGES[TEST], LABELS[TEST], verbose=0)[1] > 0.8


@pytest.mark.parametrize("step", [0, 20])
def test_an_interruption_keeps_what_was_learnt(step, capsys):
    class Interrupt(keras.callbacks.Callback):
        count = 0

        def on_train_batch_begin(self, batch, logs=None):
            self.count += 1
            if self.count > step:
                raise KeyboardInterrupt

    model = a_model()
    result = fit(model, callbacks=[Interrupt()], verbose=1)
    assert not result.completed
    assert result.steps == step
    assert str(result.events[-1]) in capsys.readouterr().out.splitlines()
    assert f"interrupted after {step} of {6 * 44} steps" in result.events[-1].text
    assert all(np.all(np.isfinite(w)) for w in model.get_weights())
    assert float(model.optimizer.learning_rate) == pytest.approx(1e-3)
    model.fit(IMAGES[TRAIN], LABELS[TRAIN], verbose=0)


def test_a_callback_that_compiles_anew_breaks_the_run_as_with_keras_and_leaves_the_new_optimizer_to_the_next():
    class Compile(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                self.model.compile("sgd", self.model.loss, metrics=["accuracy"])

    model = a_model()
    with pytest.raises(TypeError):
        fit(model, epochs=3, callbacks=[Compile()])
    assert isinstance(model.optimizer, keras.optimizers.SGD)
    before = int(keras.ops.convert_to_numpy(model.optimizer.iterations))
    model.fit(IMAGES[TRAIN], LABELS[TRAIN], batch_size=32, verbose=0)
    assert int(keras.ops.convert_to_numpy(model.optimizer.iterations)) == before + 44


def test_an_error_inside_the_run_leaves_a_whole_model():
    class Fail(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            raise RuntimeError("the user's own")

    model = a_model()
    with pytest.raises(RuntimeError, match="the user's own"):
        fit(model, callbacks=[Fail()])
    assert all(np.all(np.isfinite(w)) for w in model.get_weights())


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: keras.optimizers.Adam(gradient_accumulation_steps=4),
        lambda: keras.optimizers.SGD(clipnorm=1.0, weight_decay=1e-3, use_ema=True, momentum=0.9),
        lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam()),
    ],
    ids=["accumulation", "clipping, decay, average", "loss scale"],
)
def test_the_optimizers_other_arguments_are_kept(optimizer):
    result = fit(a_model(optimizer()))
    assert result.history["accuracy"][-1] > 0.6


@pytest.mark.above_backends
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_targets_in_their_own_unit_are_learnt(momentum):
    # Already at the first rate that is probed, 1e-4, gradient descent overflows within four steps.
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((10,)), layers.Dense(16, activation="relu"), layers.Dense(1)])
    model.compile(keras.optimizers.SGD(momentum=momentum), loss="mse")
    x = np.random.default_rng(0).normal(size=(512, 10)).astype("float32")
    prices = 1e6 * x.sum(axis=1)
    result = keras_lr.fit(model, x, prices, epochs=15, batch_size=32, verbose=0)
    assert result.history["loss"][-1] < 0.05 * prices.var()


@pytest.mark.parametrize("name", ["Prodigy", "Mechanic"])
def test_a_method_that_finds_the_rate_itself_is_scheduled_and_not_raced(name):
    keras.utils.set_random_seed(0)
    method = getattr(keras_lr.optimizers, name)
    optimizer = method(keras.optimizers.Adam(1.0)) if name == "Mechanic" else method()
    model = keras.Sequential([keras.Input((10,)), layers.Dense(16, activation="tanh"), layers.Dense(1)])
    model.compile(optimizer, loss="mse")
    x = np.random.default_rng(0).normal(size=(512, 10)).astype("float32")
    result = keras_lr.fit(model, x, x[:, :1], epochs=20, batch_size=32, verbose=0)
    assert (result.learning_rate, result.race.total_steps) == (1.0, 0)
    assert result.history["loss"][-1] < 0.02 * result.history["loss"][0]
    facts, _, *charts = result.report().parts
    assert facts.values["learning rate (highest of an epoch's end)"] == max(result.history["learning_rate"])
    assert facts.values["factor on the rate (peak)"] == 1.0
    assert [chart.y_label for chart in charts] == ["loss", "factor on the learning rate", "learning rate"]
    assert "factor on the rate  1\n" in str(result.race)
    assert "interval" not in str(result) + str(result.race)


@pytest.mark.above_backends
@pytest.mark.parametrize(
    ("given", "jit_compile"),
    [
        ({}, False),
        ({}, "auto"),
        ({"max_update_ratio": 0.05}, "auto"),
        ({"max_update_norm": 0.3}, "auto"),
        ({"decay_steps": 50}, "auto"),
    ],
)
def test_the_cap_of_a_search_across_batches_falls_over_the_run_as_with_a_horizon(given, jit_compile):
    x, y = IMAGES[:320], LABELS[:320]
    trained = []
    for told in ({"decay_steps": 30}, {}):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(32, "relu"), layers.Dense(10)])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras_lr.optimizers.GradientOnly(**{**told, **given}), loss, jit_compile=jit_compile)
        if told:
            history = model.fit(x, y, epochs=3, batch_size=32, shuffle=False, verbose=0).history
        else:
            result = keras_lr.fit(model, x, y, epochs=3, batch_size=32, shuffle=False, verbose=0)
        trained.append(model)
    np.testing.assert_allclose(history["loss"], result.history["loss"], rtol=1e-4)
    assert result.race.total_steps == 0
    assert result.learning_rate == 1.0
    assert trained[1].optimizer.decay_steps == given.get("decay_steps")
    for before, weights in zip(*(model.get_weights() for model in trained), strict=True):
        np.testing.assert_allclose(before, weights, rtol=1e-4, atol=1e-6)


@pytest.mark.above_backends
def test_the_steps_before_a_run_shorten_no_cap_within_it():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(32, "relu"), layers.Dense(10)])
    model.compile(keras_lr.optimizers.GradientOnly(), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    x, y, caps = IMAGES[:320], LABELS[:320], []
    watch = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: caps.append(model.optimizer._field("cap") * model.optimizer._field("length"))
    )
    for _ in range(2):
        result = keras_lr.fit(model, x, y, epochs=10, batch_size=32, verbose=0, callbacks=[watch])
        assert result.history["loss"][-1] < result.history["loss"][0]
    first, second = np.array(caps).reshape(2, 10)
    assert second[0] > 0.5 * first[0]
    assert np.all(np.diff(second) < 0)
    assert second[-1] < 0.2 * second[0]
    assert model.optimizer.decay_steps is None


@pytest.mark.parametrize("given", [{}, {"decay_steps": 50}])
def test_a_factor_of_the_users_own_stays_on_the_cap(given):
    optimizer = keras_lr.optimizers.GradientOnly(**given)
    whole, half = (optimizer.schedule_over_run(factor, 0, 10).values(np.arange(10)) for factor in (1.0, 0.5))
    np.testing.assert_allclose(half, whole / 2)


@pytest.mark.above_backends
def test_a_search_whose_cap_has_a_schedule_keeps_it():
    cap = keras_lr.schedules.Constant(0.2)
    result = fit(a_model(optimizer=keras_lr.optimizers.GradientOnly(max_update_norm=cap)), epochs=2)
    assert result.schedule == keras_lr.schedules.Constant(1.0)


@pytest.mark.parametrize("name", ["Prodigy", "DAdaptSGD", "DoG", "DoWG", "Mechanic"])
def test_the_factor_that_is_scheduled_moves_every_method_that_is_not_raced(name):
    method = getattr(keras_lr.optimizers, name)
    optimizer = method(keras.optimizers.SGD(1.0)) if name == "Mechanic" else method()
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    model.compile(optimizer, loss="mse")
    x = np.random.default_rng(0).normal(size=(32, 2)).astype("float32")
    optimizer.build(model.trainable_variables)
    optimizer._learning_rate.assign(0.0)
    before = [w.copy() for w in model.get_weights()]
    model.fit(x, x[:, :1], epochs=3, verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert float(keras.ops.convert_to_numpy(optimizer.learning_rate)) == 0.0
    optimizer._learning_rate.assign(1.0)
    model.fit(x, x[:, :1], epochs=3, verbose=0)
    assert not all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert float(keras.ops.convert_to_numpy(optimizer.learning_rate)) > 0.0


def test_mixed_precision():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        result = fit(a_model(), epochs=3)
    finally:
        keras.config.set_dtype_policy(policy)
    assert result.history["accuracy"][-1] > 0.7


def test_the_same_seed_is_the_same_training():
    losses = []
    for _ in range(2):
        keras.utils.set_random_seed(5)
        losses.append(fit(a_model(), epochs=2).history["loss"])
    assert losses[0] == losses[1]


@pytest.mark.above_backends
@pytest.mark.parametrize(("momentum", "says"), [(0.99, True), (0.973, True), (0.96, False)])  # 38, 7 and 2 % left
def test_averages_of_batch_normalization_that_are_too_slow_for_the_run_are_named(momentum, says):
    x = np.random.default_rng(0).normal(size=(256, 4)).astype("float32")
    normalised = layers.BatchNormalization(momentum=momentum)
    model = keras.Sequential([keras.Input((4,)), layers.Dense(4), normalised, layers.Dense(1)])
    model.compile("adam", loss="mse")
    result = keras_lr.fit(model, x, x.sum(1, keepdims=True), batch_size=16, epochs=6, verbose=0)
    assert any("running averages of 'batch_normalization" in event.text for event in result.events) is says


@pytest.mark.above_backends
def test_a_model_that_over_fits_is_named_with_the_epoch_that_was_best():
    random = np.random.default_rng(0)
    x, y = random.normal(size=(96, 8)).astype("float32"), random.integers(0, 2, 96)  # nothing to be learnt
    model = keras.Sequential([keras.Input((8,)), layers.Dense(64, "relu"), layers.Dense(1, "sigmoid")])
    model.compile("adam", loss="binary_crossentropy")
    often = {"validation_split": 0.5, "validation_freq": 4, "initial_epoch": 3}
    result = keras_lr.fit(model, x, y, batch_size=8, epochs=43, verbose=0, **often)
    lowest = 4 * (1 + int(np.argmin(result.history["val_loss"])))  # of the epochs 4, 8 ... 40
    [event] = [event for event in result.events if "over-fits" in event.text]
    assert f"{min(result.history['val_loss']):.3g} at epoch {lowest} and" in event.text
    assert event.step == result.steps


@pytest.mark.parametrize(
    ("losses", "validation_losses", "says"),
    [
        ([1.0, 0.5, 0.1], [1.0, 0.6, 0.73], True),
        ([1.0, 0.5, 0.1], [1.0, 0.6, 0.71], False),  # less than a fifth of the lowest
        ([1.0, 0.1, 0.01], [1.0, 1e-3, 1e-2], False),  # less than a fiftieth of what it fell by
        ([1.0, 0.1, 0.01], [1.0, 1e-3, 3e-2], True),
        ([1.0, 0.1, 0.2], [1.0, 0.6, 0.9], False),  # the training loss rose as well: no fitting
        ([1.0, 0.1, 0.1], [1.0, 0.6, 0.9], False),  # nor did it fall
        ([-1.0, -5.0, -9.0], [-1.0, -4.0, -3.0], True),
        ([1.0, 0.5, 0.1], [0.6, np.nan, 0.9], False),
        ([1.0, 0.5, 0.1], [], False),
        ([], [1.0, 0.6, 0.9], False),
    ],
)
def test_what_counts_as_over_fitting(losses, validation_losses, says):
    told = over_fit(9, *({epoch + 1: loss for epoch, loss in enumerate(of)} for of in (losses, validation_losses)))
    assert len(told) == says


def flat_model(*first):
    return keras.Sequential([keras.Input((8, 8, 1)), *first, layers.Flatten(), layers.Dense(10)])


@pytest.mark.parametrize(
    ("first", "factor", "says"),
    [
        ((), 64.0, True),
        ((), 1.0, False),
        ((layers.Conv2D(4, 3),), 64.0, True),
        ((layers.Rescaling(1 / 256),), 64.0, False),
        ((layers.BatchNormalization(),), 64.0, False),
    ],
)
def test_inputs_that_are_not_scaled_are_named(first, factor, says):
    images = factor * IMAGES[:32]
    told = [event.text for event in unscaled_inputs(flat_model(*first), (images, LABELS[:32]))]
    assert len(told) == says
    assert all(f"mean is {np.mean(images):.3g}, their standard deviation {np.std(images):.3g}" in text for text in told)


@pytest.mark.parametrize(("mean", "says"), [(-11.0, True), (-9.0, False), (9.0, False), (11.0, True)])
def test_inputs_far_from_zero_are_named_though_they_hardly_scatter(mean, says):
    assert bool(unscaled_inputs(flat_model(), (mean + 0.0 * IMAGES[:8], LABELS[:8]))) is says


def test_sparse_inputs_are_trained_on_and_looked_at_as_any_other():
    sparse = pytest.importorskip("scipy.sparse")
    x = sparse.random(64, 8, density=0.3, format="csr", random_state=0)
    model = keras.Sequential([keras.Input((8,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    y = np.asarray(x.sum(1))
    result = keras_lr.fit(model, x, y, batch_size=32, epochs=8, verbose=0)
    assert result.completed
    assert not result.events
    (event,) = unscaled_inputs(model, (1000 * x, y))
    assert "their mean is" in event.text


def test_symbols_and_inputs_that_are_not_finite_are_not_called_unscaled():
    symbols = keras.Sequential([keras.Input((4,), dtype="int32"), layers.Embedding(1000, 4)])
    assert not unscaled_inputs(symbols, (np.full((8, 4), 900), LABELS[:8]))
    assert not unscaled_inputs(flat_model(), (np.where(IMAGES[:8] > 0, np.inf, 0.0), LABELS[:8]))


def test_rows_that_are_not_finite_are_counted():
    whole, holes = np.ones((6, 2), "float32"), np.ones((6, 3), "float32")
    holes[1, 0], holes[1, 2], holes[4, 1] = np.nan, np.inf, -np.inf
    table = pandas.DataFrame({"a": whole[:, 0], "b": holes[:, 1]})
    assert not rows_not_finite(LEFT_OUT, x=whole, y=None)
    assert not rows_not_finite("", x=holes)
    assert not rows_not_finite(LEFT_OUT, x=[whole, np.array([["a"] * 6]).T], y=np.full((6, 1), 1e38, "float32"))
    for x, count in ((holes, 2), (table, 1), ({"a": whole, "b": holes, "c": table}, 2)):
        (event,) = rows_not_finite(LEFT_OUT, x=x, y=whole)
        assert event.text == f"{count} of 6 rows of x hold NaN or infinity: {LEFT_OUT}"
    assert [event.text[:22] for event in rows_not_finite(NOT_TRIED, x=holes, y=holes)] == [
        "2 of 6 rows of x hold ",
        "2 of 6 rows of y hold ",
    ]


def answers(x):
    return np.stack([x.sum(1), x[:, 0] * x[:, 1]], 1)


def a_network(*first):
    inner = [layers.Dense(8, activation="relu"), layers.BatchNormalization(momentum=0.9)]
    model = keras.Sequential([keras.Input((4,)), *first, *inner, layers.Dropout(0.1), layers.Dense(2)])
    model.compile("adam", "mse", metrics=["mae"])
    return model


@pytest.mark.parametrize("spoilt", ["x", "y"])
@pytest.mark.parametrize("rows", [130, 128], ids=["last batch cut", "whole batches"])
def test_rows_that_are_not_finite_are_left_out_as_if_they_had_never_been_there(spoilt, rows):
    x = np.random.default_rng(0).normal(size=(rows + 2, 4)).astype("float32")
    data = {"x": x, "y": answers(x), "sample_weight": np.linspace(0.5, 1.0, rows + 2)}
    sound = np.delete(np.arange(rows + 2), [3, 77])
    whole = {name: values[sound] for name, values in data.items()}
    data[spoilt] = data[spoilt].copy()
    data[spoilt][3, 0], data[spoilt][77] = np.inf, np.nan
    ends = []
    for given in (data, whole):
        keras.utils.set_random_seed(1)
        model = a_network()
        result = keras_lr.fit(model, **given, epochs=4, batch_size=16, verbose=0)
        ends.append(
            (result.learning_rate, result.history, [event.text for event in result.events], *model.get_weights())
        )
    (rate, history, said, *weights), (rate_of_whole, history_of_whole, said_of_whole, *weights_of_whole) = ends
    assert {*said} == {f"2 of {rows + 2} rows of {spoilt} hold NaN or infinity: {LEFT_OUT}", *said_of_whole}
    assert rate == rate_of_whole
    assert history["loss"] == history_of_whole["loss"]
    for one, other in zip(weights, weights_of_whole, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_mapped_file_with_rows_that_are_not_finite_is_not_copied_into_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("keras_lr.training._training_data.TrainingData.leave_out", None)
    x = np.memmap(tmp_path / "rows", "float32", "w+", shape=(8192, 4))
    x[:] = np.random.default_rng(0).normal(size=x.shape)
    y = answers(np.array(x))
    x[5] = np.nan
    model = a_network()
    events = keras_lr.fit(model, x, y, epochs=1, batch_size=256, verbose=0).events
    assert f"1 of 8,192 rows of x hold NaN or infinity: {ON_DISK}" in [event.text for event in events]
    assert np.isfinite(model.get_weights()[0]).all()


def test_rows_that_are_not_finite_are_found_without_a_copy_of_all():
    rows = np.ones((4096, 64), "float32")
    rows[7, 3], rows[4095, 63] = np.inf, np.nan
    not_finite(rows)
    tracemalloc.start()
    found = not_finite(rows)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.flatnonzero(found).tolist() == [7, 4095]
    assert most < rows.size / 2
    assert np.flatnonzero(not_finite(np.array([1e308, 1e308, np.nan, 1.0]))).tolist() == [2]
    assert not np.any(not_finite(np.full((3, 2), 1e308)))


class FillsHoles(layers.Layer):
    def call(self, x):
        return keras.ops.where(keras.ops.isfinite(x), x, 0.0)


def test_rows_without_any_target_are_kept_where_the_loss_divides_by_the_number_of_targets():
    def mean_of_known(y, prediction):
        known = keras.ops.isfinite(y)
        errors = keras.ops.where(known, keras.ops.square(keras.ops.where(known, y, 0.0) - prediction), 0.0)
        return keras.ops.sum(errors) / keras.ops.sum(keras.ops.cast(known, "float32"))

    x = np.random.default_rng(0).normal(size=(128, 4)).astype("float32")
    y = answers(x)
    y[:40] = np.nan
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    model.compile("adam", mean_of_known)
    result = keras_lr.fit(model, x, y, epochs=2, verbose=0)
    assert not any("NaN" in event.text for event in result.events)


def test_rows_are_left_out_as_well_where_only_their_gradient_is_nan():  # as behind TensorFlow's fused ReLU
    x = np.random.default_rng(0).normal(size=(128, 4)).astype("float32")
    y = answers(x)
    x[5] = np.nan
    model = keras.Sequential([keras.Input((4,)), layers.Dense(8), FillsHoles(), layers.Dense(2)])
    model.compile("adam", "mse")
    events = keras_lr.fit(model, x, y, epochs=2, verbose=0).events
    assert f"1 of 128 rows of x hold NaN or infinity: {LEFT_OUT}" in [event.text for event in events]


def test_rows_that_the_model_can_do_with_are_kept(monkeypatch):
    seen = []
    monkeypatch.setattr("keras_lr.training._training_data.TrainingData.leave_out", lambda *_: seen.append("left out"))
    x = np.random.default_rng(0).normal(size=(128, 4)).astype("float32")
    y = answers(x)
    x[::7, 1] = np.nan
    result = keras_lr.fit(a_network(FillsHoles()), x, y, epochs=2, verbose=0)
    assert not seen
    assert not any("NaN" in event.text for event in result.events)


def test_rows_are_kept_and_named_where_a_step_cannot_try_them_alone(backend):
    if backend == "torch":
        pytest.skip("Keras refuses steps_per_execution on the PyTorch backend")
    x = np.random.default_rng(0).normal(size=(128, 4)).astype("float32")
    y = answers(x)
    x[5] = np.nan
    model = a_network()
    model.compile("adam", "mse", steps_per_execution=2)
    result = keras_lr.fit(model, x, y, batch_size=8, epochs=2, verbose=0)
    assert f"1 of 128 rows of x hold NaN or infinity: {NOT_TRIED}" in [event.text for event in result.events]
    assert result.steps == 32


@pytest.mark.parametrize("split", [True, False], ids=["split off", "given"])
def test_rows_that_are_kept_for_validation_are_named_as_such(split):
    x = np.random.default_rng(0).normal(size=(128, 4)).astype("float32")
    y = answers(x)
    y[-1] = np.nan
    held_out = {"validation_split": 0.25} if split else {"validation_data": (x[96:], y[96:])}
    length = 128 if split else 96
    result = keras_lr.fit(a_network(), x[:length], y[:length], epochs=2, verbose=0, **held_out)
    said = [event.text for event in result.events if "NaN" in event.text]
    assert said == [f"1 of 32 rows of validation_data hold NaN or infinity: {NOT_EVALUATED}"]
    assert np.isnan(result.history["val_loss"]).all()
    assert np.isfinite(result.history["loss"]).all()


def test_rows_that_are_all_spoilt_are_not_left_out():
    x = np.random.default_rng(0).normal(size=(128, 4)).astype("float32")
    with pytest.raises(ValueError, match="before any update"):
        keras_lr.fit(a_network(), x, np.full_like(answers(x), np.nan), epochs=2, verbose=0)


@pytest.mark.above_backends
def test_race_and_events_are_told_while_it_runs_unless_verbose_is_0(capsys):
    model = flat_model()
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    fit(model, epochs=8)
    assert capsys.readouterr().out == ""
    stop = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: setattr(model, "stop_training", epoch == 1))
    result = keras_lr.fit(model, 64 * IMAGES, LABELS, epochs=8, batch_size=64, verbose=2, callbacks=[stop])
    said = capsys.readouterr().out.splitlines()
    raced = len(result.race.rates)
    assert [line.split(" (")[0] for line in said[:raced]] == [
        f"racing the rate {float(line.split()[3]):.2g}" for line in said[:raced]
    ]
    assert said[raced] == result.race.sentence
    assert said[raced + 1].startswith("step 0: the inputs are far from the size 1")
    assert said[raced + 2] == "Epoch 1/8"
    assert said[-1] == str(result.events[-1])
    assert "the run ended after" in said[-1]


@pytest.mark.above_backends
def test_averages_that_a_run_before_has_filled_are_not_called_too_slow():
    x = np.random.default_rng(0).normal(size=(256, 4)).astype("float32")
    base = keras.Sequential([keras.Input((4,)), layers.Dense(4), layers.BatchNormalization()])
    first = keras.Sequential([base, layers.Dense(1)])
    first.compile("adam", loss="mse")
    first.fit(x, x[:, :1], epochs=2, verbose=0)
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Dense(1)(base(inputs, training=False)))  # as in fine-tuning
    model.compile("adam", loss="mse")
    assert not fit(model, x, x[:, :1], epochs=2).events


@pytest.mark.numpy_only
@pytest.mark.parametrize("trainable", [True, False])
def test_averages_of_a_frozen_layer_that_no_run_moves_are_not_called_too_slow(trainable):
    layer = layers.BatchNormalization(trainable=trainable)
    model = keras.Sequential([keras.Input((4,)), layer, layers.Dense(1)])
    assert len(slow_statistics(model, 20)) == trainable


@pytest.mark.numpy_only
@pytest.mark.parametrize(("mean", "variance", "says"), [(0.0, 1.0, True), (0.1, 1.0, False), (0.0, 0.9, False)])
def test_averages_of_which_either_has_moved_are_not_called_too_slow(mean, variance, says):
    layer = layers.BatchNormalization()
    model = keras.Sequential([keras.Input((4,)), layer, layers.Dense(1)])
    layer.moving_mean.assign(np.full(4, mean))
    layer.moving_variance.assign(np.full(4, variance))
    assert bool(slow_statistics(model, 20)) is says


@pytest.mark.above_backends
@pytest.mark.parametrize(
    ("loss", "scale", "mean", "says"),
    [
        ("mse", 1.0, 5.0, False),
        ("mse", 1.0, 15.0, True),
        ("mae", 100.0, 0.0, True),
        (keras.losses.Huber(), 0.01, 0.0, True),
        ("mse", 0.0, 50.0, False),
        ("kld", 1.0, 50.0, False),
        (["mse"], 1.0, 50.0, False),
        ("mse", 100.0, 500.0, None),
    ],
)
def test_targets_that_a_new_network_is_far_from_are_named(loss, scale, mean, says):
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    y = mean + scale * x[:, :1]
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1, activation="softplus")])
    if says is None:
        model.add(layers.Rescaling(scale, mean))
    model.compile("adam", loss=loss)
    events = keras_lr.fit(model, x, y, batch_size=32, epochs=2, verbose=0).events
    told = [event.text for event in events if "the targets are far" in event.text]
    assert bool(told) is bool(says)
    if says:
        assert f"mean is {np.mean(y[:32]):.3g}, their standard deviation {np.std(y[:32]):.3g}" in told[0]


@pytest.mark.parametrize(
    ("activation", "mean", "says"), [(None, 2.1, True), (None, -2.1, True), (None, 1.9, False), ("sigmoid", 2.1, False)]
)
def test_targets_of_which_most_is_their_mean_are_named_where_they_may_be_moved(activation, mean, says):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1, activation=activation)])
    model.compile("adam", loss="mse")
    y = mean + np.resize([1.0, -1.0], 8)
    assert bool(unscaled_targets(model, (np.zeros((8, 4)), 0.3 * y))) is says


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_of_targets_that_are_not_finite_no_scale_is_named(bad):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    model.compile("adam", loss="mse")
    x, y = np.zeros((8, 4)), np.linspace(500.0, 600.0, 8)
    assert unscaled_targets(model, (x, y))
    y[3] = bad
    assert not unscaled_targets(model, (x, y))


def test_a_run_that_accumulates_more_batches_than_it_has_is_refused():
    model = a_model(keras.optimizers.Adam(gradient_accumulation_steps=50))
    with pytest.raises(ValueError, match=r"gradient_accumulation_steps=50 .* 44 steps .* no update"):
        fit(model, epochs=1)


@pytest.mark.parametrize(
    "wrapped",
    [keras.optimizers.LossScaleOptimizer, lambda inner: keras_lr.optimizers.PerLayer(inner, {"dense.*": 0.5})],
)
def test_a_run_whose_optimizer_accumulates_inside_a_wrapper_comes_to_the_end_of_its_schedule(wrapped):
    model = a_model(wrapped(keras.optimizers.Adam(gradient_accumulation_steps=4)))
    result = fit(model, epochs=6)
    assert result.schedule.end_step == 6 * 44 // 4
    assert result.history["learning_rate"][-1] < 0.1 * result.learning_rate


def a_result(schedule, steps, events=()):
    none = np.empty(0)
    race = RaceResult(0.1, 0.1, 0.1, none, np.empty((0, 0)), none, 0.1, 10, 0, "SGD", "not raced")
    return keras_lr.FitResult({"loss": [1.0]}, 0.1, schedule, race, events, steps, completed=True)


@pytest.mark.numpy_only
def test_the_chart_of_the_plan_reaches_from_its_first_update_to_its_last():
    schedules = keras_lr.schedules
    for schedule, steps, last in [
        (schedules.Linear(0.1, 50), 20, 49),
        (schedules.Constant(0.1), 20, 19),
        (schedules.Constant(0.1), 0, 0),
    ]:
        charts = {part.title: part for part in a_result(schedule, steps).report().parts if isinstance(part, Chart)}
        (line,) = charts["Schedule"].lines
        assert (line.x[0], line.x[-1]) == (0, last)
        np.testing.assert_array_equal(line.y, schedule.values(np.arange(last + 1)))


@pytest.mark.numpy_only
@pytest.mark.parametrize(("schedule", "last"), [(schedules.Linear(0.1, 50), 49), (schedules.Constant(0.1), 49)])
def test_the_chart_of_the_plan_counts_updates_where_a_step_is_not_one(schedule, last):
    result = replace(a_result(schedule, 200, [Event(120, "back", 0.5)]), gradient_accumulation_steps=4)
    chart = next(part for part in result.report().parts if isinstance(part, Chart) and part.title == "Schedule")
    assert chart.lines[0].x[-1] == last
    assert [mark.x for mark in chart.marks] == [30]


@pytest.mark.above_backends
def test_the_run_has_time_to_go_as_far_as_the_trial_where_several_batches_make_an_update(monkeypatch):
    given = {}

    class Told(GuardedRun):
        def __init__(self, *arguments, **keywords):
            given.update(keywords)
            super().__init__(*arguments, **keywords)

    monkeypatch.setattr("keras_lr._fit.GuardedRun", Told)
    result = fit(a_model(keras.optimizers.Adam(gradient_accumulation_steps=4)))
    updates = result.steps // 4
    assert result.gradient_accumulation_steps == 4
    assert given["trial_steps"] == 4 * updates_as_far_as(result.race, result.schedule, updates) > 0


@pytest.mark.numpy_only
def test_events_have_a_table_where_there_are_any():
    def tables(*events):
        parts = a_result(keras_lr.schedules.Constant(0.1), 20, events).report().parts
        return {part.title: list(part.rows) for part in parts if isinstance(part, Table)}

    assert "Events" not in tables()
    assert tables(Event(3, "back", 0.5))["Events"] == [(3, 0.5, "back")]


def test_a_run_at_a_tenth_of_the_rate_goes_as_far_as_the_best_lane_in_ten_times_the_steps():
    race = SimpleNamespace(rates=np.array([0.1, 1.0]), scores=np.array([2.0, 1.0]))
    far = np.sum(_ladder.lane_schedule(1.0, 12).values(np.arange(12)))
    assert abs(updates_as_far_as(race, schedules.Constant(0.1), 1000) - far / 0.1) <= 1
    race.rates = race.rates[:0]
    assert updates_as_far_as(race, schedules.Constant(0.1), 1000) == 0
