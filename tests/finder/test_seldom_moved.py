"""Rows of a table that a batch seldom moves: words in an embedding, and inputs that are mostly 0."""

import keras
import numpy as np
import pytest
from keras import layers, losses, optimizers

import keras_lr
from keras_lr.finder import _seldom_moved

WORDS, CLASSES, LENGTH = 4000, 5, 20


def texts(count, seed, share=0.25):
    """Rows of words, a share of which tell the class."""
    random = np.random.default_rng(seed)
    y = random.integers(0, CLASSES, count)
    x = random.integers(0, WORDS, (count, LENGTH))
    tells = random.random(x.shape) < share
    return np.where(tells, x // CLASSES * CLASSES + y[:, None], x).astype("int32"), y


def bag_of_words(optimizer, embeddings_initializer="uniform"):
    keras.utils.set_random_seed(0)
    table = layers.Embedding(WORDS, 16, embeddings_initializer)
    hidden = layers.Dense(16, activation="relu")
    model = keras.Sequential(
        [keras.Input((LENGTH,), dtype="int32"), table, layers.GlobalAveragePooling1D(), hidden, layers.Dense(CLASSES)]
    )
    model.compile(optimizer, losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def test_words_are_not_learnt_by_heart_at_a_rate_that_only_lanes_ask_for():
    (x, y), held_out = texts(4000, 1), texts(2000, 2)
    ours, tuned = bag_of_words(optimizers.Adam()), bag_of_words(optimizers.Adam(0.003))  # the best of a grid
    result = keras_lr.fit(ours, x, y, epochs=5, verbose=0)
    assert result.learning_rate < result.race.rates[-1] / 10
    tuned.fit(x, y, epochs=5, verbose=0)
    assert ours.evaluate(*held_out, verbose=0) < 1.15 * tuned.evaluate(*held_out, verbose=0)


@pytest.mark.parametrize(
    ("name", "exponent"), [("Adam", 1), ("AdamW", 1), ("Nadam", 1), ("Adamax", 0.5), ("RMSprop", 0.5), ("Lion", 0.5)]
)
def test_the_peak_is_lower_by_the_lanes_that_the_run_is_long_and_the_result_says_so(name, exponent):
    x, y = texts(1600, 1)
    model = bag_of_words(getattr(optimizers, name)())
    result = keras_lr.race(model, x, y, epochs=4, progress=False)
    assert "A batch moves few rows of an embedding" in result.reason
    back = (result.losses.shape[1] / 200) ** (exponent * (1 - 2 / 12))
    assert result.reason.endswith(f"so the peak is {back:.2g} of that.")


@pytest.mark.parametrize("name", ["SGD", "Adagrad", "Lamb"])
def test_an_optimizer_whose_steps_shrink_with_the_gradient_keeps_its_peak(name):
    x, y = texts(1600, 1)
    result = keras_lr.race(bag_of_words(getattr(optimizers, name)()), x, y, epochs=4, progress=False)
    assert "embedding" not in result.reason


@pytest.mark.parametrize(("weight_decay", "accumulation"), [(None, None), (0.1, None), (None, 2)])
def test_inputs_that_are_mostly_0_are_told_from_those_that_always_are(weight_decay, accumulation):
    x, y = texts(1600, 1)
    seldom, never = np.zeros((2, len(x), WORDS), dtype="float32")
    np.put_along_axis(seldom, x, 1, axis=1)
    never[:, :100] = np.random.default_rng(0).normal(size=(len(x), 100))
    found = {}
    for name, inputs in (("seldom", seldom), ("never", never)):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((WORDS,)), layers.Dense(16), layers.Dense(CLASSES)])
        loss = losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizers.Adam(weight_decay=weight_decay, gradient_accumulation_steps=accumulation), loss)
        result = keras_lr.race(model, inputs, y, batch_size=32 // (accumulation or 1), progress=False)
        found[name] = "mostly 0" in result.reason
    assert found == {"seldom": True, "never": False}


def test_a_table_that_batches_move_whole_and_a_run_without_lanes_keep_the_peak():
    x, y = texts(1600, 1)
    result = keras_lr.race(bag_of_words(optimizers.Adam()), x % 50, y, epochs=4, progress=False)
    assert "embedding" not in result.reason
    unraced = keras_lr.race(bag_of_words(optimizers.Adam(), "normal"), x[:800], y[:800], progress=False)
    assert len(unraced.rates) == 0
    assert unraced.learning_rate > 2 * _seldom_moved.LEAST_PEAK
    assert "embedding" not in unraced.reason


@pytest.mark.parametrize(
    ("peak", "updates", "passes", "exponent", "factor"),
    [
        (0.1, 96, 1, 1.0, 1 / 2),
        (0.1, 12 * 3**9, 2, 1.0, 1 / 16),
        (0.1, 108, 4 / 3, 1.0, 1 / 3),
        (0.1, 108, 4 / 3, 0.5, 1 / np.sqrt(3)),
        (0.1, 60, 1e9, 1.0, 1 / 5),
        (0.002, 60, 1e9, 1.0, 1 / 2),
        (0.0005, 60, 1e9, 1.0, 1),
    ],
)
def test_how_far_the_peak_goes_back(peak, updates, passes, exponent, factor):
    assert _seldom_moved.step_back(peak, 12, updates, passes, exponent) == pytest.approx(factor)


def test_what_is_seldom_moved():
    start = [np.zeros(10), np.zeros(10), np.zeros(0), np.zeros(2)]
    decay = 1e-3  # moves all of them, and no weight as far as its gradient does
    moved = [np.array([1, 1] + [decay] * 8), np.array([-1, 0.02] + [0] * 8), np.zeros(0), np.zeros(2)]
    shares = _seldom_moved.shares_moved(moved, start)
    np.testing.assert_allclose(shares, [0.2, 0.2, 1, 0])
    by_one = np.array([0.1, 0.2, 0.2, 1.0, 0.0, 0.2])
    by_probe = np.array([0.3, 0.2, 0.8, 1.0, 0.0, 0.28])
    assert _seldom_moved.are_seldom_moved(by_one, by_probe).tolist() == [True, False, False, False, False, False]


def test_a_diagnosis_does_not_ask_for_the_rate_of_a_short_lane():
    x, y = texts(4000, 1, share=0.75)
    found = keras_lr.diagnose(bag_of_words(optimizers.Adam(0.001)), x, y, epochs=5, progress=False)
    lowered = float(found.verdict.reason.removesuffix(" of that.").rpartition("take ")[2])
    assert "A batch moves few rows of an embedding" in found.verdict.reason
    assert lowered == pytest.approx(max((30 / 625) ** (1 - 2 / 15), 1 / 16), rel=0.02)
    assert found.factor < 10 < found.factor / lowered


@pytest.mark.parametrize(("make", "words", "said"), [("Adam", WORDS, True), ("Adam", 50, False), ("SGD", WORDS, False)])
def test_a_range_test_says_that_its_rate_may_be_too_high(make, words, said):
    x, y = texts(4000, 1, share=0.75)
    test = keras_lr.range_test(bag_of_words(getattr(optimizers, make)()), x % words, y, progress=False)
    assert test.seldom_moved == said
    assert ("keras_lr.race makes up for that" in test.suggest().reason) == said
