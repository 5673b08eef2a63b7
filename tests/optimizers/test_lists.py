"""The words in which optimizers are written: each against NumPy, on lists of tensors of different shapes."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_lr._backends import lists

SHAPES = [(3, 2), (4,), ()]


@pytest.fixture
def drawn():
    random = np.random.RandomState(0)
    return [[np.asarray(random.rand(*shape) + 0.5, "float32") for shape in SHAPES] for _ in range(3)]


def tensors(arrays):
    return [ops.convert_to_tensor(np.array(a)) for a in arrays]


def assert_same(got, wanted):
    for one, other in zip(got, wanted, strict=True):
        np.testing.assert_allclose(ops.convert_to_numpy(one), other, rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("verb", "formula"),
    [
        (lambda a, b, c: lists.dots(a, b), lambda a, b, c: np.sum(a * b)),
        (lambda a, b, c: lists.dots(a, b, minus=c), lambda a, b, c: np.sum(a * (b - c))),
        (lambda a, b, c: lists.squares(a), lambda a, b, c: np.sum(a * a)),
        (lambda a, b, c: lists.norms(a), lambda a, b, c: np.sum(np.abs(a))),
        (lambda a, b, c: lists.distances(a, b), lambda a, b, c: np.sum((a - b) ** 2)),
        (lambda a, b, c: lists.dots_over_root(a, b, c, 0.1), lambda a, b, c: np.sum(a * b / (np.sqrt(c) + 0.1))),
    ],
    ids=["dots", "dots of a difference", "squares", "norms", "distances", "dots over a root"],
)
def test_reductions_give_a_number_a_variable(verb, formula, drawn):
    got = verb(*(tensors(d) for d in drawn))
    assert tuple(got.shape) == (len(SHAPES),)
    wanted = [formula(*(d[i] for d in drawn)) for i in range(len(SHAPES))]
    np.testing.assert_allclose(ops.convert_to_numpy(got), wanted, rtol=1e-5)


@pytest.mark.parametrize("shape", [(300, 1024), (331, 311)])
def test_large_variables_are_summed_by_rows_or_whole(shape):
    a, b, v = (np.random.RandomState(i).rand(*shape).astype("float32") for i in range(3))
    got = lists.dots_over_root(*(tensors([x]) for x in (a, b, v)), 1e-3)
    wanted = np.sum(np.float64(a) * b / (np.sqrt(v) + 1e-3))
    np.testing.assert_allclose(ops.convert_to_numpy(got), [wanted], rtol=1e-5)


@pytest.mark.parametrize("number", [3.0, -np.inf, np.nan])
def test_what_waits_for_a_number_is_not_changed_by_it(number, drawn):
    a, b, _ = drawn
    known = ops.convert_to_tensor(np.float32(number))
    for got, wanted in zip(lists.once_known(known, tensors(a), tensors(b)), (a, b), strict=True):
        for one, other in zip(got, wanted, strict=True):
            np.testing.assert_array_equal(ops.convert_to_numpy(one), other)
    gradients = tensors([np.full((2, 2), number, "float32")])
    assert float(lists.after(ops.convert_to_tensor(np.float32(0.5)), gradients)) == 0.5
    for truth in (True, False):
        assert bool(lists.after(ops.convert_to_tensor(truth), gradients)) is truth


def test_variables_of_one_shape_keep_their_places_in_a_reduction():
    drawn = [np.full(shape, i + 1.0, "float32") for i, shape in enumerate([(2,), (3, 2), (2,), (), (3, 2), ()])]
    wanted = [float(np.sum(x)) for x in drawn]  # of entries above 0
    np.testing.assert_allclose(ops.convert_to_numpy(lists.norms(tensors(drawn))), wanted)


SCALES = {"a number": 0.5, "a scalar": np.float32(0.5), "one a variable": np.array([0.5, 2.0, -1.0], "float32")}


@pytest.mark.parametrize("kind", SCALES)
@pytest.mark.parametrize(
    ("verb", "formula"),
    [
        (lambda a, b, c, s: lists.add_(a, b, s), lambda a, b, c, s: a + s * b),
        (lambda a, b, c, s: lists.scale_(a, s), lambda a, b, c, s: s * a),
        (lambda a, b, c, s: lists.lerp_(a, b, s), lambda a, b, c, s: a + s * (b - a)),
        (lambda a, b, c, s: lists.addcmul_(a, b, c, s), lambda a, b, c, s: a + s * b * c),
        (lambda a, b, c, s: lists.addcdiv_(a, b, c, s), lambda a, b, c, s: a + s * b / c),
        (lambda a, b, c, s: lists.root(a, s), lambda a, b, c, s: np.sqrt(a) + s),
    ],
    ids=["add_", "scale_", "lerp_", "addcmul_", "addcdiv_", "root"],
)
def test_a_scale_is_a_number_a_scalar_or_one_a_variable(verb, formula, kind, drawn):
    scale = SCALES[kind]
    given = scale if isinstance(scale, float) else ops.convert_to_tensor(scale)
    each = np.broadcast_to(scale, (len(SHAPES),))
    wanted = [formula(*(d[i] for d in drawn), each[i]) for i in range(len(SHAPES))]
    assert_same(verb(*(tensors(d) for d in drawn), given), wanted)


def test_entry_by_entry(drawn):
    a, b, _ = drawn
    centred = [x - 1.0 for x in a]
    assert_same(lists.maximum_(tensors(a), tensors(b)), [np.maximum(x, y) for x, y in zip(a, b, strict=True)])
    assert_same(lists.multiply_(tensors(a), tensors(b)), [x * y for x, y in zip(a, b, strict=True)])
    assert_same(lists.under_(tensors(a), tensors(b)), [y / x for x, y in zip(a, b, strict=True)])
    assert_same(lists.clip_(tensors(a), low=0.7, high=1.1), [np.clip(x, 0.7, 1.1) for x in a])
    assert_same(lists.abs_(tensors(centred)), [np.abs(x) for x in centred])
    assert_same(lists.sign_(tensors(centred)), [np.sign(x) for x in centred])
    assert_same(lists.thin(tensors(a[:2]), 2), [x.ravel()[::2] for x in a[:2]])


@pytest.mark.parametrize("holds", [True, False])
def test_conditions(holds, drawn):
    a, b, _ = drawn
    condition = ops.convert_to_tensor(holds)
    assert_same(lists.copy_where_(tensors(a), tensors(b), condition), b if holds else a)
    moved = lists.where_(condition, lambda x, y: lists.lerp_(x, y, 0.25), tensors(a), tensors(b))
    assert_same(moved, [x + 0.25 * (y - x) if holds else x for x, y in zip(a, b, strict=True)])
    first, second = lists.swap_where_(tensors(a), tensors(b), condition)
    assert_same(first, b if holds else a)
    assert_same(second, a if holds else b)


def test_verbs_leave_all_but_their_first_argument_alone(drawn):
    a, b, c = (tensors(d) for d in drawn)
    lists.addcdiv_(lists.add_(lists.copy(a), b, 2.0), b, c, 3.0)
    lists.under_(lists.root(a), b)
    lists.lerp_(lists.copy(a), b, 0.5)
    for got, wanted in zip((a, b, c), drawn, strict=True):
        assert_same(got, wanted)


def test_larger_and_smaller_keep_the_dtype():
    dtype = "float32" if keras.backend.backend() == "jax" else "float64"
    one = ops.convert_to_tensor(np.array(1.0 + 1e-12), dtype=dtype)
    assert keras.backend.standardize_dtype(lists.larger(one, 0.0).dtype) == dtype
    assert keras.backend.standardize_dtype(lists.smaller(one, one).dtype) == dtype
    assert np.isnan(float(lists.larger(one * float("nan"), 0.0)))


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="gradients of embeddings are dense elsewhere")
def test_rows_that_occur_twice_are_added():
    import tensorflow as tf

    slices = tf.IndexedSlices(tf.constant([[1.0], [2.0], [4.0]]), tf.constant([1, 0, 1]), tf.constant([3, 1]))
    np.testing.assert_array_equal(lists.dense([slices], [tf.zeros([3, 1])])[0], [[2.0], [5.0], [0.0]])
