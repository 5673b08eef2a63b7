"""A sweep from end to end, on a line that is learnt in milliseconds."""

import random

import keras
import numpy as np
import pytest
from problems import X, a_linear_task, a_task, build

import keras_lr
from keras_lr.trials import _sweep

pytestmark = pytest.mark.above_backends


def test_it_finds_the_best_of_the_rates_that_it_is_given():
    told = []
    result = keras_lr.sweep(
        a_linear_task(), [0.3, 0.001, 0.03, 1e4], seeds=2, progress=lambda *done: told.append(done[:2])
    )
    assert result.rates.tolist() == [0.001, 0.03, 0.3, 1e4]
    assert result.seeds == (0, 1)
    assert result.values.shape == (4, 2)
    assert result.curves.shape == (4, 2, 2)
    assert 0.03 < result.learning_rate < 1
    assert result.edge == 1e4
    assert (result.monitor, result.optimizer, result.steps) == ("loss", "SGD", 12)
    np.testing.assert_array_equal(result.values[:3], result.curves[:3, :, -1])
    assert told == [(done, 8) for done in range(9)]


def test_the_rates_are_around_that_of_a_race_and_the_generators_stay():
    states = random.getstate(), np.random.get_state()[1].copy()
    result = keras_lr.sweep(a_linear_task(epochs=4), seeds=1, widen=False)
    assert random.getstate() == states[0]
    np.testing.assert_array_equal(np.random.get_state()[1], states[1])
    np.testing.assert_allclose(result.rates[1:] / result.rates[:-1], 10**0.5)
    assert len(result.rates) == 5
    race = keras_lr.race(a_linear_task().model(0), X, X @ np.ones((4, 1), "float32"), epochs=4, batch_size=12)
    assert result.rates[2] / race.learning_rate == pytest.approx(1, abs=0.8)


@pytest.mark.parametrize(("rates", "side"), [([1e-4, 1e-3], 1), ([1e3, 1e4], -1)])
def test_it_goes_on_beyond_a_border(rates, side):
    result = keras_lr.sweep(a_linear_task(), rates, seeds=1)
    assert 0 < result.widened == len(result.rates) - 2 <= 6
    assert not result.at_border
    added = [rate for rate in result.rates if not min(rates) <= rate <= max(rates)]
    assert all((rate > max(rates)) == (side > 0) for rate in added)
    assert 0.03 < result.learning_rate < 1


@pytest.mark.numpy_only
@pytest.mark.parametrize(
    ("losses", "further"),
    [
        ([1.0, 2.0, 3.0], 1e-4),
        ([3.0, 2.0, 1.0], 100.0),
        ([2.0, 1.0, 2.0], None),
        ([np.inf, np.inf, np.inf], 1e-4),
    ],
    ids=["lowest", "highest", "between", "all diverged"],
)
def test_the_next_rung_goes_on_with_the_ratio_of_its_border(losses, further):
    rung = _sweep._next_rung([1e-3, 1e-2, 1.0], np.array(losses)[:, None])
    assert rung is None if further is None else rung == pytest.approx(further)
    assert _sweep._next_rung([0.1], np.array([[1.0]])) == pytest.approx(0.1 / 10**0.5)


def test_a_border_that_stays_is_said():
    result = keras_lr.sweep(a_linear_task(epochs=1), [1e-9, 1.1e-9], seeds=1)
    assert result.widened == _sweep.MOST_FURTHER_RUNGS
    assert result.at_border
    assert "a better one may lie beyond" in result.reason
    assert keras_lr.sweep(a_linear_task(epochs=1), [1e-9, 1.1e-9], seeds=1, widen=False).widened == 0


def test_nothing_but_divergence_is_an_error():
    with pytest.raises(ValueError, match="Every run diverged"):
        keras_lr.sweep(a_linear_task(), [1e20, 1e21], seeds=1, widen=False)


def test_what_is_judged_by_and_how_long_can_be_chosen():
    task = a_task(lambda: build(keras.optimizers.Adam()), epochs=3)
    result = keras_lr.sweep(task, [0.01, 0.1], seeds=[4], epochs=1, monitor="val_mae", mode="max", widen=False)
    assert (result.monitor, result.higher_is_better) == ("val_mae", True)
    assert result.curves.shape == (2, 1, 1)
    assert result.optimizer == "Adam"
    model = task.model(4)
    model.optimizer.learning_rate = 0.1
    history = model.fit(**task.fit_arguments() | {"epochs": 1}, verbose=0).history
    assert result.values[1, 0] == history["val_mae"][-1]
    assert not keras_lr.sweep(task, [0.01], seeds=1, epochs=1, monitor="val_mae", widen=False).higher_is_better


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"rates": []}, ValueError, r"rates=\[\]: give at least one finite number above 0"),
        ({"rates": [0.1, -1]}, ValueError, "finite number above 0"),
        ({"rates": [0.1, np.nan]}, ValueError, "finite number above 0"),
        ({"rates": [0.1, 0.1]}, ValueError, "holds a rate twice"),
        ({"rates": keras.ops.convert_to_tensor([0.1, 0.1])}, ValueError, "holds a rate twice"),
        ({"seeds": 0}, ValueError, "seeds=0: give at least one"),
        ({"seeds": [1, 1]}, ValueError, "holds a seed twice"),
        ({"seeds": 1.5}, ValueError, r"seeds=.*: give a number of seeds"),
        ({"seeds": "3"}, ValueError, r"seeds=.*: give a number of seeds"),
        ({"seeds": [-1]}, ValueError, "from 0 to"),
        ({"epochs": 0}, ValueError, "epochs=0 leaves nothing to train"),
        ({"mode": "low"}, ValueError, "mode='low': give 'auto', 'min' or 'max'"),
        ({"monitor": "val_loss"}, ValueError, "needs validation data.*or monitor 'loss'"),
        ({"monitor": "happiness"}, ValueError, "Whether a higher 'happiness' is better"),
        ({"n_jobs": 0}, ValueError, "n_jobs=0: give a number of processes"),
        ({"schedule": keras_lr.schedules.Cosine(0.1, 5)}, TypeError, ": give a function of the peak"),
        ({"schedule": 3}, TypeError, ": give a function of the peak"),
        ({"storage": "nowhere/trials.db"}, ValueError, "there is no folder"),
    ],
)
def test_what_cannot_be_done_is_said_before_training(arguments, error, message):
    with pytest.raises(error, match=message):
        keras_lr.sweep(a_linear_task(), **{"rates": [0.1], "seeds": 1, "epochs": 1, "widen": False} | arguments)


@pytest.mark.parametrize("rate", [0.1, np.array(0.1)])
def test_a_single_rate_needs_no_list(rate):
    assert keras_lr.sweep(a_linear_task(), rate, seeds=1, epochs=1, widen=False).learning_rate == pytest.approx(0.1)


def test_a_generator_is_refused():
    batches = ((X, X[:, :1]) for _ in range(3))
    with pytest.raises(ValueError, match=r"task\.x is a generator, which can be read only once"):
        keras_lr.sweep(keras_lr.Task(build, batches, steps_per_epoch=3))
