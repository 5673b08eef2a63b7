"""Validation data are looked at before the race, without a trace; those that cannot be evaluated are refused."""

import random

import keras
import numpy as np
import pytest
from oracles.unchanged import unchanged

import keras_lr
from keras_lr.training._borrow import prepare
from keras_lr.training._random_state import random_state
from keras_lr.training._validation_data import checked_validation_data, checked_validation_freq

X = np.random.default_rng(0).normal(size=(72, 4)).astype("float32")
Y = X.sum(1, keepdims=True)


class Noisy(keras.layers.Layer):
    """Draws at every call, in training or not."""

    def __init__(self):
        super().__init__()
        self.draws = keras.random.SeedGenerator(1)

    def call(self, x):
        return x + keras.random.normal(keras.ops.shape(x), seed=self.draws) * 0.01


class Batches(keras.utils.PyDataset):
    """Batches that notice how often an epoch has ended."""

    ends = 0

    def __len__(self):
        return 3

    def __getitem__(self, index):
        random.random()
        return X[index * 16 : (index + 1) * 16], Y[index * 16 : (index + 1) * 16]

    def on_epoch_end(self):
        self.ends += 1


class NoBatches(Batches):
    def __len__(self):
        return 0


class OwnTestStep(keras.Sequential):
    """Takes a batch apart as most do who write a step of their own."""

    def test_step(self, *state_and_data):
        _, _ = state_and_data[-1]
        return super().test_step(*state_and_data)


def generator():
    return ((X[i : i + 16], Y[i : i + 16]) for i in range(0, 64, 16))


def a_model(kind=keras.Sequential, optimizer="adam", **compiled):
    keras.utils.set_random_seed(0)
    model = kind([keras.Input((4,)), Noisy(), keras.layers.BatchNormalization(), keras.layers.Dense(1)])
    model.compile(optimizer=optimizer, loss="mse", metrics=["mae"], **compiled)
    return model


def a_prepared_model(**kwargs):
    model = a_model(**kwargs)
    prepare(model, (X[:16], Y[:16]))
    model.fit(X, Y, verbose=0)  # so that metrics and statistics hold something
    return model


CANNOT = "validation_data cannot be evaluated, and nothing was trained yet"
WRONG = {
    "columns": ((X[:, :3], Y), "to have value 4, but received input with shape"),
    "rows": ((X, Y[:9]), "x has 72 rows, y has 9 rows"),
    "no rows": ((X[:0], Y[:0]), "x has no rows"),
    "no targets": (X, "y=None, and the loss 'mse'"),
    "no weights": ((X, Y, []), r"sample_weight=\[\] has no rows"),
    "lists": ((X.tolist(), Y.tolist()), "x is a list and y a list"),
    "a name": ("validation", "Unrecognized data type: x=validation"),
    "an empty generator": ((pair for pair in ()), "x=generator holds no batch|empty generator"),
    "an empty data set": (NoBatches(), "x=NoBatches holds no batch"),
    "a generator of others": (((X[:8, :3], Y[:8]) for _ in range(3)), "to have value 4, but received input with shape"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_ones_are_refused_before_the_race(wrong):
    given, message = WRONG[wrong]
    model, said = a_model(), []
    before = model.get_weights()
    with pytest.raises(ValueError, match=f"(?s){CANNOT}: .*({message})"):
        keras_lr.fit(model, X, Y, validation_data=given, progress=lambda *told: said.append(told))
    assert not said
    for weight, was in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, was)
    assert keras_lr.fit(model, X, Y, validation_data=(X, Y), epochs=4, verbose=0).completed


@pytest.mark.parametrize("given", [(), (X, Y, Y, Y), [X, Y, Y, Y]])
def test_they_have_one_to_three_parts(given):
    with pytest.raises(ValueError, match=rf"validation_data is a (tuple|list) of {len(given)} parts: give \(x, y\)"):
        checked_validation_data(a_prepared_model(), given)


@pytest.mark.parametrize("given", [(X, Y), [X, Y, np.ones(72)], generator, Batches(workers=1)])
@pytest.mark.parametrize("together", [1, 3])
def test_a_look_leaves_no_trace(given, together):
    if together > 1 and keras.backend.backend() == "torch":
        pytest.skip("Keras executes no steps together on PyTorch")
    model = a_prepared_model(steps_per_execution=together)
    given = given() if callable(given) and not isinstance(given, Batches) else given
    generators = random_state()
    with unchanged(model):
        checked = checked_validation_data(model, given, 16)
    assert random_state() == generators
    if isinstance(given, Batches):
        assert not given.ends
    if hasattr(given, "send"):
        assert sum(len(x) for x, _ in checked) == 64
    else:
        assert checked is given


def test_a_look_leaves_the_generator_of_a_loader_alone():
    torch = pytest.importorskip("torch")
    rows = torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y))
    draws = torch.Generator().manual_seed(0)
    loader = torch.utils.data.DataLoader(rows, batch_size=16, shuffle=True, generator=draws)
    before = draws.get_state()
    assert checked_validation_data(a_prepared_model(), loader) is loader
    assert torch.equal(draws.get_state(), before)


@pytest.mark.parametrize("batch_size", [None, 16])
def test_one_batch_is_looked_at_and_not_all_rows(batch_size):
    class Counting(keras.Sequential):
        most = 0

        def call(self, x, *arguments, **options):
            self.most = max(self.most, x.shape[0] or 0)
            return super().call(x, *arguments, **options)

    model = a_model(Counting, run_eagerly=True)
    prepare(model, (X[:16], Y[:16]))
    checked_validation_data(model, (X, Y), batch_size)
    assert model.most == (batch_size or 32)


def test_a_step_of_the_models_own_gets_what_fit_hands_it():
    model = a_prepared_model(kind=OwnTestStep)
    checked_validation_data(model, (X, Y))
    checked_validation_data(model, generator())


def test_an_optimizer_that_cannot_be_raced_can_be_evaluated():
    checked_validation_data(a_prepared_model(optimizer="ftrl"), (X, Y))


def test_the_generator_is_evaluated_from_its_beginning():
    how = {"epochs": 1, "batch_size": 16, "validation_steps": 4, "verbose": 0}
    result = keras_lr.fit(a_model(), X, Y, validation_data=generator(), **how)
    arrays = keras_lr.fit(a_model(), X, Y, validation_data=(X[:64], Y[:64]), **how)
    np.testing.assert_allclose(result.history["val_loss"], arrays.history["val_loss"], rtol=1e-5)


@pytest.mark.numpy_only
@pytest.mark.parametrize("given", [2, np.int64(2), [1, 3], []])
def test_how_often_is_handed_on_as_keras_takes_it(given):
    freq = checked_validation_freq(given)
    assert freq == given
    assert isinstance(freq, int | list)
