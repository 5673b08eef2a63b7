"""The race on small models: what it finds, what it costs, what it refuses."""

import keras
import numpy as np
import pytest
from keras import layers
from sklearn.datasets import load_digits

import keras_lr
from keras_lr.finder import _choice, _ladder
from keras_lr.finder._lanes import Lanes
from keras_lr.finder._raced_ladder import RacedLadder, marked
from keras_lr.training._progress import silent

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(512, 10)).astype("float32")
Y = (X @ RANDOM.normal(size=(10, 1)) + 0.1 * RANDOM.normal(size=(512, 1))).astype("float32")


def a_model(optimizer, loss="mse"):
    model = keras.Sequential([keras.Input((10,)), layers.Dense(16, activation="tanh"), layers.Dense(1)])
    model.compile(optimizer=optimizer, loss=loss)
    return model


OPTIMIZERS = {
    "SGD": lambda rate: keras.optimizers.SGD(rate),
    "momentum": lambda rate: keras.optimizers.SGD(rate, momentum=0.9, nesterov=True),
    "RMSprop": lambda rate: keras.optimizers.RMSprop(rate),
    "Adam": lambda rate: keras.optimizers.Adam(rate),
    "AdamW": lambda rate: keras.optimizers.AdamW(rate),
    "Nadam": lambda rate: keras.optimizers.Nadam(rate),
    "Lamb": lambda rate: keras.optimizers.Lamb(rate),
    "Lion": lambda rate: keras.optimizers.Lion(rate),
    "Muon": lambda rate: keras.optimizers.Muon(rate),
    "Adagrad": lambda rate: keras.optimizers.Adagrad(rate),
    "Adadelta": lambda rate: keras.optimizers.Adadelta(rate),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_learns_at_the_rate_that_won(name):
    model = a_model(OPTIMIZERS[name](1e-3))
    result = keras_lr.race(model, X, Y, epochs=15, batch_size=32)
    assert result.total_steps <= 0.3 * result.horizon_steps
    model.optimizer.learning_rate = result.learning_rate
    start = model.evaluate(X, Y, verbose=0)
    assert trained(model).evaluate(X, Y, verbose=0) < 0.2 * start


@pytest.mark.above_backends
@pytest.mark.parametrize(("name", "keeps"), [("Adam", False), ("Lamb", True), ("Lion", True), ("Muon", True)])
def test_a_peak_of_steps_that_keep_their_length_in_noise_is_lower(name, keeps):
    x, y = np.tile(X, (8, 1)), np.tile(Y, (8, 1))  # one pass of 128 steps
    result = keras_lr.race(a_model(OPTIMIZERS[name](1e-3)), x, y, batch_size=32)
    assert (result.learning_rate < 0.2 * result.best_rate) == keeps


@pytest.mark.parametrize("offset", [0.0, 30.0])
def test_finding_the_mean_of_the_targets_does_not_lower_the_peak(offset):
    x = RANDOM.normal(size=(512, 10)).astype("float32")
    y = offset + np.prod(np.sin(3 * x[:, :3]), axis=1, keepdims=True)  # which a dozen steps do not learn
    result = keras_lr.race(a_model("adam"), x, y, epochs=15)
    assert result.learning_rate > 0.9 * result.best_rate


def trained(model):
    model.fit(X, Y, epochs=15, batch_size=32, verbose=0)
    return model


@pytest.mark.above_backends
@pytest.mark.parametrize("rate", [1e-7, 1e-3, 10.0])
def test_the_optimizers_own_rate_is_not_used(rate):
    keras.utils.set_random_seed(0)
    ours = keras_lr.race(a_model(keras.optimizers.Adam(rate)), X, Y, epochs=15).learning_rate
    keras.utils.set_random_seed(0)
    assert ours == keras_lr.race(a_model(keras.optimizers.Adam(0.5)), X, Y, epochs=15).learning_rate


@pytest.mark.above_backends
@pytest.mark.parametrize(
    ("momentum", "times", "lower"), [(0.0, 6, False), (0.9, 6, True), (0.5, 6, False), (0.9, 12, False)]
)
def test_lanes_in_which_momentum_does_not_build_up_take_a_rung_off(momentum, times, lower):
    x, y = np.tile(X, (times, 1)), np.tile(Y, (times, 1))
    result = keras_lr.race(a_model(keras.optimizers.SGD(0.1, momentum)), x, y, batch_size=32)
    assert ("Momentum builds up" in result.reason or "is undone" in result.reason) >= lower
    if "is undone" not in result.reason:
        assert (result.learning_rate < 0.5 * result.best_rate) == lower


class DeepNetwork:
    """Stands for the lanes of a network that dies above a rate: its loss is then that of a constant prediction."""

    accumulation = 1

    def __init__(self, dies_above, best):
        self.dies_above, self.best, self.steps_run = dies_above, best, 4
        self.looks = 0

    def died(self):
        self.steps_run += 4
        self.looks += 1
        return False

    def untouched(self, lane_steps, count):
        self.steps_run += count
        return np.full(count, 2.3)

    def run(self, schedule):
        self.steps_run += 12
        peak = float(np.max(schedule.values(np.arange(schedule.end_step))))
        if peak > self.dies_above:
            return 2.4 + 1e-3 * (peak - 3) ** 2 - 0.1 * (np.arange(12) == 0)
        return 2.3 - np.arange(12) * 0.01 / (1 + abs(np.log(peak / self.best)))


def climbed(lanes, centre, most, trusted_rungs=0, bounded=True):
    ladder = RacedLadder(lanes, 12, most, trusted_rungs, bounded, silent)
    ladder.climb(centre)
    return ladder


@pytest.mark.parametrize(("lanes", "lowest"), [(3, 1.0), (4, 0.316), (6, 0.0316), (9, 0.0316)])
def test_while_no_rate_wins_anything_the_ladder_grows_downwards(lanes, lowest):
    ladder = climbed(DeepNetwork(dies_above=0.5, best=0.1), 3.16, 12 * (lanes + 1), trusted_rungs=lanes)
    assert min(ladder.losses()) == pytest.approx(lowest, rel=0.01)
    assert len(ladder.losses()) == min(lanes, 6)


def test_a_race_keeps_to_its_steps_with_all_looks():
    looks = []
    for most in range(16, 130):
        for trusted_rungs in (0, 1):
            lanes = DeepNetwork(dies_above=0.5, best=0.03)
            climbed(lanes, 0.1, most, trusted_rungs)
            assert lanes.steps_run <= most
        looks.append(lanes.looks)
    assert looks[0] == 0
    assert looks[-1] > 1


class Overflowing(DeepNetwork):
    """Stands for lanes whose loss is infinite above a rate."""

    def run(self, schedule):
        losses = super().run(schedule)
        return np.where(np.max(schedule.values(np.arange(12))) > self.dies_above, np.inf, losses)


def test_of_a_lane_whose_loss_is_not_finite_nobody_asks_whether_it_died():
    lanes = Overflowing(dies_above=0.2, best=0.1)
    ladder = climbed(lanes, 0.1, 200)
    assert sorted(ladder.losses()) == pytest.approx([0.0316, 0.1, 0.316], rel=0.01)
    assert (lanes.looks, lanes.steps_run) == (0, 4 + 3 * 12)


class Trained(DeepNetwork):
    """Stands for lanes that lose or win the more, the higher their rate, and explode from some rate on."""

    gain = -0.02

    def run(self, schedule):
        self.steps_run += 12
        peak = float(np.max(schedule.values(np.arange(schedule.end_step))))
        return 0.1 + (0.4 if peak > self.dies_above else -self.gain * peak) * (np.arange(12) > 0)


@pytest.mark.parametrize(
    ("bounded", "dies_above", "raced"),
    [(False, 0.5, [0.316, 1.0]), (False, 2.0, [1.0, 3.16]), (True, 0.5, [1.0, 3.16, 10.0])],
    ids=["the lowest explodes", "the next does", "steps are bounded"],
)
def test_no_rung_is_raced_above_one_where_the_loss_explodes(bounded, dies_above, raced):
    most = 12 * (3 if bounded else 2)
    ladder = climbed(Trained(dies_above=dies_above, best=0.1), 3.16, 4 + most, trusted_rungs=9, bounded=bounded)
    assert sorted(ladder.losses()) == pytest.approx(raced, rel=0.01)


def test_above_a_rate_that_wins_the_next_ones_are_raced_whatever_they_do():
    lanes = Trained(dies_above=2.0, best=0.1)
    lanes.gain = 0.02
    ladder = climbed(lanes, 3.16, 4 + 12 * 3, trusted_rungs=9, bounded=False)
    assert sorted(ladder.losses()) == pytest.approx([1.0, 3.16, 10.0], rel=0.01)


class Tempting(DeepNetwork):
    """Stands for lanes that win more where the network dies than where it lives."""

    def died(self):
        return self.peak > self.dies_above

    def run(self, schedule):
        self.peak = float(np.max(schedule.values(np.arange(schedule.end_step))))
        won = 0.12 if self.peak > self.dies_above else 0.1 / (1 + abs(np.log(self.peak / self.best)))
        return 2.3 - won * (np.arange(12) > 0)


def test_the_ladder_does_not_grow_towards_rates_that_kill():
    ladder = climbed(Tempting(dies_above=0.5, best=0.1), 0.316, 200, trusted_rungs=1)
    assert sorted(ladder.losses()) == pytest.approx([0.0316, 0.1, 0.316, 1.0], rel=0.01)


class Plateau(DeepNetwork):
    """Stands for lanes that leave a plateau nowhere: they follow the noise of the batches, the more the higher."""

    NOISE = np.array([0, 1, -3, 4, -1, 2, -2, 5, 3, -4, 3, 2])  # a little above zero in the mean

    def __init__(self, lost):
        super().__init__(dies_above=0.5, best=0.1)
        self.lost = lost

    def run(self, schedule):
        self.steps_run += 12
        return 2.3 + 0.1 * float(np.max(schedule.values(np.arange(schedule.end_step)))) * (self.NOISE + self.lost)


@pytest.mark.parametrize("trusted_rungs", [0, 1, 2])
def test_on_a_plateau_the_ladder_does_not_go_down_for_ever(trusted_rungs):
    ladder = climbed(Plateau(lost=0), 0.1, 200, trusted_rungs)
    assert len(ladder.losses()) == 3 + trusted_rungs
    assert ladder.untouched == pytest.approx(2.3)


class OneGains(DeepNetwork):
    """Stands for lanes of which one gains a little on untouched weights, after a first batch of low loss."""

    def run(self, schedule):
        self.steps_run += 12
        gains = abs(np.log(np.max(schedule.values(np.arange(12))) / self.best)) < 0.5
        return np.where(np.arange(12) == 0, 2.0, 2.25 if gains else 2.3)


def test_below_a_lane_that_does_as_untouched_weights_do_no_rung_is_raced():
    """Whatever the best one does: lower rates move the weights even less."""
    ladder = climbed(OneGains(dies_above=9.0, best=0.1), 0.1, 200)
    assert ladder.untouched is not None
    assert sorted(ladder.losses()) == pytest.approx([0.0316, 0.1, 0.316], rel=0.01)


def test_where_every_rate_does_harm_the_ladder_goes_down():
    ladder = climbed(Plateau(lost=5), 0.1, 200)
    assert len(ladder.losses()) > 10
    assert len(climbed(Plateau(lost=5), 0.1, 2000).losses()) == _ladder.MOST_LANES
    assert ladder.untouched is not None


def test_untouched_weights_are_asked_on_the_batches_that_there_is_room_for():
    for most, asked in ((40, 0), (43, 0), (44, 4), (47, 7), (51, 11), (60, 11)):
        untouched = climbed(Plateau(lost=0), 0.1, most).untouched
        assert (0 if untouched is None else len(untouched)) == asked


def test_a_ladder_that_goes_down_as_lanes_win_does_not_ask():
    ladder = climbed(Tempting(dies_above=np.inf, best=1e-3), 0.1, 200)
    assert min(ladder.losses()) < 2e-3
    assert ladder.untouched is None


def a_network_on_a_plateau(optimizer="adam"):
    """Return a network that twelve steps at any rate do not bring off the plateau of its small weights."""
    weights = keras.initializers.RandomNormal(stddev=1e-3, seed=0)
    hidden = [layers.Dense(32, activation="tanh", kernel_initializer=weights) for _ in range(3)]
    model = keras.Sequential([keras.Input((64,)), *hidden, layers.Dense(10, kernel_initializer=weights)])
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


@pytest.mark.above_backends
@pytest.mark.parametrize(("optimizer", "lanes", "highest"), [("adam", 3, True), ("sgd", 4, False)])
def test_an_optimizer_whose_steps_grow_where_a_plateau_ends_takes_one_rung_more_and_not_the_highest(
    optimizer, lanes, highest
):
    x, y = load_digits(return_X_y=True)
    race = keras_lr.race(a_network_on_a_plateau(optimizer), x / 16, y, epochs=10, batch_size=64)
    assert len(race.rates) == lanes
    assert (race.best_rate == race.rates[-1]) == highest == ("did no harm" in race.reason)


@pytest.mark.above_backends
def test_a_network_on_a_plateau_gets_a_rate_that_leaves_it():
    x, y = load_digits(return_X_y=True)
    x, model = x / 16, a_network_on_a_plateau()
    races = [keras_lr.race(model, x, y, epochs=10, batch_size=64, seed=seed) for seed in range(3)]
    assert all("did no harm" in race.reason for race in races)
    assert all(race.learning_rate < race.best_rate == race.rates[-1] for race in races)
    result = keras_lr.fit(model, x, y, epochs=10, batch_size=64, verbose=0)
    assert result.history["loss"][-1] < 1.8  # 2.3 on the plateau


@pytest.mark.above_backends
def test_of_sigmoids_the_peak_goes_up_to_rates_that_learn():
    """The lowest loss has a lane that only finds the mean of the targets."""
    x, y = load_digits(return_X_y=True)
    random = np.random.default_rng(0)
    hidden = [layers.Dense(64, activation="sigmoid") for _ in range(2)]
    model = keras.Sequential([keras.Input((64,)), *hidden, layers.Dense(10)])
    model.set_weights([0.15 * random.normal(size=w.shape) * (w.ndim > 1) for w in model.get_weights()])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    race = keras_lr.race(model, x / 16, y, epochs=6)
    assert "Little was won" in race.reason
    assert race.learning_rate > 1.5 * race.best_rate
    result = keras_lr.fit(model, x / 16, y, epochs=6, verbose=0)
    assert result.history["loss"][-1] < 0.3


@pytest.mark.parametrize("wrapped", [lambda inner: inner, keras.optimizers.LossScaleOptimizer])
def test_an_average_that_overwrites_the_weights_in_mid_training_is_refused(wrapped):
    model = a_model(wrapped(keras.optimizers.Adam(use_ema=True, ema_overwrite_frequency=10)))
    with pytest.raises(ValueError, match=r"ema_overwrite_frequency=10 .* throws the loss back.*Leave it out"):
        keras_lr.race(model, X, Y, epochs=4)
    assert keras_lr.race(a_model(keras.optimizers.Adam(use_ema=True)), X, Y, epochs=4).learning_rate > 0.0


@pytest.mark.above_backends
def test_a_new_optimizer_gets_no_rate_that_undoes_weights_that_fit_the_data():
    """The losses of such a rate differ so much that hardly anything is certain."""
    x, y = load_digits(return_X_y=True)
    model = keras.Sequential([keras.Input((64,)), layers.Dense(64, activation="relu"), layers.Dense(10)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for seed in range(2):
        keras.utils.set_random_seed(seed)
        model = keras.models.clone_model(model)
        model.compile(keras.optimizers.RMSprop(0.002), loss)
        model.fit(x / 16, y, epochs=15, verbose=0)
        model.compile(keras.optimizers.RMSprop(), loss)
        assert all(keras_lr.race(model, x / 16, y, epochs=epochs).learning_rate < 0.05 for epochs in (2, 5, 10))


class Breaking(keras.optimizers.SGD):
    """Stands for an optimizer that divides zero by zero."""

    def update_step(self, gradient, variable, learning_rate):
        self.assign(variable, variable * np.nan)


def test_an_optimizer_that_breaks_the_weights_at_any_rate_is_named():
    model = a_model(Breaking())
    before = model.get_weights()
    with pytest.raises(
        ValueError, match=r"loss is finite, but one step of the optimizer .* even 0.*NaN and infinity in the inputs"
    ):
        keras_lr.race(model, X, Y, epochs=4)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_batches_that_make_one_update_are_counted_inside_a_wrapper():
    one, inside = (keras.optimizers.SGD(gradient_accumulation_steps=2) for _ in range(2))
    races = [keras_lr.race(a_model(o), X, Y, epochs=16) for o in (one, keras.optimizers.LossScaleOptimizer(inside))]
    assert races[0].losses.shape[1] == races[1].losses.shape[1] == 2 * _ladder.lane_steps(16 * 16 // 2)


@pytest.mark.parametrize(("name", "rungs"), [("Adam", 1), ("momentum", 0)])
def test_the_ladder_of_adam_that_remembers_a_run_before_begins_a_rung_lower(name, rungs, monkeypatch):
    monkeypatch.setattr(Lanes, "centre", lambda self, usual_length: 1e-3)
    model = a_model(OPTIMIZERS[name](0.01))
    assert keras_lr.race(model, X, Y).best_rate == 1e-3  # 16 steps have no room for a race
    model.fit(X, Y, verbose=0)
    assert keras_lr.race(model, X, Y).best_rate == pytest.approx(1e-3 * _ladder.RUNG**-rungs)


def test_a_race_corrects_its_ladder_and_needs_no_bound(monkeypatch):
    model = a_model("adam")
    model.fit(X, Y, verbose=0)
    monkeypatch.setattr(Lanes, "full_step_centre", lambda self, weights: 1e-9)
    assert keras_lr.race(model, X, Y, epochs=8).rates.min() > 1e-6


@pytest.mark.parametrize("name", ["Adam", "Adagrad", "momentum"])
def test_unraced_a_mean_of_squares_that_forgets_has_no_rate_whose_full_steps_go_too_far(name, monkeypatch):
    monkeypatch.setattr(Lanes, "centre", lambda self, usual_length: 1.0)
    model = a_model({**OPTIMIZERS, "Adagrad": keras.optimizers.Adagrad}[name](0.01))
    assert keras_lr.race(model, X, Y).best_rate == 1.0
    model.fit(X, Y, verbose=0)
    weights = np.concatenate([w.ravel() for w in model.get_weights()])
    full_steps = _ladder.TYPICAL_MOVEMENT * np.sqrt(np.mean(weights**2)) / _ladder.PROBE_STEPS
    expected = {"Adam": full_steps, "Adagrad": 1 / _ladder.RUNG, "momentum": 1.0}[name]
    assert keras_lr.race(model, X, Y).best_rate == pytest.approx(expected)


@pytest.mark.above_backends
@pytest.mark.parametrize("seed", range(3))
def test_adam_that_remembers_a_run_before_gets_no_rate_that_undoes_it(seed):
    """What it remembers of larger gradients makes its first steps short, and so lets rates look harmless."""
    x, y = load_digits(return_X_y=True)
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input((64,)), layers.Dense(64, activation="relu"), layers.Dense(10)])
    model.compile(keras.optimizers.Adam(0.02), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(x / 16, y, epochs=10, verbose=0)
    assert all(keras_lr.race(model, x / 16, y, epochs=epochs).learning_rate < 0.1 for epochs in (1, 3, 6))


def a_network_that_dies():
    """Return a narrow deep network from fixed weights, which high rates kill where targets are far from zero."""
    random = np.random.default_rng(2)
    hidden = [layers.Dense(4, activation="relu") for _ in range(3)]
    model = keras.Sequential([keras.Input((10,)), *hidden, layers.Dense(1)])
    model.set_weights([random.normal(size=w.shape) * 0.6 * (w.ndim > 1) for w in model.get_weights()])
    model.compile(keras.optimizers.Adam(), loss="mse")
    return model


def test_a_lane_whose_network_died_counts_as_one_that_diverged():
    x, y = np.tile(X, (16, 1)), np.tile(0.1 * Y + 20, (16, 1))
    result = keras_lr.race(a_network_that_dies(), x, y, batch_size=32)
    np.testing.assert_array_equal(np.isfinite(result.losses[-1]), [True] * 11 + [False])
    np.testing.assert_array_equal(result.scores == np.inf, [False] * (len(result.rates) - 1) + [True])
    assert "1 diverged or died" in result.reason
    assert "Half a decade higher" in result.reason


@pytest.mark.parametrize(
    ("died", "diverged", "finite"),
    [
        ({1.0}, {10.0}, [0.1]),
        ({1.0, 10.0}, set(), [0.1]),
        ({0.1, 1.0}, set(), [0.1, 1.0, 10.0]),
        ({1.0}, set(), [0.1, 1.0, 10.0]),
        ({1.0, 10.0}, {0.1}, [1.0, 10.0]),
        ({0.1, 1.0, 10.0}, set(), [0.1, 1.0, 10.0]),
    ],
    ids=["of its rate", "two", "below a living one", "between living ones", "no other is finite", "all"],
)
def test_which_lanes_died_of_their_rate(died, diverged, finite):
    raced = {rate: np.full(3, np.inf if rate in diverged else 1.0) for rate in (0.1, 1.0, 10.0)}
    assert [rate for rate, losses in marked(raced, died).items() if np.all(np.isfinite(losses))] == finite


def test_of_a_rare_class_no_rate_is_taken_that_only_answers_the_other_one():
    """Nearly all batches are of one class, and their loss is the lower the higher the rate."""
    random = np.random.default_rng(0)
    x = random.normal(size=(20000, 10)).astype("float32")
    hidden = x[:, 0] + x[:, 1] * x[:, 2] + random.normal(scale=0.5, size=20000)
    keras.utils.set_random_seed(0)
    hidden_layer = layers.Dense(32, activation="relu")
    model = keras.Sequential([keras.Input((10,)), hidden_layer, layers.Dense(1, activation="sigmoid")])
    model.compile("adam", loss="binary_crossentropy")
    result = keras_lr.race(model, x, hidden > np.quantile(hidden, 0.997), batch_size=128, epochs=5)
    assert 0.003 < result.learning_rate < 0.1  # in whole runs .01 and .03 are the best, and .3 ends at one answer


def test_inputs_that_are_all_alike_are_no_sign_of_death():
    result = keras_lr.race(a_network_that_dies(), np.ones_like(X), Y, batch_size=32, epochs=32)
    assert np.all(np.isfinite(result.scores))


@pytest.mark.above_backends
def test_momentum_lowers_the_peak_where_the_loss_falls_faster_and_faster():
    """From the first weights of a deep network without normalisation; twelve steps see a third of the velocity."""
    x, y = (load_digits().data / 16).astype("float32"), load_digits().target
    factors = {}
    for momentum in (0.0, 0.9):
        random = np.random.default_rng(0)
        hidden = [layers.Dense(64, activation="relu") for _ in range(5)]
        model = keras.Sequential([keras.Input((64,)), *hidden, layers.Dense(10, activation="softmax")])
        model.set_weights([random.normal(size=w.shape) / len(w) ** 0.5 * (w.ndim > 1) for w in model.get_weights()])
        model.compile(keras.optimizers.SGD(momentum=momentum), "sparse_categorical_crossentropy")
        race = keras_lr.race(model, x, y, epochs=7, batch_size=64)
        speeds_up = _choice.speeds_up(race.losses[np.argmin(race.scores)])  # backends have batches of their own
        assert speeds_up > 0.5
        factors[momentum] = race.learning_rate / race.best_rate
    assert factors[0.9] == pytest.approx(_ladder.RUNG ** (-1.5 * speeds_up))
    assert factors[0.0] >= 0.999 / _ladder.RUNG


@pytest.mark.above_backends
@pytest.mark.parametrize("scale", [1e-3, 1e3])
@pytest.mark.parametrize("name", ["Adam", "momentum"])
def test_the_scale_of_the_loss_changes_nothing_but_the_unit(scale, name):
    def scaled(y, prediction):
        return scale * keras.ops.mean((y - prediction) ** 2, axis=-1)

    rates = []
    for loss in ("mse", scaled):
        keras.utils.set_random_seed(0)
        optimizer = keras.optimizers.Adam(epsilon=1e-12) if name == "Adam" else OPTIMIZERS[name](0.1)
        rates.append(keras_lr.race(a_model(optimizer, loss), X, Y, epochs=15).learning_rate)
    assert rates[1] == pytest.approx(rates[0] * (1 if name == "Adam" else 1 / scale), rel=0.05)


class Pass(keras.utils.PyDataset):
    """The batches of one pass over the data."""

    def __len__(self):
        return 16

    def __getitem__(self, index):
        return X[32 * index : 32 * index + 32], Y[32 * index : 32 * index + 32]


@pytest.mark.above_backends
@pytest.mark.parametrize("name", ["SGD", "momentum", "Adam"])
def test_a_run_that_sees_its_rows_again_has_a_lower_peak_but_with_plain_gradient_descent(name):
    model = a_model(OPTIMIZERS[name](0.1))
    known = keras_lr.race(model, Pass(), epochs=27)
    batches = (batch for _ in range(27) for batch in Pass())
    unknown = keras_lr.race(model, batches, steps_per_epoch=16, epochs=27)
    factor, of_unknown = (result.learning_rate / result.best_rate for result in (known, unknown))
    best = known.losses[np.argmin(known.scores)]
    won = 0.0 if name == "SGD" else 1 - np.mean(best[6:]) / min(best[0], np.var(Y))
    assert of_unknown == pytest.approx((250 / 432) ** 0.6)
    assert factor == pytest.approx((250 / 432) ** 0.6 * 27 ** (-0.6 * won), rel=0.05)
    assert ("27 times through the data" in known.reason) == (name != "SGD")


def test_a_method_that_stands_still_at_first_is_raced():
    # Rectified Adam makes no step before its fifth.
    model = a_model(keras_lr.optimizers.ScheduleFreeRAdam())
    result = keras_lr.race(model, X, Y, epochs=15, batch_size=32)
    assert len(result.rates) > 1
    assert np.all(np.isfinite(result.losses))


@pytest.mark.parametrize("optimizer", ["Prodigy", "DAdaptAdam", "DoG", "DoWG", "AdGD"])
def test_a_method_that_finds_the_rate_itself_keeps_its_factor(optimizer):
    model = a_model(getattr(keras_lr.optimizers, optimizer)())
    before = [w.copy() for w in model.get_weights()]
    result = keras_lr.race(model, X, Y, epochs=15)
    assert (result.learning_rate, result.low, result.high, result.total_steps) == (1.0, 1.0, 1.0, 0)
    assert f"{optimizer} finds the rate itself" in str(result)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


@pytest.mark.parametrize("optimizer", ["LBFGS", "COCOB"])
@pytest.mark.parametrize("find", [keras_lr.race, keras_lr.range_test, keras_lr.fit])
def test_a_method_that_takes_no_rate_is_refused_with_the_remedy(optimizer, find):
    with pytest.raises(ValueError, match=rf"{optimizer} .* takes no learning rate.*model\.fit"):
        find(a_model(getattr(keras_lr.optimizers, optimizer)()), X, Y)


@pytest.mark.above_backends
def test_fit_ends_a_line_search_on_short_steps():
    search = keras_lr.optimizers.LineSearch(keras_lr.line_search.PAL())
    model = keras_lr.attach(a_model(search))
    result = keras_lr.fit(model, X, Y, epochs=20, batch_size=32, verbose=0)
    assert result.race.total_steps == 0
    assert result.history["alpha"][-1] < 0.2 * max(result.history["alpha"])
    assert result.history["loss"][-1] < 0.5 * result.history["loss"][0]


@pytest.mark.above_backends
def test_a_pretrained_model_gets_a_rate_that_does_not_undo_it():
    model = trained(a_model(keras.optimizers.Adam(0.01)))
    good = model.evaluate(X, Y, verbose=0)
    result = keras_lr.fit(model, X, Y, epochs=10, batch_size=32, verbose=0)
    assert result.history["loss"][-1] < 1.2 * good


def test_a_loss_that_is_never_finite_is_an_error_and_leaves_the_weights():
    def logarithm(y, prediction):
        return keras.ops.log(-keras.ops.abs(prediction) - 1.0)

    model = a_model("adam", logarithm)
    before = [w.copy() for w in model.get_weights()]
    with pytest.raises(ValueError, match="before any update"):
        keras_lr.race(model, X, Y, epochs=15)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_bad_batch_is_not_held_against_the_rates():
    x = X.copy()
    x[:16] = np.nan
    model = a_model("adam")
    sound = keras_lr.race(model, X, Y, epochs=15, batch_size=32).learning_rate
    for seed in range(6):  # each draws the bad rows in other batches
        result = keras_lr.race(model, x, Y, epochs=15, batch_size=32, seed=seed)
        assert 0.3 < result.learning_rate / sound < 3
        assert np.isfinite(result.scores[0])


def test_a_bad_batch_that_an_activation_hides_is_left_out():
    x = X.copy()
    x[77, 3] = np.nan
    model = keras.Sequential([keras.Input((10,)), layers.Dense(16, "relu"), layers.Dense(1)])
    model.compile("adam", "mse")
    for seed in range(3):
        assert np.isfinite(keras_lr.race(model, x, Y, epochs=15, seed=seed).learning_rate)


def test_a_linear_model_whose_weights_are_zero_is_raced():
    model = keras.Sequential([keras.Input((10,)), layers.Dense(1, kernel_initializer="zeros")])
    model.compile("sgd", "mse")
    rate = keras_lr.race(model, X, Y, epochs=15).learning_rate
    assert 0.01 < rate < 1.0  # the largest stable rate is about 1, for the inputs have a variance of 1


def test_a_run_with_no_room_for_a_race_takes_the_centre():
    result = keras_lr.race(a_model("adam"), X[:64], Y[:64], epochs=3, batch_size=16)
    assert len(result.rates) == 0
    assert "no room" in result.reason
    assert result.total_steps <= 9
    assert str(result)


@pytest.mark.above_backends
def test_the_result_says_why_and_saves(tmp_path):
    result = keras_lr.race(a_model("adam"), X, Y, epochs=15, batch_size=32)
    assert f"{result.rates[np.argmin(result.scores)]:.2g}" in result.reason
    assert "learning rate" in str(result)
    result.save(tmp_path / "race.html")
    result.save(tmp_path / "race.json")
    assert (tmp_path / "race.html").stat().st_size > 10_000


def test_a_constraint_that_the_first_weights_break_is_not_taken_for_a_rate_that_moves_them():
    model = keras.Sequential([keras.Input((10,)), layers.Dense(16, kernel_constraint="unit_norm"), layers.Dense(1)])
    model.compile("adam", "mse")
    constrained = keras_lr.race(model, X, Y, epochs=15)
    model.layers[0].kernel.constraint = None
    model.layers[0].kernel.assign(keras.constraints.UnitNorm()(model.layers[0].kernel))
    free = keras_lr.race(model, X, Y, epochs=15)
    assert abs(np.log10(constrained.learning_rate / free.learning_rate)) < 0.5
