"""The plateau rule on top of a schedule, kept over interruptions."""

import keras
import numpy as np
import pytest

from keras_lr import schedules as s
from keras_lr.callbacks import ReduceOnPlateau
from keras_lr.training import scale_learning_rate, set_learning_rate

X = np.ones((2, 1), "float32")


class Says(keras.callbacks.Callback):
    """Puts prepared values into the logs."""

    def __init__(self, values):
        super().__init__()
        self.values = list(values)

    def on_epoch_end(self, epoch, logs=None):
        logs["said"] = self.values[epoch]


def made(learning_rate=0.1):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(learning_rate), loss="mse")
    return model


def run(model, says, rule, epochs=None, initial_epoch=0, after=()):
    epochs = len(says) if epochs is None else epochs
    callbacks = [Says(says), rule, *after]
    model.fit(X, X, batch_size=1, epochs=epochs, initial_epoch=initial_epoch, verbose=0, callbacks=callbacks)
    return model.optimizer._learning_rate.multiplier


def test_lowers_at_the_patience_th_measurement_as_keras_does():
    says = [1.0, 0.9, 0.95, 0.95, 0.95, 0.95]
    rule = ReduceOnPlateau("said", mode="min", factor=0.5, patience=3)
    run(made(), says, rule)
    model = made(0.1)
    theirs = keras.callbacks.ReduceLROnPlateau("said", mode="min", factor=0.5, patience=3)
    model.fit(X, X, batch_size=1, epochs=6, verbose=0, callbacks=[Says(says), theirs])
    assert rule.changes == [(4, 0.5)]
    assert float(keras.ops.convert_to_numpy(model.optimizer.learning_rate)) == pytest.approx(0.05)


def test_a_best_that_is_kept_in_single_precision_is_not_beaten_by_itself():
    assert float(np.float32(0.1)) > 0.1
    assert run(made(), [0.1] * 3, ReduceOnPlateau("said", mode="min", factor=0.5, patience=2, min_delta=0.0)) == 0.5


@pytest.mark.parametrize("learning_rate", [0.1, s.Linear(0.1, 100), s.steerable(s.Linear(0.1, 100)), s.WarmUp(0.1, 5)])
def test_multiplies_any_schedule_and_the_optimizer_uses_it(learning_rate):
    model = made(learning_rate)
    plain = made(0.1)
    assert run(model, [1.0] * 4, ReduceOnPlateau("said", mode="min", factor=0.5, patience=1)) == 0.125
    used = float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))
    assert used == pytest.approx(0.125 * float(model.optimizer._learning_rate.schedule.values(8)), rel=1e-6)
    assert len(model.optimizer.variables) == len(plain.optimizer.variables)  # it stands where a plain rate would


def test_six_fits_of_one_epoch_are_one_fit_of_six():
    says = [1.0, 0.9, 0.95, 0.95, 0.95, 0.95]
    whole = run(made(), says, ReduceOnPlateau("said", mode="min", factor=0.5, patience=2))
    model = made()
    for epoch in range(6):
        parts = run(model, says, ReduceOnPlateau("said", mode="min", factor=0.5, patience=2), epoch + 1, epoch)
    assert whole == parts == 0.25


def test_resumed_from_a_file_it_goes_on(tmp_path):
    says = [1.0, 0.9, 0.95, 0.95, 0.95, 0.95]
    model = made(s.Cosine(0.1, 50))
    run(model, says, ReduceOnPlateau("said", mode="min", factor=0.5, patience=4), 4)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    rule = ReduceOnPlateau("said", mode="min", factor=0.5, patience=4)
    assert run(loaded, says, rule, 6, 4) == 0.5
    assert rule.changes == [(5, 0.5)]


def test_backup_and_restore_brings_the_rule_back(tmp_path):
    says = [1.0, 0.95, 0.95, 0.95]
    backup = lambda: keras.callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)  # noqa: E731
    run(made(), says, ReduceOnPlateau("said", mode="min", factor=0.5, patience=2), 3, after=[backup()])
    resumed = ReduceOnPlateau("said", mode="min", factor=0.5, patience=2)
    again = made()
    run(again, says, resumed, 4, after=[backup()])
    assert resumed.changes == [(3, 0.5)]


@pytest.mark.parametrize("saves_first", [True, False])
def test_a_measure_of_the_validation_is_saved_in_whatever_order(tmp_path, saves_first):
    y = np.zeros((2, 1), "float32")  # the rate is 0, so that the loss never improves

    def trained(epochs, rule):
        model = made(0.0)
        backup = keras.callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)
        callbacks = [backup, rule] if saves_first else [rule, backup]
        model.fit(X, y, validation_data=(X, y), epochs=epochs, verbose=0, callbacks=callbacks)
        return rule.changes

    assert trained(2, ReduceOnPlateau(factor=0.5, patience=2)) == []
    assert trained(3, ReduceOnPlateau(factor=0.5, patience=2)) == [(2, 0.5)]


def test_a_measure_of_the_training_saved_too_early_is_reported(tmp_path):
    def trained(epochs):
        backup = keras.callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)
        made().fit(X, X, epochs=epochs, verbose=0, callbacks=[backup, ReduceOnPlateau("loss")])

    trained(2)
    with pytest.warns(UserWarning, match=r"no `loss` of epoch 2.*List ReduceOnPlateau before BackupAndRestore"):
        trained(3)


def test_epochs_without_validation_are_no_measurements():
    rule = ReduceOnPlateau(factor=0.5, patience=1)
    model = made(0.0)
    y = np.zeros((2, 1), "float32")
    with pytest.warns(UserWarning, match="no `val_loss` in the logs of epoch 1") as said:
        model.fit(X, y, validation_data=(X, y), validation_freq=2, epochs=4, verbose=0, callbacks=[rule])
    assert sum("val_loss" in str(one.message) for one in said) == 1
    assert rule.changes == [(3, 0.5)]


def test_an_evaluation_within_an_epoch_is_not_taken_for_losses_of_the_training():
    class Evaluates(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch % 3 == 0:
                self.model.evaluate(x[:2], 1e3 + x[:2], verbose=0)

    class Measures(ReduceOnPlateau):
        def _measured(self, value):
            measured.append(value)

    x, found = np.linspace(-1, 1, 20, dtype="float32")[:, None], []
    for others in ((), (Evaluates(),)):
        keras.utils.set_random_seed(0)
        measured, model = [], made()
        rule = Measures(every_steps=2)
        model.fit(x, 3 * x, batch_size=2, epochs=2, shuffle=False, verbose=0, callbacks=[rule, *others])
        found.append(measured)
    assert len(found[0]) == 10
    np.testing.assert_allclose(*found, rtol=1e-5)
    assert not {"_assert_compile_called", "reset_metrics"} & set(vars(model))


class LossOfTheBatch(keras.metrics.Metric):
    def __init__(self):
        super().__init__(name="of_the_batch")
        self.last = self.add_variable((), "zeros", name="last")

    def update_state(self, y, y_pred, sample_weight=None):
        self.last.assign(keras.ops.mean(keras.ops.square(y - y_pred)))

    def result(self):
        return self.last + 0.0  # a value of its own, which the next assignment leaves alone


def reporting(logs_of):
    class Own(keras.Sequential):
        def train_step(self, *arguments):
            done = super().train_step(*arguments)
            return (logs_of(done[0]), done[1]) if isinstance(done, tuple) else logs_of(done)

    return Own


def test_within_epochs_a_step_of_ones_own_may_report_a_mean_or_the_loss_of_the_batch():
    class Measures(ReduceOnPlateau):
        def _measured(self, value):
            measured.append(value)

    x, found = np.linspace(-1, 1, 44, dtype="float32")[:, None], []
    for kind in (keras.Sequential, reporting(dict), reporting(lambda logs: {"loss": logs["of_the_batch"]})):
        model, measured = kind([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="ones")]), []
        model.compile(keras.optimizers.SGD(0.1), "mse", metrics=[LossOfTheBatch()])
        rule = Measures(every_steps=4)
        for _ in range(2):  # the second goes on with the three batches that the first has left
            model.fit(x, 3 * x**2, batch_size=4, shuffle=False, verbose=0, callbacks=[rule])
        found.append(measured)
    assert len(found[0]) == 5
    np.testing.assert_allclose(found[1], found[0], rtol=1e-5)
    np.testing.assert_allclose(found[2], found[0], rtol=1e-4)


def test_within_epochs_a_step_that_reports_no_loss_is_refused_by_what_it_reports():
    model = reporting(lambda logs: {"d_loss": logs["loss"]})([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"reports 'd_loss' but no 'loss'"):
        model.fit(X, X, verbose=0, callbacks=[ReduceOnPlateau(every_steps=1)])


def test_raises_after_improvements_but_not_above_the_maximum():
    rule = ReduceOnPlateau("said", mode="min", factor=0.5, patience=1, raise_after=2)
    assert run(made(), [1.0, 1.0, 0.9, 0.8, 0.7, 0.6, 0.5], rule) == 1.0
    assert rule.changes[:2] == [(1, 0.5), (3, 1.0)]
    rule = ReduceOnPlateau("said", mode="min", factor=0.5, raise_after=1, max_multiplier=4)
    assert run(made(), [1.0, 0.5, 0.4, 0.3], rule) == 4.0


def test_cooldown_floor_and_mode():
    rule = ReduceOnPlateau("said", factor=0.1, patience=1, cooldown=2, min_multiplier=0.05, mode="max")
    assert run(made(), [0.5, 0.6, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4], rule) == pytest.approx(0.05)
    assert [epoch for epoch, _ in rule.changes][:2] == [2, 4]


@pytest.mark.parametrize(("mode", "after"), [("auto", 1.0), ("min", 0.25)])
def test_the_metric_says_which_way_is_better(mode, after):
    model = made()
    model.compile(keras.optimizers.SGD(0.1), loss="mse", metrics=["accuracy"])
    rule = ReduceOnPlateau("accuracy", mode=mode, factor=0.5, patience=1)

    class Rises(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["accuracy"] = 0.5 + 0.1 * epoch

    model.fit(X, X, epochs=3, verbose=0, callbacks=[Rises(), rule])
    assert model.optimizer._learning_rate.multiplier == after


def test_what_cannot_be_inferred_is_refused_before_the_first_step():
    model = made()
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"higher 'said' is better cannot be known.* Pass mode='min' or mode='max'"):
        run(model, [1.0], ReduceOnPlateau("said"))
    np.testing.assert_array_equal(model.get_weights()[0], before[0])
    model.compile(keras.optimizers.SGD(0.1), loss="mse", metrics=["accuracy"])
    with pytest.raises(ValueError, match="higher 'said' is better cannot be known"):
        run(model, [1.0], ReduceOnPlateau("said"))
    with pytest.raises(ValueError, match=r"^ReduceOnPlateau takes 'auto', 'min' or 'max' as mode\. .* mode='up'"):
        ReduceOnPlateau(mode="up")


def test_at_a_bound_nothing_changes_and_nothing_is_reported():
    rule = ReduceOnPlateau("said", mode="min", factor=0.5, raise_after=1, verbose=True)
    assert run(made(), [1.0, 0.5, 0.4, 0.3], rule) == 1.0
    assert rule.changes == []
    rule = ReduceOnPlateau("said", mode="min", factor=0.1, patience=1, min_multiplier=0.05)
    run(made(), [1.0] * 5, rule)
    assert rule.changes == [(1, 0.1), (2, 0.05)]


@pytest.mark.parametrize(
    ("before", "says", "after"), [(1e-5, [1.0] * 3, 1e-5), (100.0, [1.0] * 3, 25.0), (100.0, [3.0, 2.0, 1.0], 100.0)]
)
def test_a_reduction_never_raises_a_rate_that_was_scaled_before_and_a_raise_never_lowers_it(before, says, after):
    model = made()
    set_learning_rate(model, s.Constant(0.1))
    scale_learning_rate(model, before)
    rule = ReduceOnPlateau("said", mode="min", factor=0.5, patience=1, raise_after=1)
    assert run(model, says, rule) == pytest.approx(after, rel=1e-6)


def test_not_a_number_is_no_improvement():
    rule = ReduceOnPlateau("said", mode="min", factor=0.5, patience=2)
    assert run(made(), [1.0, float("nan"), float("nan")], rule) == 0.5


def test_within_epochs_it_reads_the_loss_of_the_batches():
    model = made(0.0)
    rule = ReduceOnPlateau(every_steps=2, factor=0.5, patience=2)
    x = np.ones((8, 1), "float32")
    model.fit(x, x + 1, batch_size=1, epochs=2, shuffle=False, verbose=0, callbacks=[rule])
    assert len(rule.changes) == 3


@pytest.mark.parametrize("together", [2, 4])
def test_batches_that_are_executed_together_are_counted_one_by_one(backend, together):
    if backend == "torch":
        pytest.skip("Keras refuses steps_per_execution on the PyTorch backend")
    model = made(0.0)
    model.compile(keras.optimizers.SGD(0.0), loss="mse", steps_per_execution=together)
    rule = ReduceOnPlateau(every_steps=4, factor=0.5, patience=1)
    x = np.ones((8, 1), "float32")
    model.fit(x, x + 1, batch_size=1, epochs=2, shuffle=False, verbose=0, callbacks=[rule])
    assert [epoch for epoch, _ in rule.changes] == [0, 1, 1]  # four measurements, the first of them the best so far


def test_a_missing_measure_is_named():
    with pytest.warns(UserWarning, match="no `val_loss` in the logs of epoch 1, only loss"):
        made().fit(X, X, verbose=0, callbacks=[ReduceOnPlateau()])


@pytest.mark.parametrize("bad", [{"factor": 1.5}, {"patience": 0}, {"min_multiplier": 2.0}, {"every_steps": 0}])
def test_bad_arguments_are_refused(bad):
    with pytest.raises(
        ValueError, match=f"ReduceOnPlateau takes a .* as {next(iter(bad))}. Received: {next(iter(bad))}="
    ):
        ReduceOnPlateau(**bad)
