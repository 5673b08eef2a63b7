"""`LineSearch`: directions, guards, every rule in a fit, saving and going on, the same on three backends.

    KERAS_BACKEND=torch python tests/optimizers/test_line_search.py

writes the record that the three backends are compared with.
"""

import itertools
import json
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_lr.line_search import (
    PAL,
    SLS,
    Accepted,
    Backtracking,
    EachStep,
    GeN,
    Goldstein,
    HagerZhang,
    Polyak,
    PoNoS,
    Restarting,
    Rule,
    SafePolyak,
    SaLSA,
    SameDecrease,
    Status,
    StrongWolfe,
)
from keras_lr.optimizers import LBFGS, LineSearch
from keras_lr.optimizers._way_back import farthest
from keras_lr.training import attach

EVERY = [
    PAL(),
    SLS(10),
    PoNoS(),
    SaLSA(),
    Polyak(),
    SafePolyak(),
    GeN(initial=0.05, every=2),
    Backtracking(),
    Goldstein(),
    StrongWolfe(),
    HagerZhang(),
    EachStep(StrongWolfe(), SameDecrease()),
]
rng = np.random.default_rng(0)
A = rng.normal(size=(64, 5)).astype("float32")
B = (A @ rng.normal(size=(5, 1)) + 0.1 * rng.normal(size=(64, 1))).astype("float32")


def linear(optimizer, **compiled):
    """Least squares without a bias: the loss is ‖Aw - b‖²/64, a parabola along every line."""
    model = keras.Sequential([keras.Input((5,)), layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    model.compile(optimizer, loss="mse", **compiled)
    return attach(model)


def fit(model, epochs=1, batch_size=64, **arguments):
    return model.fit(A, B, batch_size=batch_size, epochs=epochs, shuffle=False, verbose=0, **arguments).history


def weights(model):
    return model.get_weights()[0][:, 0].astype("float64")


def loss_and_gradient(w):
    residual = A.astype("float64") @ w - B[:, 0]
    return np.mean(residual**2), 2 * A.T.astype("float64") @ residual / 64


def exact_step(w, direction):
    """The minimiser along a line, in float64."""
    a = A.astype("float64") @ direction
    return -(loss_and_gradient(w)[1] @ direction) / (2 * np.mean(a * a))


def test_pal_is_exact_in_one_step_on_a_quadratic():
    model = linear(LineSearch(PAL(longest=100.0)))
    gradient = loss_and_gradient(np.zeros(5))[1]
    fit(model)
    np.testing.assert_allclose(weights(model), -exact_step(np.zeros(5), -gradient) * gradient, rtol=2e-4)


def test_pal_overshoots_and_is_capped_in_the_space_of_weights():
    fit(model := linear(LineSearch(PAL(longest=0.25))))
    assert np.linalg.norm(weights(model)) == pytest.approx(0.25, rel=1e-5)
    gradient = loss_and_gradient(np.zeros(5))[1]
    fit(model := linear(LineSearch(PAL(overshoot=1.6, longest=100.0))))
    np.testing.assert_allclose(weights(model), -1.6 * exact_step(np.zeros(5), -gradient) * gradient, rtol=2e-4)


RECORD = Path(__file__).with_name("line_search_steps.json")


def as_recorded(history):
    """What is compared across backends: two epochs, in which rounding cannot have grown."""
    return {name: history[name][:2] for name in ("alpha", "evaluations", "search_status", "loss")}


@pytest.mark.parametrize("search", EVERY, ids=lambda s: type(s).__name__)
def test_every_search_trains_as_on_other_backends_and_goes_on_bit_for_bit_after_saving(search, tmp_path):
    optimizer = keras.optimizers.SGD(0.1, momentum=0.5)
    whole, half = linear(LineSearch(search, optimizer)), linear(LineSearch(search, keras.optimizers.SGD(0.1, 0.5)))
    first, _ = fit(whole, 6, 16), fit(half, 6, 16)
    for name, recorded in json.loads(RECORD.read_text())[repr(search)].items():
        np.testing.assert_allclose(first[name][:2], recorded, rtol=1e-3)
    assert first["loss"][-1] < 0.5 * first["loss"][0]
    second = fit(whole, 2, 16)
    half.save(tmp_path / "half.keras")
    again = attach(keras.saving.load_model(tmp_path / "half.keras"))
    assert again.optimizer.search == search
    assert fit(again, 2, 16) == second
    np.testing.assert_array_equal(weights(whole), weights(again))


@pytest.mark.parametrize(
    "direction",
    [None, keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.02, 0.9, nesterov=True), keras.optimizers.Adam(0.1)],
    ids=["gradient", "sgd", "momentum", "adam"],
)
def test_the_direction_is_what_the_optimizer_proposes(direction):
    """With Restarting at 1 and a condition that anything meets, a search is the plain optimizer."""
    direction = None if direction is None else type(direction).from_config(direction.get_config())
    search = EachStep(Backtracking(decrease=1e-6), Restarting(1.0 if direction else 0.1))
    searched = linear(LineSearch(search, direction))
    plain = keras.optimizers.SGD(0.1) if direction is None else type(direction).from_config(direction.get_config())
    expected = linear(plain)
    history = fit(searched, 4)
    fit(expected, 4)
    assert history["alpha"] == pytest.approx([1.0 if direction else 0.1] * 4)
    np.testing.assert_allclose(weights(searched), weights(expected), rtol=1e-4, atol=1e-6)


class Uphill(keras.optimizers.SGD):
    """An optimizer that goes the wrong way."""

    def __init__(self, learning_rate=0.1, **kwargs):
        super().__init__(learning_rate, **kwargs)

    def update_step(self, gradient, variable, learning_rate):
        self.assign_add(variable, ops.cast(learning_rate, gradient.dtype) * gradient)


def test_a_direction_that_does_not_descend_is_replaced_by_the_gradient_of_its_length():
    model = linear(LineSearch(EachStep(Backtracking(decrease=1e-6), Restarting(0.1)), Uphill(1.0)))
    history = fit(model)
    assert history["search_status"] == [Status.ACCEPTED]
    assert model.optimizer.replaced == 1
    np.testing.assert_allclose(weights(model), -0.1 * loss_and_gradient(np.zeros(5))[1], rtol=1e-5)


class Sideways(Uphill):
    """An optimizer that goes nearly at a right angle to the gradient, with this cosine to its negative."""

    cosine = 0.0

    def update_step(self, gradient, variable, learning_rate):
        downhill = -gradient / ops.norm(gradient)
        other = ops.roll(downhill, 1, axis=0)
        other = other - downhill * ops.sum(downhill * other)
        self.assign_add(variable, self.cosine * downhill + (1 - self.cosine**2) ** 0.5 * other / ops.norm(other))


@pytest.mark.parametrize(("cosine", "replaced"), [(5e-4, 1), (2e-3, 0)])
def test_a_direction_that_hardly_descends_is_replaced_too(cosine, replaced):
    optimizer = Sideways()
    optimizer.cosine = cosine
    model = linear(LineSearch(EachStep(Backtracking(decrease=1e-6), Restarting(1e-4)), optimizer))
    assert fit(model)["search_status"] == [Status.ACCEPTED]
    assert model.optimizer.replaced == replaced


class Careless(Rule):
    """Tries a step that is none, and is content with it."""

    def __init__(self, first, evaluates):
        self.first, self.evaluates = first, evaluates

    def first_trial(self, start, memory):
        return self.first

    def step(self, line, start, alpha, memory):
        return Accepted(alpha, line.phi(alpha) if self.evaluates else start.value, 1, Status.ACCEPTED), memory


@pytest.mark.parametrize("evaluates", [True, False])
@pytest.mark.parametrize("first", [np.nan, -1.0, 0.0])
def test_a_first_trial_that_is_no_step_moves_nothing(first, evaluates):
    model = linear(LineSearch(Careless(first, evaluates)))
    assert fit(model)["alpha"] == [0.0]
    np.testing.assert_array_equal(weights(model), np.zeros(5))


@pytest.mark.parametrize("search", EVERY, ids=lambda s: type(s).__name__)
def test_a_batch_that_is_not_finite_moves_nothing_and_costs_nothing_later(search):
    model = linear(LineSearch(search))
    fit(model, 2)
    before = weights(model)
    poisoned = A.copy()
    poisoned[0, 0] = np.nan
    history = model.fit(poisoned, B, batch_size=64, verbose=0).history
    np.testing.assert_array_equal(weights(model), before)
    assert history["alpha"] == [0.0]
    assert history["search_status"] == [Status.NOT_FINITE]
    after = fit(model, 3)
    assert after["loss"][-1] < after["loss"][0]


def test_how_far_a_trial_may_go_is_said_by_the_coarsest_weights():
    fine, coarse = keras.Variable(np.zeros((3, 2), "float32")), keras.Variable(np.zeros(10), dtype="float16")
    assert farthest([fine, fine, fine]) == pytest.approx(1e-3 * 2**23 * np.sqrt(18))
    assert farthest([fine, coarse]) == pytest.approx(1e-3 * 2**10 * 4)


class Cliff(keras.layers.Layer):
    def call(self, x):
        return ops.where(ops.abs(x) < 1e-3, x, ops.stop_gradient(x * float("nan")))


@pytest.mark.parametrize(("loss", "activation"), [("mse", "linear"), ("binary_crossentropy", "sigmoid")])
def test_a_loss_that_is_not_finite_at_the_trial_restores_the_weights(loss, activation):
    keras.utils.set_random_seed(0)
    parts = [layers.Dense(1, use_bias=False, kernel_initializer="zeros"), Cliff(), layers.Activation(activation)]
    ends = {PAL(measure=1.0): Status.NOT_FINITE, StrongWolfe(max_evaluations=2): Status.BUDGET_SPENT}
    for search, status in ends.items():
        model = keras.Sequential([keras.Input((5,)), *parts])
        model.compile(LineSearch(search), loss=loss)
        history = attach(model).fit(A, B > 0, batch_size=64, shuffle=False, verbose=0).history
        assert history["evaluations"][0] > 0
        assert (history["alpha"], history["search_status"]) == ([0.0], [status])
        np.testing.assert_allclose(weights(model), 0.0, atol=1e-6)


@pytest.mark.parametrize("direction", [None, lambda: keras.optimizers.SGD(1.0)], ids=["gradient", "SGD"])
@pytest.mark.parametrize("first", [1e6, 1e38])
def test_weights_come_back_from_a_first_trial_that_is_much_too_long(first, direction):
    for search in (EachStep(Backtracking(max_evaluations=2), Restarting(first)), PAL(measure=first, longest=1e-6)):
        model = linear(LineSearch(search, direction and direction()))
        model.set_weights([np.full((5, 1), 0.05, "float32")])
        fit(model)
        np.testing.assert_allclose(weights(model), 0.05, atol=2e-3)
    model = linear(LineSearch(EachStep(Backtracking(max_evaluations=30), Restarting(first)), direction and direction()))
    assert fit(model)["alpha"][0] > 0
    assert loss_and_gradient(weights(model))[0] < loss_and_gradient(np.zeros(5))[0]


def test_zero_gradient_moves_nothing():
    model = linear(LineSearch(PAL()))
    model.fit(np.zeros((8, 5), "float32"), np.zeros((8, 1), "float32"), verbose=0)
    np.testing.assert_array_equal(weights(model), np.zeros(5))


def test_gen_corrects_the_step_by_the_parabola_of_the_paper():
    model = linear(LineSearch(GeN(initial=1e-3, every=1, smoothing=0.5)))
    fit(model, 1)
    gradient = loss_and_gradient(np.zeros(5))[1]
    w = -1e-3 * gradient
    np.testing.assert_allclose(weights(model), w, rtol=1e-5)
    losses = [loss_and_gradient(k * w)[0] for k in (-1, 0, 1)]
    multiple = (losses[0] - losses[2]) / (2 * (losses[2] - 2 * losses[1] + losses[0]))
    history = fit(model, 1)
    assert history["evaluations"] == [2.0]
    assert history["alpha"][0] == pytest.approx(1e-3 * (0.5 + 0.5 * np.clip(multiple, 0.5, 2.0)), rel=1e-4)


def test_polyak_takes_the_step_of_the_formula():
    loss, gradient = loss_and_gradient(np.zeros(5))
    history = fit(linear(LineSearch(Polyak(scale=1.0, initial=10.0))))
    assert history["alpha"] == pytest.approx([loss / (gradient @ gradient)], rel=1e-4)
    history = fit(linear(LineSearch(SafePolyak(floor=1e3))))
    assert history["alpha"] == pytest.approx([loss / 1e3], rel=1e-4)


def test_ponos_starts_from_polyak_and_remembers_its_cuts():
    model = linear(LineSearch(PoNoS(longest=1e3)))
    loss, gradient = loss_and_gradient(np.zeros(5))
    history = fit(model)
    first = loss / (0.1 * gradient @ gradient)
    cuts = history["evaluations"][0] - 1
    assert history["alpha"][0] == pytest.approx(first * 0.5**cuts, rel=1e-4)
    assert float(ops.convert_to_numpy(model.optimizer._numbers)[-1]) == max(cuts - 1, 0)


def test_salsa_searches_seldom_once_the_step_is_steady():
    model = linear(LineSearch(SaLSA(initial=0.05, growth=1.0)))
    statuses = [fit(model, 1)["search_status"][0] for _ in range(16)]
    assert statuses[:10] == [Status.ACCEPTED] * 10
    assert Status.KEPT in statuses[10:]


def test_a_search_and_an_optimizer_wrap_into_the_average_of_weights():
    model = linear(LineSearch(PAL(), use_ema=True, ema_momentum=0.5))
    fit(model, 4)
    assert np.isfinite(weights(model)).all()


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("weight_decay", 0.1),
        ("clipnorm", 1.0),
        ("global_clipnorm", 1.0),
        ("clipvalue", 1.0),
        ("gradient_accumulation_steps", 2),
        ("ema_overwrite_frequency", 5),
    ],
)
def test_what_would_move_the_weights_off_the_line_is_refused(argument, value):
    with pytest.raises(ValueError, match=rf"^LineSearch takes no {argument}, .*{argument}={value}\. \w"):
        LineSearch(PAL(), **{argument: value})


def test_other_refusals():
    with pytest.raises(ValueError, match=r"search such as line_search\.PAL\(\) as search\. Received: search='armijo'"):
        LineSearch("armijo")
    with pytest.raises(
        ValueError, match=r"direction .* takes no gradient_accumulation_steps, .*=2. Use larger batches"
    ):
        LineSearch(PAL(), keras.optimizers.SGD(0.1, gradient_accumulation_steps=2))
    with pytest.raises(ValueError, match=r"^LBFGS takes no learning_rate, .*learning_rate=0\.1\. Leave"):
        LBFGS(learning_rate=0.1)
    model = keras.Sequential([keras.Input((5,)), layers.Dense(1, kernel_constraint="non_neg")])
    for constrained in (LineSearch(PAL()), LBFGS()):
        model.compile(constrained, loss="mse")
        attach(model)
        with pytest.raises(ValueError, match="constraint"):
            fit(model)
    for wrong in ({"measure": 0.0}, {"overshoot": -1.0}, {"longest": "far"}):
        with pytest.raises(
            ValueError, match=f"^PAL takes a number above 0 as {next(iter(wrong))}. Received: {next(iter(wrong))}="
        ):
            PAL(**wrong)


def test_clipping_and_decay_of_the_direction_are_part_of_it():
    direction = keras.optimizers.AdamW(0.1, weight_decay=0.5, clipnorm=0.1)
    model = linear(LineSearch(Backtracking(), direction))
    assert fit(model, 6)["search_status"] == [Status.ACCEPTED] * 6


@pytest.mark.parametrize("search", EVERY, ids=repr)
def test_the_learning_rate_multiplies_what_was_found(search):
    whole, half = (fit(linear(LineSearch(search, learning_rate=rate))) for rate in (1.0, 0.5))
    assert whole["alpha"][0] > 0.0
    assert half["alpha"][0] == pytest.approx(0.5 * whole["alpha"][0], rel=1e-6)
    assert half["evaluations"] == whole["evaluations"]


@pytest.mark.parametrize("setting", [{"use_ema": True}, {"loss_scale_factor": 128.0}], ids=str)
def test_what_a_direction_cannot_do_for_the_search_is_refused(setting):
    with pytest.raises(
        ValueError, match=f"inside LineSearch takes no {next(iter(setting))}, .*=.*to LineSearch instead"
    ):
        LineSearch(direction=keras.optimizers.SGD(0.1, **setting))


@pytest.mark.parametrize("direction", [lambda: None, lambda: keras.optimizers.SGD(0.1)], ids=["gradient", "SGD"])
@pytest.mark.parametrize("search", [PAL(), Polyak(), Backtracking()], ids=repr)
def test_weights_go_as_far_as_the_multiplied_step(search, direction):
    models = [linear(LineSearch(search, direction(), learning_rate=rate)) for rate in (1.0, 0.25)]
    for model in models:
        fit(model)
    whole, quarter = (weights(model) for model in models)
    np.testing.assert_allclose(quarter, 0.25 * whole, rtol=1e-4)


def test_a_search_remembers_what_it_found_and_not_what_was_made_of_it():
    schedule = keras.optimizers.schedules.PolynomialDecay(1.0, 4, 0.0)
    model = linear(LineSearch(EachStep(Goldstein(), Restarting(0.2)), learning_rate=schedule))
    seen = fit(model, 6)["alpha"]
    assert seen[0] > 0.0
    assert seen[4:] == [0.0, 0.0]
    found = fit(linear(LineSearch(SLS(10), learning_rate=0.5)), 5)["alpha"]
    assert all(later / former < 2 ** (1 / 10) * 1.001 for former, later in itertools.pairwise(found))


def test_gen_knows_that_a_step_was_shortened():
    gradient = loss_and_gradient(np.zeros(5))[1]
    best = exact_step(np.zeros(5), -gradient)
    model = linear(LineSearch(GeN(initial=0.8 * best, every=1, smoothing=0.5), learning_rate=0.1))
    fit(model)
    np.testing.assert_allclose(weights(model), -0.08 * best * gradient, rtol=1e-4)
    assert fit(model)["alpha"][0] == pytest.approx(0.1 * (0.4 + 0.5) * best, rel=1e-2)


def test_a_rate_that_is_assigned_is_a_step_as_the_one_that_is_read():
    model = linear(LineSearch(PAL(), learning_rate=0.5))
    step = fit(model)["alpha"][0]
    assert float(model.optimizer.learning_rate) == pytest.approx(step)
    model.optimizer.learning_rate = 0.5 * step
    assert float(ops.convert_to_numpy(model.optimizer._learning_rate)) == pytest.approx(0.25)


def test_a_rate_that_is_assigned_before_the_first_step_is_the_one_that_was_given():
    model = linear(LineSearch(PAL(), learning_rate=0.5))
    model.optimizer.build(model.trainable_variables)
    model.optimizer.learning_rate = 0.3
    assert float(ops.convert_to_numpy(model.optimizer._learning_rate)) == pytest.approx(0.3)


def test_a_callback_that_scales_the_rate_does_not_end_the_search_before_its_first_step():
    model = linear(LineSearch(PAL(), learning_rate=0.5))
    model.optimizer.build(model.trainable_variables)  # as it is from the second fit on, or of a saved model
    scheduler = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.5 * rate)
    assert fit(model, callbacks=[scheduler])["alpha"][0] > 0.0
    assert float(ops.convert_to_numpy(model.optimizer._learning_rate)) == pytest.approx(0.5)
    fit(model, callbacks=[scheduler])
    assert float(ops.convert_to_numpy(model.optimizer._learning_rate)) == pytest.approx(0.25)


class Whole:
    def __call__(self, line, start, alpha):
        return Accepted(alpha, line.phi(alpha), 1, Status.DECREASE_ONLY)


class TenthOfPolyak(Rule):
    evaluates = False

    def first_trial(self, start, memory):
        return -0.1 * start.value / start.slope

    def step(self, line, start, alpha, memory):
        return Accepted(alpha, start.value, 0, Status.DECREASE_ONLY), memory


@pytest.mark.parametrize("search", [Whole(), TenthOfPolyak()])
def test_a_search_and_a_rule_of_ones_own_name_their_status(search):
    history = fit(linear(LineSearch(search)), epochs=2)
    assert history["search_status"] == [Status.DECREASE_ONLY] * 2
    assert min(history["alpha"]) > 0


def test_configuration_travels():
    schedule = keras.optimizers.schedules.CosineDecay(1.0, 10)
    search = EachStep(Backtracking(0.2), SameDecrease())
    optimizer = LineSearch(search, keras.optimizers.Adam(0.01), learning_rate=schedule)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert again.search == optimizer.search
    assert again.get_config() == optimizer.get_config()


def test_weights_that_the_loss_does_not_use_stay_where_they_are():
    inputs = keras.Input((5,))
    used, unused = layers.Dense(1), layers.Dense(1)
    model = keras.Model(inputs, [used(inputs), unused(inputs)])
    model.compile(LineSearch(StrongWolfe()), loss=["mse", None])  # asks for slopes along the line
    attach(model)
    before, (kernel, bias) = model.evaluate(A, [B, None], verbose=0), unused.get_weights()
    model.fit(A, [B, None], batch_size=64, epochs=3, verbose=0)
    assert model.evaluate(A, [B, None], verbose=0) < 0.5 * before
    np.testing.assert_array_equal(unused.get_weights()[0], kernel)
    np.testing.assert_array_equal(unused.get_weights()[1], bias)


if __name__ == "__main__":
    histories = {
        repr(search): fit(linear(LineSearch(search, keras.optimizers.SGD(0.1, momentum=0.5))), 6, 16)
        for search in EVERY
    }
    RECORD.write_text(json.dumps({name: as_recorded(h) for name, h in histories.items()}, indent=1) + "\n")
