"""Memory that is kept for the gradients of the next step: it changes no step, and nothing of it is saved."""

import keras
import numpy as np
import pytest

from keras_lr import line_search, optimizers
from keras_lr._backends import memory
from keras_lr.optimizers import _lending
from keras_lr.schedules import Constant
from keras_lr.training import attach

METHODS = {
    "COCOB": optimizers.COCOB,
    "DAdaptLion": optimizers.DAdaptLion,
    "DoG": optimizers.DoG,
    "GradientOnly": optimizers.GradientOnly,
    "LineSearch": lambda: optimizers.LineSearch(line_search.PAL(), keras.optimizers.SGD(1.0)),
    "Mechanic": lambda: optimizers.Mechanic(keras.optimizers.SGD(0.1, momentum=0.9)),
    "MoMoAdam": optimizers.MoMoAdam,
    "PerLayer": lambda: optimizers.PerLayer(optimizers.Prodigy(), {".*bias": 0.5}),
    "Scheduled": lambda: optimizers.Scheduled(optimizers.ScheduleFreeAdamW(), epsilon=Constant(1e-7)),
    "ScheduleFreePlus": optimizers.ScheduleFreePlus,
}
X = np.random.default_rng(0).normal(size=(64, 24)).astype("float32")
Y = np.tanh(X @ np.random.default_rng(1).normal(size=(24, 1)).astype("float32"))


@pytest.fixture
def lends(monkeypatch):
    """Make every tensor worth a variable, or none."""

    def choose(yes):
        monkeypatch.setattr(_lending, "WORTH_LENDING", 1)
        monkeypatch.setattr(memory, "pays", lambda weights: yes)

    return choose


def compiled(make):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((24,)), keras.layers.Dense(16, activation="tanh"), keras.layers.Dense(1)])
    model.compile(make(), loss="mse")
    if getattr(model.optimizer, "needs_batch", False):
        attach(model)
    return model


def trained(model, epochs=2):
    model.fit(X, Y, batch_size=16, epochs=epochs, shuffle=False, verbose=0)
    return model


def lent(model):
    return [v for v in model.optimizer.variables if getattr(v, "lent", False)]


@pytest.mark.parametrize("name", METHODS)
def test_weights_are_the_same_with_memory_that_is_kept_and_without(name, lends):
    lends(True)
    one = trained(compiled(METHODS[name]))
    lends(False)
    other = trained(compiled(METHODS[name]))
    assert lent(one)
    assert not lent(other)
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("first", [True, False])
def test_a_model_goes_on_where_memory_is_kept_otherwise(name, first, lends, tmp_path):
    lends(first)
    model = trained(compiled(METHODS[name]))
    model.save(tmp_path / "model.keras")
    lends(not first)
    loaded = keras.models.load_model(tmp_path / "model.keras")
    if getattr(loaded.optimizer, "needs_batch", False):
        attach(loaded)
    assert bool(lent(model)) != bool(lent(loaded))
    for a, b in zip(trained(model, 1).get_weights(), trained(loaded, 1).get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_what_was_saved_by_another_optimizer_is_refused_with_a_warning():
    optimizer = optimizers.DoG()
    optimizer.build([keras.Variable(np.ones(3))])
    with pytest.warns(UserWarning, match="Skipping variable loading"):
        optimizer.load_own_variables({"0": np.zeros(())})


def test_no_variable_is_lent_to_a_small_model():
    assert not lent(trained(compiled(optimizers.DoG)))


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="only JAX says how much memory a step asks for")
@pytest.mark.parametrize("name", ["COCOB", "MoMoAdam", "Prodigy", "ScheduleFreeAdamW", "ScheduleFreePlus"])
def test_a_step_asks_for_less_fresh_memory_by_a_copy_of_the_weights(name, lends):
    lends(True)
    side = 256
    kept = fresh_memory(name, side)
    lends(False)
    weights = 3 * side * side * 4
    assert kept < fresh_memory(name, side) - 0.9 * weights
    assert kept < 0.5 * weights


def fresh_memory(name, side):
    import jax

    model = keras.Sequential([keras.Input((side,)), *(keras.layers.Dense(side, use_bias=False) for _ in range(3))])
    model.compile(getattr(optimizers, name)(), loss="mse")
    if getattr(model.optimizer, "needs_batch", False):
        attach(model)
    batch = np.zeros((8, side), "float32"), np.zeros((8, side), "float32")
    model._symbolic_build(data_batch=batch)
    variables = model.trainable_variables, model.non_trainable_variables, model.optimizer.variables
    state = tuple([v.value for v in part] for part in (*variables, model.metrics_variables))
    program = jax.jit(model.train_step, donate_argnums=0).lower(state, batch).compile()
    memory = program.memory_analysis()
    return memory.temp_size_in_bytes + memory.output_size_in_bytes - memory.alias_size_in_bytes
