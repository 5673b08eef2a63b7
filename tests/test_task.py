"""A training problem as one value."""

import functools

import keras
import numpy as np
import pytest

import keras_lr
from keras_lr.task import Task

X = np.linspace(-1, 1, 64, dtype="float32")[:, None]


def build():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mse")
    return model


def test_every_model_is_new_and_a_seed_repeats_its_weights():
    task = Task(build, X, 3 * X)
    first, second = task.model(seed=1), task.model(seed=1)
    assert first is not second
    np.testing.assert_array_equal(first.get_weights()[0], second.get_weights()[0])
    assert not np.array_equal(first.get_weights()[0], task.model(seed=2).get_weights()[0])


def test_its_arguments_are_those_of_fit():
    weights = np.r_[np.ones(32), np.zeros(32)].astype("float32")
    task = Task(
        build, X, 3 * X, validation_data=(X, X), batch_size=16, epochs=3, sample_weight=weights, steps_per_epoch=2
    )
    model = task.model(seed=0)
    history = model.fit(**task.fit_arguments(), verbose=0)
    assert len(history.history["val_loss"]) == 3
    assert int(model.optimizer.iterations) == 6


def test_a_race_gets_all_that_decides_a_step():
    task = Task(
        build, X, 3 * X, validation_data=(X, X), validation_steps=1, class_weight={0: 2.0}, validation_split=0.5
    )
    assert task.fit_arguments().keys() - task.race_arguments().keys() == {
        "validation_data",
        "validation_steps",
        "shuffle",
    }
    assert task.race_arguments()["class_weight"] == {0: 2.0}


def test_rows_in_their_order_stay_in_it():
    task = Task(build, X, 3 * X, batch_size=16, epochs=2, shuffle=False)
    swept = keras_lr.sweep(task, rates=[0.05], seeds=[3])
    model = task.model(seed=3)
    model.optimizer.learning_rate = 0.05
    history = model.fit(X, 3 * X, batch_size=16, epochs=2, shuffle=False, verbose=0).history
    assert swept.values[swept.rates == 0.05] == pytest.approx(history["loss"][-1], rel=1e-6)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"validation_split": 1.5}, "validation_split=1.5: give the fraction"),
        ({"shuffle": "batch"}, "Task takes True or False as shuffle"),
    ],
)
def test_what_fit_would_refuse_is_refused_at_once(wrong, message):
    with pytest.raises(ValueError, match=message):
        Task(build, X, 3 * X, **wrong)


def test_its_text_does_not_hold_the_data():
    assert "array" not in repr(Task(build, X, 3 * X, validation_data=(X, X)))


def test_a_model_in_place_of_a_function_is_refused():
    with pytest.raises(ValueError, match=r"is not a function that builds a model.*pass a function"):
        Task(build(), X)


def test_a_function_that_needs_arguments_is_refused():
    with pytest.raises(ValueError, match=r"needs units, rate, and is called without.*Task\(lambda: make_model\(64\)"):
        Task(sized, X)
    assert Task(functools.partial(sized, 1, rate=0.1), X).model().compiled


def sized(units, *more, rate, name="mine", **others):
    return build()


def test_no_epochs_are_refused():
    with pytest.raises(ValueError, match="epochs=0 leaves nothing to train"):
        Task(build, X, epochs=0)


def test_a_function_that_returns_no_model_is_refused():
    with pytest.raises(ValueError, match=r"forgetful\(\) returned None, not a keras.Model. End it with `return model`"):
        Task(forgetful, X).model()


def test_a_model_that_is_not_compiled_is_refused():
    with pytest.raises(ValueError, match=r"raw\(\) returned the model '.*' without compiling it. Call model.compile"):
        Task(raw, X).model()


def forgetful():
    build()


def raw():
    return keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])


@pytest.mark.parametrize("epochs", ["3", 2.5, None, True])
def test_epochs_are_whole(epochs):
    with pytest.raises(ValueError, match=rf"epochs={epochs!r}: give a whole number"):
        Task(build, X, epochs=epochs)
