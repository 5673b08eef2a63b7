"""A network that answers every input alike is told from one that does not."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_lr
from keras_lr.training._borrow import borrowed, prepare
from keras_lr.training._dead_network import Life, is_dead, life_of, most_telling
from keras_lr.training._training_data import TrainingData

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(256, 4)).astype("float32")
Y = X.sum(1, keepdims=True) + 3.0


def a_model(bias):
    """With a bias of -100 no unit is ever above zero; dropout draws a mask at every step."""
    hidden = layers.Dense(16, activation="relu", bias_initializer=keras.initializers.Constant(bias))
    model = keras.Sequential([keras.Input((4,)), hidden, layers.Dropout(0.2), layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), loss="mse")
    return model


@pytest.mark.parametrize(
    ("bias", "targets", "dead"),
    [
        (-100.0, Y, True),
        (0.0, Y, False),
        (-100.0, np.full_like(Y, 3.0), False),
        (-100.0, np.tile(np.float32([[0.0], [1.0]]), (128, 1)), True),
        (-100.0, np.eye(256, 1, dtype="float32"), True),
        (0.0, np.eye(256, 1, dtype="float32"), False),
    ],
    ids=["dead", "alive", "one target for all rows tells nothing", "two targets in turn", "a rare class", "alive too"],
)
def test_exchanged_inputs_tell_a_dead_network(bias, targets, dead):
    model = a_model(bias)
    data = TrainingData(((X[k : k + 32], targets[k : k + 32]) for k in (0, 32, 64)), steps_per_epoch=3)
    model.fit(X, targets, batch_size=32, verbose=0)  # the velocity moves the weights at a rate of 0 as well
    prepare(model, data.example())
    before = model.get_weights()
    with borrowed(model) as steps:
        assert is_dead(steps, data.batches(steps, 1, seed=0)[0]) is dead
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def dead_on(model, *batch):
    prepare(model, batch)
    data = TrainingData(*batch[:2], sample_weight=batch[2] if len(batch) > 2 else None, batch_size=len(batch[0]))
    with borrowed(model) as steps:
        return is_dead(steps, data.batches(steps, 1, seed=0)[0])


@pytest.mark.parametrize(("bias", "dead"), [(-100.0, True), (0.0, False)])
def test_noise_behind_dead_units_hides_nothing(bias, dead):
    model = a_model(bias)
    noisy = keras.Sequential([*model.layers[:-1], layers.GaussianNoise(1.0), layers.Dropout(0.5), layers.Dense(1)])
    noisy.compile("sgd", loss="mse")
    assert dead_on(noisy, X[:32], Y[:32]) is dead


@pytest.mark.parametrize(("bias", "dead"), [(-100.0, True), (0.0, False)])
def test_a_single_row_that_counts_is_enough(bias, dead):
    assert dead_on(a_model(bias), X[:32], Y[:32], np.eye(32)[5]) is dead


def test_rows_that_do_not_count_or_are_all_alike_tell_nothing():
    hidden = layers.Dense(
        16,
        activation="relu",
        kernel_regularizer="l2",  # so that there is a loss without any row
        bias_initializer=keras.initializers.Constant(-100.0),
    )
    model = keras.Sequential([keras.Input((4,)), hidden, layers.Dense(1)])
    model.compile("sgd", loss="mse")
    assert dead_on(model, X[:32], Y[:32])
    assert not dead_on(model, X[:32], Y[:32], np.zeros(32))
    assert not dead_on(model, np.ones_like(X[:32]), Y[:32])


def test_of_inputs_that_are_not_by_rows_nothing_is_said():
    inputs = {"rows": keras.Input((4,), name="rows"), "shared": keras.Input(batch_shape=(3, 4), name="shared")}
    dead = layers.Dense(1, activation="relu", bias_initializer=keras.initializers.Constant(-100.0))
    model = keras.Model(inputs, dead(inputs["rows"]) + keras.ops.mean(inputs["shared"]))
    model.compile("sgd", loss="mse")
    batch = ({"rows": X[:32], "shared": X[:3]}, Y[:32])
    prepare(model, batch)
    data = TrainingData((batch for _ in range(2)), steps_per_epoch=2)
    with borrowed(model) as steps:
        assert not is_dead(steps, data.batches(steps, 1, seed=0)[0])


def from_inputs(x):
    """What an autoencoder learns: the loss has no other targets than the inputs."""
    restored = layers.Dense(4)(layers.Dense(16, activation="relu")(x))
    return restored, lambda y, _: 0.0 * keras.ops.mean(y), keras.ops.mean(keras.ops.square(x - restored))


def its_own_output(x):
    """A model whose output is its loss, with targets that stand for nothing."""
    restored = layers.Dense(4)(layers.Dense(16, activation="relu")(x))
    return keras.ops.mean(keras.ops.square(x - restored), -1, keepdims=True), lambda _, out: keras.ops.mean(out), None


def of_the_whole_batch(x):
    """A loss that does not change where the rows of a batch change places."""
    out = layers.Dense(1)(layers.Dense(16, activation="relu")(x))
    return out, lambda y, out: keras.ops.square(keras.ops.std(y) - keras.ops.std(out)), None


@pytest.mark.parametrize("kind", [from_inputs, its_own_output, of_the_whole_batch])
def test_a_network_whose_loss_does_not_look_at_the_targets_is_alive(kind):
    inputs = keras.Input((4,))
    outputs, loss, added = kind(inputs)
    model = keras.Model(inputs, outputs)
    if added is not None:
        model = keras.Model(inputs, Adds()([outputs, added]))
    model.compile("sgd", loss=loss)
    assert not dead_on(model, X[:32], np.arange(32.0, dtype="float32"))


class Adds(layers.Layer):
    def call(self, both):
        self.add_loss(both[1])
        return both[0]


def test_of_several_batches_the_one_with_the_most_kinds_of_targets_is_asked():
    batches = [(X[:4], np.eye(4, 1)), (X[:4], np.ones((4, 1))), (X[:4], np.arange(4.0)), (X[:4], -np.arange(4.0))]
    assert most_telling(batches) is batches[0]  # half of the rows change, which is enough
    batches[0] = (X[:4],)
    assert most_telling(batches) is batches[2]
    assert most_telling(batches[:2]) is batches[0]
    rare = [(X[:32], targets) for targets in (np.zeros((32, 1)), np.eye(32, 1), np.eye(32, 1) + np.eye(32, 1, -1))]
    assert most_telling(rare) is rare[2]


@pytest.mark.parametrize(("bias", "dead"), [(-100.0, True), (0.0, False)])
def test_fit_says_that_the_network_has_died(bias, dead):
    result = keras_lr.fit(a_model(bias), X, Y, batch_size=32, epochs=8, verbose=0)
    told = [event.text for event in result.events if "answers every input alike" in event.text]
    assert len(told) == dead
    assert all("inputs that are not scaled" in text for text in told)  # for the rate need not be the cause


class OneRareBatch(keras.utils.PyDataset):
    """Eight batches, of which the sixth alone has rows of two kinds."""

    def __len__(self):
        return 8

    def __getitem__(self, index):
        return X[:32], 1 + np.eye(32, 1, dtype="float32") * (index == 5)


@pytest.mark.parametrize(("bias", "dead"), [(-100.0, True), (0.0, False)])
def test_fit_looks_for_a_batch_that_tells(bias, dead):
    result = keras_lr.fit(a_model(bias), OneRareBatch(), epochs=8, shuffle=False, verbose=0)
    assert any("answers every input alike" in event.text for event in result.events) is dead


@pytest.mark.filterwarnings("ignore:Gradients do not exist")  # for the layer of an output without a loss
@pytest.mark.parametrize(("bias", "dead"), [(-100.0, True), (0.0, False)])
def test_an_output_without_a_loss_has_no_targets(bias, dead):
    inputs = keras.Input((4,))
    hidden = layers.Dense(16, activation="relu", bias_initializer=keras.initializers.Constant(bias))(inputs)
    model = keras.Model(inputs, [layers.Dense(2)(hidden), layers.Dense(1)(hidden)])
    model.compile("sgd", loss=[None, "mse"])
    result = keras_lr.fit(model, X, [None, Y], batch_size=32, epochs=8, verbose=0)
    assert any("answers every input alike" in event.text for event in result.events) is dead


def test_a_network_without_any_loss_left_is_not_dead():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1, kernel_initializer="ones")])
    model.compile("sgd", loss="mse")
    whole = np.round(X[:32] * 4)  # whose sums are exact
    prepare(model, (whole, whole.sum(1, keepdims=True)))
    data = TrainingData(whole, whole.sum(1, keepdims=True), batch_size=32)
    with borrowed(model) as steps:
        assert not is_dead(steps, data.batches(steps, 1, seed=0)[0])


@pytest.mark.parametrize(
    ("now", "before", "life"),  # by the inputs and by the targets of other rows
    [
        ((1e-4, 1e-4), None, Life.ALIVE),
        ((5e-7, 5e-7), (1e-4, 1e-4), Life.DEAD),
        ((5e-7, 1e-2), (1e-4, 1e-2), Life.DEAD),
        ((1e-4, 5e-7), (1e-4, 1e-4), Life.DEAD),
        ((1e-4, 0.0), (1e-4, 0.0), Life.ALIVE),
        ((5e-7, 0.0), (1e-4, 0.0), Life.DEAD),
        ((5e-6, 1e-4), (5e-6, 1e-5), Life.ALIVE),
        ((5e-7, 5e-7), (1e-5, 1e-5), Life.DOUBTFUL),
        ((1e-5, 1e-5), (1e-4, 1e-4), Life.DOUBTFUL),
        ((1e-5, 1e-2), (1e-4, 1e-2), Life.DOUBTFUL),
    ],
)
def test_a_network_that_hardly_tells_rows_apart_or_hardly_did_before_is_in_doubt(now, before, life, monkeypatch):
    answers = iter((now, before))
    monkeypatch.setattr("keras_lr.training._dead_network._tells_apart", lambda *_: next(answers))
    model = a_model(0.0)
    prepare(model, (X[:32], Y[:32]))
    with borrowed(model) as steps:
        steps.kept_batch = (X[:32], Y[:32])
        assert life_of(steps, steps.copy()) is life


@pytest.mark.parametrize(("bias", "life"), [(-100.0, Life.DEAD), (0.0, Life.ALIVE)])
def test_a_loss_that_knows_the_inputs_hides_no_death_in_a_run(bias, life):
    code = layers.Dense(4, activity_regularizer=keras.regularizers.L2(0.1))
    model = keras.Sequential([keras.Input((4,)), code, *a_model(0.0).layers])
    model.compile("sgd", loss="mse")
    data = TrainingData(X, Y, batch_size=32)
    prepare(model, data.example())
    with borrowed(model) as steps:
        steps.kept_batch = data.batches(steps, 1, seed=0)[0]
        before = steps.copy()
        model.layers[1].bias.assign(np.full(16, bias))
        steps.start()
        assert not is_dead(steps, steps.kept_batch)
        assert life_of(steps, before) is life
