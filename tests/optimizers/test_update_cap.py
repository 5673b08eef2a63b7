"""The cap of a search across batches: how long an update may be, in which unit, and how it falls."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_lr import schedules
from keras_lr.line_search import Back
from keras_lr.optimizers._directions import RMSpropDirection, SteepestDescent
from keras_lr.optimizers._gradient_only import GradientOnly

STEPS = np.arange(20)
FALL = 1 / np.sqrt(1 + STEPS / 10)
SHAPES = [(30, 20), (20,), (20, 4)]


def updates(optimizer, start):
    """Lengths of the updates along gradients that never change, and of the weights before each.

    Every trial is at the cap, and accepted at the next step.
    """
    random = np.random.default_rng(1)
    weights = [keras.Variable(np.zeros(shape, "float32"), name=f"w{i}") for i, shape in enumerate(SHAPES)]
    gradients = [keras.ops.convert_to_tensor(random.normal(size=shape).astype("float32")) for shape in SHAPES]
    optimizer.build(weights)
    for weight, value in zip(weights, start, strict=True):
        weight.assign(value)
    points = [flat(weights)]
    for _ in STEPS:
        optimizer.apply(gradients, weights)
        points.append(flat(weights))
    return np.linalg.norm(np.diff(points, axis=0), axis=1), np.linalg.norm(points[:-1], axis=1)


def unit_of_the_cap(norms):
    """√(‖w₀‖ · the longest ‖w‖ measured), 1 for ‖w₀‖ of 0; measured after 0, 0 and 16 accepted steps."""
    start = norms[0] or 1.0
    longest = [max(start, *(norms[k] for k in (0, 1, 17) if k <= step)) for step in range(1, len(norms))]
    return np.sqrt(start * np.array([start, *longest]))


def flat(weights):
    return np.concatenate([keras.ops.convert_to_numpy(w).ravel() for w in weights]).astype("float64")


def at_the_cap(**arguments):
    return GradientOnly(Back(), SteepestDescent(), initial_step=1e7, **arguments)


def drawn(scale=1.0):
    random = np.random.default_rng(0)
    return [scale * random.normal(size=shape).astype("float32") for shape in SHAPES]


@pytest.mark.parametrize("scale", [1e-3, 1e4])
@pytest.mark.parametrize(
    ("arguments", "fall"),
    [
        ({}, 0.1 * FALL),
        ({"max_update_ratio": 0.5}, 0.5 * FALL),
        ({"decay_steps": 25}, 0.15 * (1 - STEPS / 25)),
        ({"decay_steps": 2500}, 0.05 * (1 - STEPS / 2500)),
        ({"max_update_ratio": 0.5, "decay_steps": 25}, 0.5 * (1 - STEPS / 25)),
        ({"max_update_ratio": schedules.Constant(0.2)}, np.full(20, 0.2)),
        ({"max_update_ratio": schedules.Constant(0.2), "decay_steps": 25}, 0.2 * (1 - STEPS / 25)),
    ],
    ids=["default", "ratio", "horizon", "long horizon", "ratio and horizon", "schedule", "schedule and horizon"],
)
def test_updates_are_a_fraction_of_the_weights(arguments, fall, scale):
    lengths, norms = updates(at_the_cap(**arguments), drawn(scale))
    assert norms[17] > 1.005 * norms[0]
    np.testing.assert_allclose(lengths, fall * unit_of_the_cap(norms), rtol=1e-3)


@pytest.mark.parametrize("cap", [2.0, schedules.Constant(2.0)], ids=["number", "schedule"])
def test_update_norm_takes_the_place_of_the_ratio_and_stays(cap):
    lengths, _ = updates(at_the_cap(max_update_norm=cap), drawn())
    np.testing.assert_allclose(lengths, 2.0, rtol=1e-4)


def test_weights_that_are_all_zero_count_as_length_one():
    zeros = [np.zeros(shape, "float32") for shape in SHAPES]
    lengths, norms = updates(at_the_cap(max_update_ratio=0.2), zeros)
    assert norms[17] > 2.0
    np.testing.assert_allclose(lengths, 0.2 * FALL * unit_of_the_cap(norms), rtol=1e-4)


def test_weights_that_have_become_shorter_do_not_lower_the_cap():
    """As by weight decay or a constraint: what they were long at once is how far they may have to go back."""
    weight = keras.Variable(np.array([1.0, 2.0, 2.0], "float32"), name="w")
    optimizer = at_the_cap(max_update_ratio=schedules.Constant(0.5))
    optimizer.build([weight])
    outwards = keras.ops.convert_to_tensor([-1.0, -2.0, -2.0])
    optimizer.apply([outwards], [weight])  # 3 long, and half of that is added
    for _ in range(18):  # the second measurement of the length says 4.5, the third less
        optimizer.apply([outwards], [weight])
        weight.assign([0.1, 0.2, 0.2])
    optimizer.apply([outwards], [weight])
    assert np.linalg.norm(flat([weight])) == pytest.approx(0.3 + 0.5 * np.sqrt(3.0 * 4.5), rel=1e-4)


def test_a_change_of_unit_changes_nothing():
    """With weights and first step in another unit the same trials are accepted, at the same places."""

    def path(unit):
        weight = keras.Variable(np.float32(unit) * np.array([1.0, -2.0, 0.5], "float32"), name="w")
        optimizer = GradientOnly(direction=RMSpropDirection(epsilon=1e-30), initial_step=1e-3 * unit)
        optimizer.build([weight])
        random, places = np.random.default_rng(0), []
        for noise in random.normal(size=(25, 3)):
            place = flat([weight]) / unit
            gradient = (np.array([1.0, 10.0, 3.0]) * place + 0.3 * noise) / unit
            optimizer.apply([keras.ops.convert_to_tensor(gradient.astype("float32"))], [weight])
            places.append(place)
        return np.array(places), optimizer.accepts

    expected, accepts = path(1.0)
    assert 5 < accepts < 24
    places, accepts_after = path(2.0**10)
    assert accepts_after == accepts
    np.testing.assert_allclose(places, expected, rtol=1e-4, atol=1e-5)


def test_defaults_settle_where_plain_sgd_does():
    """A regression without noise, whose weights are only four long: with a cap of five the loss ends at ten."""
    random = np.random.default_rng(0)
    x = random.normal(size=(2000, 10)).astype("float32")
    y = (x @ random.normal(size=(10, 1))).astype("float32")

    def loss_after_training(optimizer):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((10,)), layers.Dense(32, activation="relu"), layers.Dense(1)])
        model.compile(optimizer, loss="mse")
        model.fit(x, y, batch_size=32, epochs=5, shuffle=False, verbose=0)
        return model.evaluate(x, y, batch_size=2000, verbose=0)

    assert loss_after_training(GradientOnly()) < loss_after_training(keras.optimizers.SGD())


def test_cap_comes_back_from_its_configuration():
    optimizer = GradientOnly(max_update_ratio=schedules.Constant(0.2), decay_steps=10)
    twin = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert (twin.max_update_ratio, twin.max_update_norm, twin.decay_steps) == (schedules.Constant(0.2), None, 10)


@pytest.mark.parametrize("argument", ["max_update_ratio", "max_update_norm"])
def test_cap_that_is_not_positive_is_refused(argument):
    with pytest.raises(
        ValueError,
        match=rf"takes a number above 0 as {argument}\. Received: {argument}=0\.0\. It bounds .* of .*the weights",
    ):
        GradientOnly(**{argument: 0.0})
