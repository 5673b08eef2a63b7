"""Small variables are joined to one tensor, which no result may show."""

import json

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops
from test_every_optimizer import TABLE, apply, built, every, values

from keras_lr import optimizers
from keras_lr._backends import lists
from keras_lr.optimizers._global import GlobalOptimizer
from keras_lr.optimizers._packing import WORTH_A_KERNEL, Packing

SHAPES = st.lists(st.lists(st.integers(1, 4), max_size=3).map(tuple), min_size=1, max_size=12)
START = [np.linspace(-1, 1, 6).reshape(3, 2), np.ones(2), np.linspace(1, 2, 4), np.ones((1, 3))]


@settings(max_examples=30, deadline=None)
@given(SHAPES, st.data())
def test_what_is_packed_comes_back(shapes, data):
    kinds = data.draw(st.lists(st.sampled_from([None, "a", "b"]), min_size=len(shapes), max_size=len(shapes)))
    packing = Packing.together(shapes, kinds)
    sizes = [int(np.prod(shape)) for shape in shapes]
    tensors = [
        ops.reshape(ops.arange(n, dtype="float32") + i, shape)
        for i, (n, shape) in enumerate(zip(sizes, shapes, strict=True))
    ]
    packed = packing.pack(tensors)
    assert [tuple(x.shape) for x in packed] == [packing.shape(group) for group in packing.groups]
    for one, other in zip(packing.unpack(packed), tensors, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(one), ops.convert_to_numpy(other))
    for group in packing.groups:
        found = {kinds[i] for i in group}
        assert len(found) == 1
        assert len(group) == 1 or None not in found


def test_only_small_variables_of_a_kind_are_joined():
    packing = Packing.together([(2,), (WORTH_A_KERNEL,), (3,), (4,), (5,)], ["a", "a", "b", "a", None])
    assert packing.groups == ((0, 3), (1,), (2,), (4,))
    assert Packing.together([(WORTH_A_KERNEL - 1,), (1,)], ["a", "a"]).groups == ((0, 1),)


def test_parts_are_the_same_inside_a_compiled_step():
    if keras.backend.backend() != "jax":
        pytest.skip("only JAX cuts in another way where it compiles")
    import jax

    shapes = [(i % 3 + 1, 2) for i in range(20)]
    vector = np.arange(sum(np.prod(shape) for shape in shapes), dtype="float32")
    for sign in (1.0, -1.0, np.nan):
        vector[0] = sign
        got = jax.jit(lambda v: lists.parts(v, shapes))(vector)
        for one, other in zip(got, lists.parts(ops.convert_to_tensor(vector), shapes), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.fixture
def apart(monkeypatch):
    """Call it, and no optimizer that is built from then on joins anything."""
    return lambda: monkeypatch.setattr(GlobalOptimizer, "_kind", lambda self, variable: None)


def walk(name, missing=(), **arguments):
    """Take eight steps; at the steps in ``missing`` one variable has no gradient."""
    random = np.random.RandomState(0)
    variables = [keras.Variable(v, dtype="float32", name=f"v{i}") for i, v in enumerate(START)]
    optimizer = built(TABLE[name](**arguments), variables)
    for step in range(8):
        gradients = [0.1 * v + 0.01 * random.randn(*v.shape) for v in values(variables)]
        loss = sum(np.sum(v**2) for v in values(variables)) / 20
        keep = [i for i in range(len(variables)) if step not in missing or i != step % len(variables)]
        apply(optimizer, [variables[i] for i in keep], [gradients[i] for i in keep], loss)
    if hasattr(optimizer, "use_average"):
        optimizer.use_average()
    return values(variables), optimizer


@pytest.mark.parametrize("missing", [(), (0, 1), (2, 3, 5)], ids=json.dumps)
@every
def test_joined_variables_take_the_steps_of_single_ones(name, missing, apart):
    if missing and name in ("AdaHessian", "Mechanic", "PerLayer", "Sophia"):
        pytest.skip("the Hessian is asked for every variable, and Keras' own optimizers want a gradient of each")
    joined, optimizer = walk(name, missing)
    apart()
    single, _ = walk(name, missing)
    for one, other in zip(joined, single, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=2e-6)
    if isinstance(optimizer, GlobalOptimizer) and name not in ("LDoG", "AdaHessian", "Sophia"):
        assert len(optimizer._slots.packing.groups) == 1


@pytest.mark.parametrize("name", ["DAdaptAdam", "DoG", "Prodigy", "ScheduleFreeAdamW"])
def test_a_variable_that_never_has_a_gradient_is_as_good_as_absent(name):
    def walk_three(count):
        variables = [keras.Variable(v, dtype="float32", name=f"v{i}") for i, v in enumerate(START[:count])]
        optimizer = built(TABLE[name](), variables)
        for _ in range(6):
            apply(optimizer, variables[:3], [0.1 * v for v in values(variables[:3])])
        if hasattr(optimizer, "use_average"):
            optimizer.use_average()
        return values(variables[:3])

    for one, other in zip(walk_three(4), walk_three(3), strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", [name for name in TABLE if name in ("DoG", "LDoG", "DoWG", "Prodigy")])
def test_a_variable_whose_first_gradient_comes_late_moves_then(name):
    variables = [keras.Variable(v, dtype="float32", name=f"v{i}") for i, v in enumerate(START)]
    optimizer = built(TABLE[name](), variables)
    for _ in range(3):
        apply(optimizer, variables[:3], [0.1 * v for v in values(variables[:3])])
    before = values(variables)[3]
    np.testing.assert_array_equal(before, np.asarray(START[3], "float32"))
    apply(optimizer, variables, [0.1 * v for v in values(variables)])
    assert not np.array_equal(values(variables)[3], before)


def test_a_variable_that_begins_late_leaves_the_distances_of_the_others_alone():
    variables = [keras.Variable(v, dtype="float32", name=f"v{i}") for i, v in enumerate(START)]
    optimizer = built(optimizers.LDoG(relative_start=0.1), variables)
    for _ in range(3):
        apply(optimizer, variables[:3], [0.1 * v for v in values(variables[:3])])
    went = ops.convert_to_numpy(optimizer._vectors["distance"])[:3].copy()
    for variable, start in zip(variables, START, strict=True):
        variable.assign(start)  # back at the start, from where a distance that is counted anew would be small
    apply(optimizer, variables, [0.1 * v for v in values(variables)])
    np.testing.assert_array_equal(ops.convert_to_numpy(optimizer._vectors["distance"])[:3], went)


@pytest.mark.parametrize("name", ["Prodigy", "DoG", "ScheduleFreeAdamW"])
def test_what_is_excluded_from_weight_decay_is_joined_with_its_like(name, apart):
    def walk_with_exclusion():
        variables = [keras.Variable(v, dtype="float32", name=f"v{i}") for i, v in enumerate(START)]
        optimizer = TABLE[name](weight_decay=0.1)
        optimizer.exclude_from_weight_decay(var_names=["v1", "v3"])
        built(optimizer, variables)
        for _ in range(3):
            apply(optimizer, variables, [0.1 * v for v in values(variables)])
        return values(variables), optimizer

    joined, optimizer = walk_with_exclusion()
    assert optimizer._slots.packing.groups == ((0, 2), (1, 3))
    apart()
    for one, other in zip(joined, walk_with_exclusion()[0], strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=2e-6)


def test_an_exclusion_that_comes_late_parts_what_was_joined():
    late, early = ([keras.Variable(v, dtype="float32", name=f"v{i}") for i, v in enumerate(START)] for _ in range(2))
    first = optimizers.DoG(relative_start=0.1, weight_decay=0.5)
    built(first, late).exclude_from_weight_decay(var_names=["v1"])  # Keras means to refuse it, but does not
    second = optimizers.DoG(relative_start=0.1, weight_decay=0.5)
    second.exclude_from_weight_decay(var_names=["v1"])
    built(second, early)
    for _ in range(3):
        for optimizer, variables in ((first, late), (second, early)):
            apply(optimizer, variables, [0.1 * v for v in values(variables)])
    for one, other in zip(values(late), values(early), strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", ["Prodigy", "DoG", "Mechanic", "ScheduleFreeAdamW"])
def test_what_is_saved_does_not_depend_on_what_is_joined(name, apart):
    def made_again():
        variables = [keras.Variable(v, dtype="float32", name=f"v{i}") for i, v in enumerate(START)]
        return built(TABLE[name](), variables)

    store, stored_apart = {}, {}
    _, joined = walk(name)
    joined.save_own_variables(store)
    again = made_again()
    again.load_own_variables(store)
    for one, other in zip(values(joined.variables), values(again.variables), strict=True):
        np.testing.assert_array_equal(one, other)
    apart()
    single = made_again()
    single.load_own_variables(store)
    single.save_own_variables(stored_apart)
    assert store.keys() == stored_apart.keys()
    for key in store:
        np.testing.assert_array_equal(store[key], stored_apart[key])


def test_a_model_whose_biases_were_excluded_from_weight_decay_is_loaded_with_its_state(tmp_path):
    x = np.random.RandomState(0).randn(32, 3).astype("float32")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.Dense(1)])
    optimizer = optimizers.Prodigy(weight_decay=0.1)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    model.compile(optimizer, loss="mse")
    model.fit(x, x[:, :1], batch_size=8, shuffle=False, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")  # Keras has forgotten the exclusion, and says so nowhere
    again.optimizer.exclude_from_weight_decay(var_names=["bias"])
    saved, loaded = {}, {}
    for made, store in ((model, saved), (again, loaded)):
        made.optimizer.save_own_variables(store)
    assert saved.keys() == loaded.keys()
    for key in saved:
        np.testing.assert_array_equal(saved[key], loaded[key])
    shapes = [saved[key].shape for key in sorted(saved, key=int)]
    assert shapes[-4:] == [tuple(v.shape) for v in model.trainable_variables]  # in their order, whatever is joined
    one, other = (m.fit(x, x[:, :1], batch_size=8, shuffle=False, verbose=0).history["loss"] for m in (model, again))
    assert one == pytest.approx(other, rel=1e-5)


def test_factors_a_layer_join_the_layers_of_a_factor():
    variables = [keras.Variable(v, dtype="float32", name=f"v{i}") for i, v in enumerate(START)]
    prodigy = optimizers.Prodigy()
    built(optimizers.PerLayer(prodigy, {"v1": 0.5, "v2": 0.5}), variables)
    assert prodigy._slots.packing.groups == ((0, 3), (1, 2))
