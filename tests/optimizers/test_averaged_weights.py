"""Whoever looks at the model sees the average; the training step alone sees the training point."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_lr.callbacks import AveragedWeights
from keras_lr.optimizers import DoG, ScheduleFreeAdamW, ScheduleFreeSGD

MAKERS = {
    "DoG": lambda: DoG(relative_start=1e-2),
    "ScheduleFreeAdamW": lambda: ScheduleFreeAdamW(0.05, warmup_steps=2, weight_decay=0.1),
    "ScheduleFreeSGD": lambda: ScheduleFreeSGD(0.1),
}
every = pytest.mark.parametrize("name", MAKERS)


def data():
    x = np.random.RandomState(0).randn(64, 3).astype("float32")
    return x, np.tanh(x).sum(1, keepdims=True) + 2.0


def compiled(name, normalise=False):
    keras.utils.set_random_seed(3)
    middle = [keras.layers.BatchNormalization(momentum=0.9)] if normalise else []
    if normalise and keras.backend.backend() != "torch":  # where every evaluation of Keras moves the masks that follow
        middle.append(keras.layers.Dropout(0.2))
    layers = [keras.layers.Dense(6, activation="tanh"), *middle, keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((3,)), *layers])
    model.compile(MAKERS[name](), loss="mse")
    return model


def fit(model, epochs, callbacks=(), **arguments):
    x, y = data()
    history = model.fit(
        x, y, batch_size=16, epochs=epochs, shuffle=False, verbose=0, callbacks=list(callbacks), **arguments
    )
    return [float(v) for v in history.history["loss"]], history


def loss_of(model):
    x, y = data()
    return float(model.evaluate(x, y, verbose=0, batch_size=64))


@every
def test_fit_ends_at_the_average(name):
    model = compiled(name)
    fit(model, 3)
    ended = loss_of(model)
    average = model.get_weights()
    model.optimizer.use_training()
    training = model.get_weights()
    assert not all(np.array_equal(a, b) for a, b in zip(average, training, strict=True))
    model.optimizer.use_average()
    assert loss_of(model) == pytest.approx(ended, rel=1e-6)


@every
def test_validation_is_at_the_average_and_leaves_no_trace(name):
    x, y = data()
    plain, watched = compiled(name), compiled(name)
    losses, _ = fit(plain, 3)
    watched_losses, history = fit(watched, 3, [AveragedWeights()], validation_data=(x, y), validation_batch_size=64)
    assert watched_losses == losses
    for one, other in zip(plain.get_weights(), watched.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert float(history.history["val_loss"][-1]) == pytest.approx(loss_of(watched), rel=1e-6)
    one_epoch = compiled(name)
    fit(one_epoch, 1)
    assert float(history.history["val_loss"][0]) == pytest.approx(loss_of(one_epoch), rel=1e-6)


@every
def test_what_is_saved_is_the_average_and_trains_on(name, tmp_path):
    unbroken = compiled(name)
    losses, _ = fit(unbroken, 4)
    saved = compiled(name)
    checkpoint = keras.callbacks.ModelCheckpoint(str(tmp_path / "{epoch}.keras"))
    fit(saved, 2, [AveragedWeights(), checkpoint])
    resumed = keras.models.load_model(tmp_path / "2.keras")
    assert loss_of(resumed) == pytest.approx(loss_of(saved), rel=1e-6)
    more, _ = fit(resumed, 2)
    # Without the callback the first gradient of the second fit is taken at the average, once.
    assert more == pytest.approx(losses[2:], rel=0.2)
    resumed = keras.models.load_model(tmp_path / "2.keras")
    more, _ = fit(resumed, 2, [AveragedWeights()])
    assert more == pytest.approx(losses[2:], rel=1e-4)


@every
def test_a_run_that_keras_brings_back_goes_on_at_the_training_point(name, tmp_path):
    whole, _ = fit(compiled(name), 4, [AveragedWeights()])

    def stop(epoch, logs):
        if epoch == 1:
            raise KeyboardInterrupt

    def callbacks():
        return [AveragedWeights(), keras.callbacks.BackupAndRestore(tmp_path)]

    with pytest.raises(KeyboardInterrupt):
        fit(compiled(name), 4, [*callbacks(), keras.callbacks.LambdaCallback(on_epoch_end=stop)])
    resumed, _ = fit(compiled(name), 4, callbacks())
    assert resumed == pytest.approx(whole[2:], rel=1e-5)


def test_statistics_of_batch_normalization_belong_to_the_average():
    model = compiled("ScheduleFreeAdamW", normalise=True)
    x, y = data()
    with pytest.raises(ValueError, match="batch_normalization"):
        fit(model, 1, [AveragedWeights()])
    model = compiled("ScheduleFreeAdamW", normalise=True)
    plain = compiled("ScheduleFreeAdamW", normalise=True)
    watch = AveragedWeights(x, batch_size=64)
    losses, history = fit(model, 3, [watch], validation_data=(x, y), validation_batch_size=64)
    assert losses == fit(plain, 3)[0]  # dropout masks and running statistics of training are as they were
    normaliser = model.layers[1]
    inputs = ops.convert_to_numpy(model.layers[0](x))
    np.testing.assert_allclose(ops.convert_to_numpy(normaliser.moving_mean), inputs.mean(0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ops.convert_to_numpy(normaliser.moving_variance), inputs.var(0), rtol=1e-3, atol=1e-5)
    assert float(history.history["val_loss"][-1]) == pytest.approx(loss_of(model), rel=1e-5)


def test_the_passes_that_recompute_statistics_leave_the_masks_to_come_as_they_were():
    masks, (x, _) = [], data()
    for batches in (1, 4):
        keras.utils.set_random_seed(3)
        hidden = [keras.layers.Dense(6), keras.layers.BatchNormalization(), keras.layers.Dropout(0.2)]
        model = keras.Sequential([keras.Input((3,)), *hidden, keras.layers.Dense(1)])
        model.compile(ScheduleFreeSGD(0.1), "mse")
        fit(model, 2, [AveragedWeights(x, batches=batches, batch_size=16)])
        masks.append(ops.convert_to_numpy(hidden[2].seed_generator.state))
    np.testing.assert_array_equal(*masks)


def test_statistics_are_recomputed_from_the_inputs_of_a_loader_too():
    torch = pytest.importorskip("torch")
    x, y = data()
    found = []
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(torch.tensor(x), torch.tensor(y)), batch_size=16
    )
    for given in (loader, x):
        model = compiled("ScheduleFreeSGD", normalise=True)
        fit(model, 2, [AveragedWeights(given, batch_size=16)])
        found.append(model.get_weights())
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def of_two_inputs(outer):
    first, second = keras.Input((3,)), keras.Input((3,))
    return keras.Model([first, second], outer(first + second))


class OfUnknownInputs(keras.Model):
    def __init__(self, outer):
        super().__init__()
        self.outer = outer

    def call(self, x):
        return self.outer(keras.tree.flatten(x)[0])


def statistics(given, wrap=None, x=None):
    """What the running mean is after a fit, recomputed from what was given."""
    keras.utils.set_random_seed(3)
    outer = keras.Sequential([keras.layers.BatchNormalization(), keras.layers.Dense(1)])
    model = keras.Sequential([keras.Input((3,)), *outer.layers]) if wrap is None else wrap(outer)
    model.compile(ScheduleFreeSGD(0.1), "mse")
    rows, y = data()
    model.fit(rows if x is None else x, y, batch_size=64, verbose=0, callbacks=[AveragedWeights(given, batch_size=16)])
    return ops.convert_to_numpy(outer.layers[0].moving_mean)


def test_a_list_of_arrays_is_batches_or_the_inputs_as_the_model_has_one_or_several():
    x, _ = data()
    halves = [x[:32], x[32:]]
    for given in (halves, [(half,) for half in halves], [x], x):
        np.testing.assert_allclose(statistics(given), x.mean(0), rtol=1e-4, atol=1e-5)
    both = [x, x]
    for given in (both, [[half, half] for half in halves], [([half, half], None) for half in halves]):
        np.testing.assert_allclose(statistics(given, of_two_inputs, both), 2 * x.mean(0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(statistics([(x,)], OfUnknownInputs), x.mean(0), rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match=r"Received: 3 arrays, and .* is 2\. .*\[\(x,\), \.\.\.\]"):
        statistics([x, x, x], of_two_inputs, both)
    with pytest.raises(ValueError, match=r"Received: 2 arrays, and .* is unknown"):
        statistics(halves, OfUnknownInputs)


@pytest.mark.parametrize("given", [3, 0.5, "x_train", np.float32(1.0)])
def test_what_holds_no_inputs_is_refused(given):
    with pytest.raises(ValueError, match=r"^AveragedWeights takes inputs, as an array .* as data\. Received: data="):
        AveragedWeights(given)


def test_data_of_another_shape_leave_the_momentum_of_normalisation():
    model = keras.Sequential([keras.Input((4,)), keras.layers.BatchNormalization(), keras.layers.Dense(1)])
    model.compile(ScheduleFreeSGD(0.1), "mse")
    x = np.ones((8, 4), "float32")
    with pytest.raises(ValueError, match="is incompatible with the layer"):
        model.fit(x, x[:, :1], verbose=0, callbacks=[AveragedWeights(x[:, :3])])
    assert model.layers[0].momentum == 0.99


def test_data_that_can_be_read_only_once_are_refused():
    with pytest.raises(ValueError, match="can be read only once"):
        AveragedWeights(batch for batch in np.ones((2, 8, 4)))


def test_with_another_optimizer_it_does_nothing():
    model = compiled("DoG")
    model.compile("adam", loss="mse")
    one = fit(model, 2, [AveragedWeights()])[0]
    other = compiled("DoG")
    other.compile("adam", loss="mse")
    assert one == fit(other, 2)[0]


def test_weights_loaded_after_build_are_where_the_walk_starts():
    model = compiled("DoG")
    model.optimizer.build(model.trainable_variables)
    model.set_weights([w + 5.0 for w in model.get_weights()])
    fresh = compiled("DoG")
    fresh.set_weights([w + 5.0 for w in fresh.get_weights()])
    assert fit(model, 1)[0] == fit(fresh, 1)[0]
