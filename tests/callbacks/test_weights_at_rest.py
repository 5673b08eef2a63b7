import keras
import numpy as np
import pytest
from keras import layers
from oracles.closure_searches import noisy_classes

from keras_lr.callbacks._weights_at_rest import WeightsAtRest
from keras_lr.line_search import Bisection
from keras_lr.optimizers._gradient_only import GradientOnly

BATCH = 32


def net(optimizer=None):
    model = keras.Sequential([keras.Input((6,)), layers.Dense(8, activation="tanh"), layers.Dense(3)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer or GradientOnly(Bisection(), initial_step=0.01, max_update_norm=3.0), loss=loss)
    return model


def values(variables):
    return [keras.ops.convert_to_numpy(v) for v in variables]


class Look(keras.callbacks.Callback):
    """Notes where the weights stand when others look at them, in units of the direction."""

    def __init__(self):
        super().__init__()
        self.at_test, self.at_epoch_end, self.at_batch_end, self.losses = [], [], [], []

    def position(self):
        search = keras.ops.convert_to_numpy(self.model.optimizer._numbers["search"])
        return float(search[2])

    def on_test_batch_begin(self, batch, logs=None):
        self.at_test.append(self.position())

    def on_epoch_end(self, epoch, logs=None):
        self.at_epoch_end.append(self.position())

    def on_train_batch_end(self, batch, logs=None):
        self.at_batch_end.append(self.position())


def test_validation_and_epoch_ends_see_weights_at_rest_and_training_goes_on_at_the_trial():
    x, y = noisy_classes(rows=BATCH * 5)
    model, look = net(), Look()
    model.fit(x, y, batch_size=BATCH, epochs=4, validation_data=(x, y), verbose=0, callbacks=[WeightsAtRest(), look])
    assert set(look.at_test) == set(look.at_epoch_end) == {0.0}
    assert min(look.at_batch_end) > 0.0


def test_validation_loss_is_the_loss_of_the_accepted_point():
    x, y = noisy_classes(rows=BATCH * 5)
    model = net()
    history = model.fit(
        x, y, batch_size=BATCH, epochs=3, validation_data=(x, y), verbose=0, callbacks=[WeightsAtRest()]
    )
    assert history.history["val_loss"][-1] == pytest.approx(model.evaluate(x, y, verbose=0), rel=1e-5)


def test_resting_does_not_change_the_search():
    x, y = noisy_classes(rows=BATCH * 5)
    start = net("sgd").get_weights()
    ends = []
    for callbacks in ([], [WeightsAtRest()]):
        model = net()
        model.set_weights(start)
        model.fit(x, y, batch_size=BATCH, epochs=3, shuffle=False, verbose=0, callbacks=callbacks)
        ends.append((model.optimizer.accepts, model.get_weights()))
    assert ends[0][0] == ends[1][0]
    for a, b in zip(ends[0][1], ends[1][1], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


def test_an_optimizer_that_is_built_but_has_no_line_yet_begins_at_the_origin():
    x, y = noisy_classes(rows=BATCH * 5)
    start = net("sgd").get_weights()
    ends = []
    for built in (False, True):
        model = net()
        model.set_weights(start)
        if built:
            model.optimizer.build(model.trainable_variables)
        arguments = {"batch_size": BATCH, "epochs": 2, "shuffle": False, "verbose": 0}
        model.fit(x, y, callbacks=[WeightsAtRest()], **arguments)
        ends.append(values([*model.trainable_variables, model.optimizer._numbers["search"]]))
    for a, b in zip(*ends, strict=True):
        np.testing.assert_array_equal(a, b)


def test_interrupted_training_goes_on_bit_for_bit(tmp_path):
    x, y = noisy_classes(rows=BATCH * 5)
    model = net()
    save = keras.callbacks.ModelCheckpoint(str(tmp_path / "{epoch}.keras"))
    arguments = {"batch_size": BATCH, "shuffle": False, "verbose": 0}
    model.fit(x, y, epochs=4, callbacks=[WeightsAtRest(), save], **arguments)
    resumed = keras.models.load_model(tmp_path / "2.keras")
    resumed.fit(x, y, epochs=4, initial_epoch=2, callbacks=[WeightsAtRest()], **arguments)
    both = zip(
        values([*resumed.variables, *resumed.optimizer.variables]),
        values([*model.variables, *model.optimizer.variables]),
        strict=True,
    )
    for a, b in both:
        np.testing.assert_array_equal(a, b)


def test_without_the_callback_a_second_fit_starts_a_search_at_the_accepted_point():
    x, y = noisy_classes(rows=BATCH * 5)
    model = net()
    model.fit(x, y, batch_size=BATCH, epochs=1, verbose=0)
    before, accepts = model.get_weights(), model.optimizer.accepts
    assert model.optimizer._field("position") == 0.0
    model.train_on_batch(x[:BATCH], y[:BATCH])
    u = values(model.optimizer._slots.apart("descent", range(len(before))))
    for old, new, d in zip(before, model.get_weights(), u, strict=True):
        np.testing.assert_allclose(new, old - model.optimizer._field("step_size") * d, rtol=1e-4, atol=1e-6)
    assert model.optimizer.accepts == accepts


def test_logs_tell_step_size_accepts_and_trials():
    x, y = noisy_classes(rows=BATCH * 10)
    model = net()
    history = model.fit(x, y, batch_size=BATCH, epochs=4, verbose=0, callbacks=[WeightsAtRest()]).history
    assert history["accepts"][-1] == model.optimizer.accepts
    assert history["step_size"][-1] == model.optimizer.step_size
    gained = np.diff([0, *history["accepts"]])
    np.testing.assert_allclose(history["trials_per_accept"], 10 / np.maximum(gained, 1))


def test_a_run_that_keras_brings_back_counts_the_trials_of_its_own_epochs(tmp_path):
    x, y = noisy_classes(rows=BATCH * 10)
    start = net("sgd").get_weights()

    def fit(*after):
        model = net()
        model.set_weights(start)
        arguments = {"batch_size": BATCH, "epochs": 4, "shuffle": False, "verbose": 0}
        return model.fit(x, y, callbacks=[WeightsAtRest(), *after], **arguments).history["trials_per_accept"]

    def stop(epoch, logs):
        if epoch == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(keras.callbacks.BackupAndRestore(tmp_path), keras.callbacks.LambdaCallback(on_epoch_end=stop))
    assert fit(keras.callbacks.BackupAndRestore(tmp_path)) == pytest.approx(fit()[2:])


def test_other_optimizers_are_refused():
    x, y = noisy_classes(rows=BATCH)
    with pytest.raises(ValueError, match="compiled with SGD"):
        net("sgd").fit(x, y, verbose=0, callbacks=[WeightsAtRest()])
