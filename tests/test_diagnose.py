"""`keras_lr.diagnose`: right on problems whose best rate is known, and gone without a trace."""

import random

import keras
import numpy as np
import pytest
from keras import layers
from oracles.unchanged import unchanged

import keras_lr
from keras_lr._diagnose import LANE_STEPS, _rates_to_come
from keras_lr.diagnosis import Judgement
from keras_lr.diagnosis._judgement import STEP_BACK

RANDOM = np.random.default_rng(0)
X = (RANDOM.normal(size=(256, 6)) * [2.0, 1.4, 1.0, 0.7, 0.5, 0.4]).astype("float32")
Y = (X @ RANDOM.normal(size=(6, 1))).astype("float32")
# All rows are one batch, whose loss is a parabola with this Hessian.
CURVATURES = np.linalg.eigvalsh(2 * X.T.astype(np.float64) @ X / len(X))


def parabola(optimizer):
    model = keras.Sequential([keras.Input((6,)), layers.Dense(1, use_bias=False)])
    model.compile(optimizer=optimizer, loss="mse")
    return model


def network(optimizer, loss="binary_crossentropy"):
    hidden = [layers.Dense(16, activation="relu"), layers.BatchNormalization(), layers.Dropout(0.3)]
    model = keras.Sequential([keras.Input((6,)), *hidden, layers.Dense(1, activation="sigmoid")])
    model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy"])
    return model


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="float64 is switched off there")
def test_a_model_of_float64_is_looked_at_too():
    model = keras.Sequential([keras.Input((6,), dtype="float64"), layers.Dense(1, use_bias=False, dtype="float64")])
    model.compile(keras.optimizers.SGD(0.1 / CURVATURES[-1]), "mse")
    signals = {signal.name: signal.value for signal in keras_lr.diagnose(model, X, Y, batch_size=256).signals}
    assert signals["rate over stability limit"] == pytest.approx(0.05, rel=0.01)


def test_lanes_are_as_long_where_a_wrapped_optimizer_accumulates():
    inner = keras.optimizers.SGD(0.01, gradient_accumulation_steps=4)
    found = keras_lr.diagnose(parabola(keras.optimizers.LossScaleOptimizer(inner, initial_scale=1.0)), X, Y)
    assert found.losses.shape[1] == 4 * LANE_STEPS


def test_a_schedule_of_keras_is_asked_at_the_batches_that_it_counts():
    falling = keras.optimizers.schedules.PolynomialDecay(1.0, 100, end_learning_rate=0.0)
    model = parabola(keras.optimizers.SGD(falling, gradient_accumulation_steps=4))
    model.optimizer.build(model.trainable_variables)
    assert _rates_to_come(model.optimizer, 3, 1) == pytest.approx(
        [0.97, 0.93, 0.89]
    )  # Keras updates at batches 3, 7, 11


def signal(diagnosis, name):
    return next(one for one in diagnosis.signals if one.name == name)


@pytest.mark.above_backends
@pytest.mark.parametrize(
    ("times", "judgement"), [(1e-3, Judgement.TOO_LOW), (0.5, Judgement.RIGHT), (40.0, Judgement.TOO_HIGH)]
)
def test_on_a_parabola_the_edge_is_between_its_curvatures(times, judgement):
    limit = 2 / CURVATURES[-1]  # of gradient descent
    diagnosis = keras_lr.diagnose(parabola(keras.optimizers.SGD(times * limit)), X, Y, batch_size=256)
    assert diagnosis.judgement is judgement
    assert "A constant rate from untrained weights on" in diagnosis.verdict.reason
    edge = diagnosis.suggested_learning_rate / STEP_BACK
    assert 0.3 * limit < edge < 1.1 * limit  # between two rungs of half a decade, it is read off a line
    diverged = int(np.sum(~np.all(np.isfinite(diagnosis.losses), axis=1)))  # the batch is then tried alone
    assert diagnosis.total_steps == 30 * (1 + len(diagnosis.factors)) + diverged


@pytest.mark.above_backends
@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.9, True)])
def test_the_signals_of_gradient_descent_are_exact(momentum, nesterov):
    rate = 0.01 / CURVATURES[-1]
    optimizer = keras.optimizers.SGD(rate, momentum=momentum, nesterov=nesterov)
    diagnosis = keras_lr.diagnose(parabola(optimizer), X, Y, batch_size=256)
    limit = 2 * (1 + momentum) / ((1 + 2 * momentum if nesterov else 1) * CURVATURES[-1])
    assert signal(diagnosis, "rate over stability limit").value == pytest.approx(rate / limit, rel=0.01)
    if not momentum:
        reach = signal(diagnosis, "reach of a step")
        assert rate * CURVATURES[0] < reach.value < rate * CURVATURES[-1]
        assert signal(diagnosis, "steps uphill").value == 0.0


@pytest.mark.above_backends
@pytest.mark.parametrize(("name", "rate"), [("Adam", 1e-5), ("Adadelta", 1e-2)])
def test_following_the_advice_trains_whatever_the_optimizer(name, rate):
    model = parabola(getattr(keras.optimizers, name)(rate))
    diagnosis = keras_lr.diagnose(model, X, Y, batch_size=32)
    assert diagnosis.judgement is Judgement.TOO_LOW
    assert [one.name for one in diagnosis.signals] == ["reach of a step", "steps uphill", "update to weight"]
    start = model.evaluate(X, Y, verbose=0)
    keras_lr.set_learning_rate(model, diagnosis.suggested_learning_rate)
    model.fit(X, Y, batch_size=32, epochs=12, verbose=0)
    assert model.evaluate(X, Y, verbose=0) < 0.1 * start


@pytest.mark.above_backends
def test_where_the_ladder_ends_before_the_loss_is_low_it_says_so():
    diagnosis = keras_lr.diagnose(parabola(keras.optimizers.SGD(1e-9)), X, Y, batch_size=256)
    assert len(diagnosis.factors) == 13
    assert "may be larger still" in diagnosis.verdict.reason


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: keras.optimizers.SGD(0.1, momentum=0.9),
        lambda: keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.01, 100)),
        lambda: keras.optimizers.Adam(0.01, gradient_accumulation_steps=2),
    ],
    ids=["momentum", "schedule", "accumulation"],
)
def test_in_the_middle_of_a_training_the_model_comes_back_bit_for_bit(optimizer):
    model, y = network(optimizer()), (Y > 0).astype("float32")
    model.fit(X, y, epochs=1, verbose=0)
    rate, function = model.optimizer._learning_rate, model.train_function
    drawn = random.getstate(), np.random.get_state()[1].copy()
    with unchanged(model):
        keras_lr.diagnose(model, X, y, epochs=2)
    assert model.optimizer._learning_rate is rate
    assert model.train_function is function
    assert random.getstate() == drawn[0]
    np.testing.assert_array_equal(np.random.get_state()[1], drawn[1])


def test_the_first_fit_of_a_new_model_is_the_one_without_a_diagnosis():
    losses = []
    for asked in (False, True):
        keras.utils.set_random_seed(3)
        model, y = network(keras.optimizers.Adam(0.01)), (Y > 0).astype("float32")
        if asked:
            keras_lr.diagnose(model, X, y)
        losses.append(model.fit(X, y, epochs=2, verbose=0).history["loss"])
    assert losses[0] == losses[1]


def test_no_rate_compiles_anything(backend):
    if backend == "torch":
        pytest.skip("PyTorch runs eagerly: there is no trace to count")
    traces = []

    def loss(y, prediction):
        traces.append(1)
        return keras.ops.mean((y - prediction) ** 2, axis=-1)

    model = network(keras.optimizers.Adam(1e-5), loss)
    few = keras_lr.diagnose(model, X, (Y > 0).astype("float32"))
    first = len(traces)
    model.optimizer.learning_rate = 1e-9
    many = keras_lr.diagnose(model, X, (Y > 0).astype("float32"))
    assert len(many.factors) > len(few.factors)
    assert len(traces) - first < first  # what looks at single steps is traced again, the step is not


@pytest.mark.above_backends
def test_of_a_schedule_the_highest_rate_to_come_is_judged():
    schedule = keras_lr.schedules.Linear(0.08, 80)
    model = parabola(keras.optimizers.SGD(schedule))
    peak = keras_lr.diagnose(model, X, Y, epochs=10)
    assert peak.learning_rate == pytest.approx(0.08)
    assert "A constant rate" not in peak.verdict.reason  # it goes by the edge itself
    model.fit(X[:32], Y[:32], epochs=40, verbose=0)
    diagnosis = keras_lr.diagnose(model, X, Y, epochs=5)
    assert diagnosis.learning_rate == pytest.approx(0.04)
    assert diagnosis.is_scheduled
    assert "scale_learning_rate(model, " in diagnosis.action or diagnosis.judgement is Judgement.RIGHT
    model.fit(X[:32], Y[:32], epochs=40, verbose=0)
    with pytest.raises(ValueError, match="schedule has come to its end"):
        keras_lr.diagnose(model, X, Y)


@pytest.mark.above_backends
def test_rows_that_the_run_sees_again_ask_for_a_lower_rate():
    model = parabola(keras.optimizers.SGD(0.01))
    once, again = (keras_lr.diagnose(model, X, Y, epochs=epochs) for epochs in (1, 20))
    partly = keras_lr.diagnose(model, X, Y, epochs=40, batch_size=32, steps_per_epoch=4)  # half the rows in each
    np.testing.assert_array_equal(once.losses, again.losses)
    assert again.factor < 0.6 * once.factor
    assert again.verdict.reason.startswith(once.verdict.reason)
    for diagnosis in (again, partly):
        assert "sees the same rows 20 times" in diagnosis.verdict.reason


@pytest.mark.above_backends
@pytest.mark.parametrize(("name", "keeps"), [("Adam", False), ("Lamb", True), ("Lion", True), ("Muon", True)])
def test_of_steps_that_keep_their_length_a_long_run_asks_for_shorter_ones(name, keeps):
    model = network(getattr(keras.optimizers, name)(0.01))
    reason = keras_lr.diagnose(model, X, Y > 0, epochs=200).verdict.reason
    assert ("where gradients disagree: take 0.1 of that" in reason) is keeps


@pytest.mark.above_backends
def test_finding_the_mean_of_the_targets_asks_for_no_lower_rate():
    y = 30 + np.prod(np.sin(3 * X[:, :3]), axis=1, keepdims=True)  # which a lane does not learn
    model = keras.Sequential([keras.Input((6,)), layers.Dense(16, activation="tanh"), layers.Dense(1)])
    model.compile("adam", loss="mse")
    once, again = (keras_lr.diagnose(model, X, y, epochs=epochs).verdict.factor for epochs in (1, 20))
    assert again > 0.8 * once


def test_lengths_in_epochs_and_fractions_are_those_of_the_run_to_come():
    steps = keras_lr.schedules.Fraction(1)
    schedule = keras_lr.schedules.Cosine(0.08, steps).warmed_up(keras_lr.schedules.Epochs(1))
    model = parabola(keras.optimizers.SGD(schedule))
    diagnosis = keras_lr.diagnose(model, X, Y, epochs=10)
    assert diagnosis.learning_rate == pytest.approx(0.08)
    assert model.optimizer._learning_rate is schedule


@pytest.mark.above_backends
@pytest.mark.parametrize("compiled", [keras_lr.schedules.Linear(0.08, 80), 0.001], ids=["schedule", "number"])
def test_a_number_is_no_schedule_whatever_steers_it(compiled):
    model = parabola(keras.optimizers.SGD(compiled))
    keras_lr.set_learning_rate(model, 0.001)
    model.fit(X, Y, verbose=0, callbacks=[keras_lr.callbacks.ReduceOnPlateau("loss")])
    diagnosis = keras_lr.diagnose(model, X, Y)
    assert diagnosis.learning_rate == pytest.approx(0.001)
    assert not diagnosis.is_scheduled
    assert "set_learning_rate(model, " in diagnosis.action


def test_what_has_learnt_all_there_is_is_left_alone():
    model = parabola(keras.optimizers.SGD(0.1))
    y = RANDOM.normal(size=(256, 1)).astype("float32")
    model.layers[0].kernel.assign(np.linalg.lstsq(X, y, rcond=None)[0])
    diagnosis = keras_lr.diagnose(model, X, y, batch_size=256)
    assert (diagnosis.judgement, diagnosis.suggested_learning_rate) == (Judgement.UNDECIDED, None)
    assert "Leave the rate" in diagnosis.action


def test_a_loss_that_is_never_finite_is_an_error_and_leaves_the_weights():
    def logarithm(y, prediction):
        return keras.ops.log(-keras.ops.abs(prediction) - 1.0)

    model = network("adam", logarithm)
    before = [w.copy() for w in model.get_weights()]
    with pytest.raises(ValueError, match="before any update"):
        keras_lr.diagnose(model, X, Y)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_rate_of_zero_is_refused():
    with pytest.raises(ValueError, match="nothing to judge"):
        keras_lr.diagnose(parabola(keras.optimizers.SGD(0.0)), X, Y)


@pytest.mark.above_backends
def test_the_result_says_what_to_do_plots_and_saves(tmp_path):
    heard = []
    diagnosis = keras_lr.diagnose(
        parabola(keras.optimizers.SGD(1e-5)), X, Y, progress=lambda done, total, text: heard.append((done, total, text))
    )
    assert f"set_learning_rate(model, {diagnosis.suggested_learning_rate:.2g})" in diagnosis.action
    printed = str(diagnosis)
    assert printed.index("too low") < printed.index(diagnosis.action[:40]) < printed.index("reach of a step")
    assert len(heard) == len(diagnosis.factors)
    assert heard[-1][0] == heard[-1][1]
    lanes, along = diagnosis.plot()
    assert lanes.get_xscale() == "log"
    assert along.get_xlabel() == "steps"
    diagnosis.save(tmp_path / "diagnosis.html")
    diagnosis.save(tmp_path / "diagnosis.json")
    assert diagnosis.action in (tmp_path / "diagnosis.json").read_text(encoding="utf-8")


class OwnStep(keras.Sequential):
    def train_step(self, *arguments):
        return super().train_step(*arguments)


def test_a_loss_that_only_a_train_step_knows_is_refused_before_anything_is_tried():
    model = OwnStep([keras.Input((6,)), layers.Dense(1)])
    model.compile("sgd")
    before = model.get_weights()
    for ask in (
        lambda: keras_lr.diagnose(model, X, Y),
        lambda: model.fit(X, Y, verbose=0, callbacks=[keras_lr.callbacks.Monitor()]),
    ):
        with pytest.raises(ValueError, match=r"OwnStep computes its loss inside its own train_step.*compute_loss\("):
            ask()
    np.testing.assert_array_equal(before[0], model.get_weights()[0])
