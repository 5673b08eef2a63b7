from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import layers, ops
from oracles.closure_searches import noisy_classes

from keras_lr.callbacks._weights_at_rest import WeightsAtRest
from keras_lr.line_search._noisy_line import Notes, Proposal
from keras_lr.line_search._probabilistic import Wolfe
from keras_lr.optimizers import _probabilistic
from keras_lr.optimizers._batch import hand_over
from keras_lr.optimizers._probabilistic import Noise, ProbabilisticLineSearch
from keras_lr.training._attach import attach


def tensor(values):
    return ops.convert_to_tensor(np.asarray(values, "float32"))


class Bowl:
    """½ Σ cᵢ xᵢ², the same in every batch, with a stated spread between its samples."""

    def __init__(self, curvatures, start, optimizer, spread=0.0):
        self.curvatures, self.spread, self.optimizer = tensor(curvatures), tensor(spread), optimizer
        self.weight = keras.Variable(np.array(start, "float32"), name="w")
        with hand_over(SimpleNamespace()):
            optimizer.build([self.weight])

    def step(self):
        before = ops.convert_to_numpy(self.weight).astype("float64")
        if keras.backend.backend() == "jax":
            variables = [self.weight, *self.optimizer.variables]
            values = program(self.optimizer)(self.curvatures, self.spread, [v.value for v in variables])
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
        else:
            gradient, seen = batch(self.curvatures, self.spread, ops.convert_to_tensor(self.weight))
            with hand_over(seen):
                self.optimizer.apply([gradient], [self.weight])
        return before


def batch(curvatures, spread, x):
    gradient, signs = curvatures * x, tensor([1.0, -1.0, 1.0, -1.0])
    loss = 0.5 * ops.sum(gradient * x)

    def losses_and_slopes(direction):
        return loss + spread * signs, ops.sum(gradient * direction[0]) + spread * signs

    return gradient, SimpleNamespace(loss=loss, losses_and_slopes=losses_and_slopes)


programs = {}


def program(optimizer):
    """One compiled step on JAX for all optimizers that differ in their variables only, as the first trial does."""
    import jax

    configuration = {**optimizer.get_config(), "initial_step": None, "name": None}
    if (key := str(configuration)) not in programs:

        def step(curvatures, spread, values):
            gradient, seen = batch(curvatures, spread, values[0])
            with hand_over(seen):
                (x,), state = optimizer.stateless_apply(values[1:], [gradient], values[:1])
            return [x, *state]

        programs[key] = jax.jit(step)
    return programs[key]


@pytest.mark.parametrize("initial_step", [0.1, 0.3, 1.0, 3.0])
def test_noise_free_quadratic_is_accepted_within_three_evaluations(initial_step):
    search = ProbabilisticLineSearch(initial_step=initial_step, max_update_norm=1e6)
    bowl = Bowl([1.0, 3.0], [1.0, 0.5], search)
    exact = (1 + 2.25) / (1 + 3 * 2.25)
    bowl.step()
    for _ in range(3):
        bowl.step()
        if search.accepts:
            break
    assert search.accepts == 1
    assert search.trials <= 3
    assert 0.1 * exact < search.step_size < 1.9 * exact


def test_a_place_proposed_as_the_last_is_accepted_as_it_is(monkeypatch):
    def propose(conditions, observed, notes, place):
        yes = place > 0.0
        return Proposal(accept=~yes, place=0.5 * place, beyond=~yes, last=yes)

    monkeypatch.setattr(_probabilistic, "propose", propose)
    search = ProbabilisticLineSearch(Wolfe(max_evaluations=5), initial_step=0.125, max_update_norm=1e6)
    bowl = Bowl([1.0, 3.0], [1.0, 0.5], search)
    for accepts in (0, 0, 1):  # the slope at the origin, a trial, and the last one
        bowl.step()
        assert search.accepts == accepts


def test_quadratic_is_minimised():
    bowl = Bowl([1.0, 3.0], [1.0, 0.5], ProbabilisticLineSearch(initial_step=0.01, max_update_norm=1e6))
    for _ in range(60):
        bowl.step()
    bowl.optimizer.put_at_rest()
    assert np.linalg.norm(ops.convert_to_numpy(bowl.weight)) < 0.02


def test_variances_are_those_of_the_means():
    search = ProbabilisticLineSearch(initial_step=0.1, max_update_norm=1e6)
    bowl = Bowl([1.0, 3.0], [1.0, 0.5], search, spread=0.2)
    bowl.step()
    notes = Notes(*ops.convert_to_numpy(search._numbers["process"]))
    steepness = 1 + 9 * 0.5**2
    assert notes.first_step == pytest.approx(0.1)
    assert notes.steepness == pytest.approx(steepness)
    assert notes.value_variance == pytest.approx(0.2**2 / 3 / (0.1 * steepness) ** 2, rel=1e-4)
    assert notes.slope_variance == pytest.approx(0.2**2 / 3 / steepness**2, rel=1e-4)


def test_first_trial_returns_to_the_mean_when_it_is_off_by_the_factor():
    search = ProbabilisticLineSearch(initial_step=0.3, max_update_norm=1e6)
    bowl = Bowl([1.0, 1.0], [1.0, 0.5], search)
    bowl.step()
    process = ops.convert_to_numpy(search._numbers["process"]).copy()
    process[Notes._fields.index("mean_step")] = 1e-5
    search._numbers["process"].assign(process)
    while search.accepts == 0:
        bowl.step()
    mean = 0.95e-5 + 0.05 * search.step_size
    if 1.3 * search.step_size > 100 * mean:
        assert search._field("step_size") == pytest.approx(mean, rel=1e-3)
    else:
        assert search._field("step_size") == pytest.approx(1.3 * search.step_size, rel=1e-3)


def test_evaluations_are_limited():
    search = ProbabilisticLineSearch(initial_step=1e-6, max_update_norm=1e6)
    bowl = Bowl([1.0, 3.0], [1.0, 0.5], search)
    counts = []
    for _ in range(60):
        before = search.accepts
        bowl.step()
        if search.accepts > before:
            counts.append(search.trials)
    assert counts[0] == max(counts) == search.conditions.max_evaluations


@pytest.mark.parametrize("noise", list(Noise))
def test_trains_a_model_under_fit(noise, tmp_path):
    x, y = noisy_classes(rows=1024)
    model = keras.Sequential([keras.Input((6,)), layers.Dense(8, activation="tanh"), layers.Dense(3)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(ProbabilisticLineSearch(noise=noise), loss=loss)
    attach(model)
    before = model.evaluate(x, y, verbose=0)
    history = model.fit(x, y, batch_size=32, epochs=4, verbose=0, callbacks=[WeightsAtRest()])
    assert model.evaluate(x, y, verbose=0) < 0.85 * before
    assert history.history["accepts"][-1] > 40
    model.save(tmp_path / "model.keras")
    resumed = attach(keras.models.load_model(tmp_path / "model.keras"))
    for m in (model, resumed):
        m.fit(x[:256], y[:256], batch_size=32, shuffle=False, verbose=0, callbacks=[WeightsAtRest()])
    for a, b in zip(model.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_configuration_makes_the_same_optimizer():
    optimizer = ProbabilisticLineSearch(noise=Noise.BETWEEN_BATCHES, decay_steps=10)
    twin = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert (twin.conditions, twin.noise, twin.decay_steps) == (optimizer.conditions, optimizer.noise, 10)
