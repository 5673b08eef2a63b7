"""A comparison from end to end: what is trained, what is charged, what is said."""

import dataclasses
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from problems import X, Y, a_classification_task, a_linear_task, a_task, linear

import keras_lr
from keras_lr.report import Report
from keras_lr.trials import CompareResult
from keras_lr.trials._counted import StepCounter
from keras_lr.trials._course import Course

pytestmark = pytest.mark.above_backends


def curve_of(task, seed, train, monitor="val_loss"):
    return train(task.model(seed), **task.fit_arguments(), verbose=0).history[monitor]


def momentum(model, **arguments):
    model.compile(keras.optimizers.SGD(0.02, momentum=0.5), "mse")
    return model.fit(**arguments)


@pytest.mark.parametrize("weights", [{"class_weight": {0: 10.0, 1: 0.5}}, {"sample_weight": np.arange(len(X))}])
def test_the_training_loss_of_the_untrained_model_is_weighted_as_in_training(weights):
    labels = (Y > 0).astype("float32")
    task = keras_lr.Task(linear, X, labels, batch_size=16, validation_split=0.25, **weights)
    result = keras_lr.compare(task, {"still": 1e-12}, seeds=1, monitor="loss")
    assert result.untrained[0, 0] == pytest.approx(result.values[0, 0, 0], rel=1e-5)


def test_every_kind_of_method_trains_as_by_hand():
    task = a_task(linear)
    methods = {"rate": np.array(0.03), "optimizer": keras.optimizers.SGD(0.02, momentum=0.5), "function": momentum}
    result = keras_lr.compare(task, methods, seeds=[3])

    def at_rate(model, **arguments):
        model.optimizer.learning_rate = 0.03
        return model.fit(**arguments)

    assert result.curves[0, 0, 0].tolist() == curve_of(task, 3, at_rate)
    assert result.curves[0, 1, 0].tolist() == result.curves[0, 2, 0].tolist() == curve_of(task, 3, momentum)
    untrained = task.model(3).evaluate(X[64:], Y[64:], verbose=0)
    assert result.untrained[0, 0] == pytest.approx(untrained, rel=1e-6)
    np.testing.assert_array_equal(result.values, result.curves[..., -1])
    np.testing.assert_array_equal(result.steps[0, :, 0], [[6, 12]] * 3)
    assert np.all(np.diff(result.seconds) > 0)
    assert methods["optimizer"].iterations == 0  # a copy was trained


def test_a_schedule_may_count_in_the_run_of_each_task():
    steps = keras_lr.schedules.Fraction(1)
    methods = {"cosine": keras.optimizers.SGD(keras_lr.schedules.Cosine(0.03, steps))}
    tasks = {"short": a_linear_task(epochs=1), "long": a_linear_task(epochs=2)}
    result = keras_lr.compare(tasks, methods, seeds=1)

    for index, task in enumerate(tasks.values()):

        def by_hand(model, updates=6 * task.epochs, **arguments):
            model.compile(keras.optimizers.SGD(keras_lr.schedules.Cosine(0.03, updates)), "mse")
            return model.fit(**arguments)

        assert result.values[index, 0, 0] == curve_of(task, 0, by_hand, "loss")[-1]
        assert result.steps[index, 0, 0, task.epochs - 1] == 6 * task.epochs


def test_a_function_that_trains_in_two_phases_is_followed_to_its_end():
    def two_phases(model, **arguments):
        model.fit(**arguments)
        return model.fit(**arguments)

    result = keras_lr.compare(a_linear_task(), {"two phases": two_phases, "one": 0.01}, seeds=1, target=0.0)
    assert result.curves.shape == (1, 2, 1, 4)
    assert result.curves[0, 0, 0, -1] == result.values[0, 0, 0]
    np.testing.assert_array_equal(result.steps[0, :, 0], [[6, 12, 18, 24], [6, 12, np.nan, np.nan]])
    arrived = dataclasses.replace(result, given_targets=result.values[0, 0])
    assert arrived.steps_to_target[0, 0, 0] == 24


def test_an_optimizer_that_asks_for_the_batch_is_attached():
    def by_hand(model, **arguments):
        model.compile(keras_lr.optimizers.LineSearch(keras_lr.line_search.PAL()), loss=model.loss)
        return keras_lr.attach(model).fit(**arguments)

    search = keras_lr.optimizers.LineSearch(keras_lr.line_search.PAL())
    result = keras_lr.compare(a_linear_task(), {"line search": search, "by hand": by_hand, "rate": 0.01}, seeds=1)
    assert result.curves[0, 0, 0].tolist() == result.curves[0, 1, 0].tolist()
    assert result.steps[0, 0, 0].tolist() == result.steps[0, 2, 0].tolist()


def test_the_steps_of_a_race_are_charged():
    result = keras_lr.compare(a_linear_task(epochs=10), {"keras-lr": keras_lr.fit, "SGD": 0.1}, seeds=1)
    task, raced = a_linear_task(epochs=10), []

    def train(model, **arguments):
        raced.append(keras_lr.fit(model, **arguments).race.total_steps)

    again = keras_lr.compare(task, {"keras-lr": train}, seeds=1)
    assert raced[0] > 0
    assert result.steps[0, 0, 0, 0] == raced[0] + 6
    assert result.steps[0, 0, 0, -1] == raced[0] + 60
    np.testing.assert_array_equal(again.steps[0, 0], result.steps[0, 0])
    assert result.steps[0, 1, 0, -1] == 60


def test_steps_are_counted_however_often_the_step_is_compiled():
    model = a_linear_task().model(0)
    counter = StepCounter(model)
    model.fit(X, Y, batch_size=12, verbose=0)
    assert counter.steps == 6
    model.compile("adam", "mse")
    model.fit(X, Y, batch_size=12, verbose=0)
    model.train_on_batch(X, Y)
    assert counter.steps == 13


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="Keras refuses steps_per_execution there")
def test_steps_that_are_executed_together_are_charged_where_an_epoch_ends_in_fewer():
    def build():
        model = linear()
        model.compile("sgd", "mse", steps_per_execution=4)
        return model

    raced = []

    def train(model, **arguments):
        raced.append(keras_lr.fit(model, **arguments).race.total_steps)

    result = keras_lr.compare(a_task(build), {"rate": 0.03, "keras-lr": train}, seeds=1)
    np.testing.assert_array_equal(result.steps[0, :, 0], [[6, 12], [6 + raced[0], 12 + raced[0]]])


def test_a_run_that_diverges_is_the_worst_and_a_guard_may_save_it():
    methods = {"wild": 1e3, "guarded": lambda model, **arguments: keras_lr.fit(model, **arguments), "good": 0.1}
    result = keras_lr.compare(a_linear_task(epochs=8), methods, seeds=2)
    assert np.all(np.isinf(result.values[0, 0]))
    assert np.all(np.isnan(result.curves[0, 0, :, -1]))
    assert np.all(np.isfinite(result.values[0, 1:]))
    assert np.all(np.isinf(result.steps_to_target[0, 0]))
    assert "0 of 2" in str(result)


@pytest.mark.numpy_only
@pytest.mark.parametrize("ends", [True, False])
def test_only_a_training_that_cannot_come_back_is_ended_by_a_loss_that_is_not_finite(ends):
    course, model = Course("loss", ends=ends), SimpleNamespace(stop_training=False)
    course.set_model(model)
    course.on_epoch_begin(0)
    course.on_train_batch_end(0, {"loss": np.nan})
    course.on_epoch_end(0, {"loss": 0.5})
    assert model.stop_training is ends
    assert course.outcome().diverged is ends


def test_predictions_of_nan_are_a_divergence_whatever_trains():
    wild = keras.optimizers.SGD(1e30)

    def train(model, **arguments):
        model.optimizer.learning_rate = 1e30
        model.fit(**arguments)

    result = keras_lr.compare(
        a_classification_task(), {"rate": 1e30, "SGD": wild, "function": train, "good": 0.1}, seeds=1
    )
    assert np.isinf(result.values[0, :3]).all()
    assert np.isfinite(result.values[0, 3]).all()
    assert np.isfinite(result.steps[0, :3, 0, 0]).all()


def test_any_other_error_of_a_training_is_heard():
    def train(model, **arguments):
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        keras_lr.compare(a_linear_task(), {"function": train}, seeds=1)


def test_what_is_not_finite_before_the_training_can_be_kept(tmp_path):
    task = keras_lr.Task(linear, np.full_like(X, np.nan), Y, batch_size=12)
    result = keras_lr.compare(task, {"rate": 0.1}, seeds=1, target=0.5, storage=str(tmp_path / "trials.db"))
    assert np.isnan(result.untrained[0, 0])
    assert np.isinf(result.values[0, 0, 0])


def test_what_only_a_training_reports_is_not_known_before_it():
    methods = {"keras-lr": keras_lr.fit}
    result = keras_lr.compare(a_linear_task(), methods, seeds=1, monitor="learning_rate", mode="min", target=0.5)
    assert np.isnan(result.untrained[0, 0])


def test_several_tasks_are_scored(tmp_path):
    tasks = {"short": a_linear_task(epochs=3), "long": a_linear_task(epochs=5)}
    result = keras_lr.compare(tasks, {"fast": 0.3, "slow": 0.02}, seeds=2, target={"short": 0.5, "long": 0.5})
    assert result.curves.shape == (2, 2, 2, 5)
    assert np.all(np.isnan(result.curves[0, :, :, 3:]))
    assert result.scores["fast"] == 1
    assert result.scores["slow"] < 1
    printed = str(result)
    for words in ("highest score by steps  fast (1)", "All tasks", "score by steps", "short", "long", "Target 0.5"):
        assert words in printed
    scores = next(part for part in result.report().parts if getattr(part, "title", "") == "All tasks")
    reached = np.isfinite(np.median(result.steps_to_target, axis=2)).sum(0)
    assert [row[3] for row in scores.rows] == [f"{count} of 2" for count in reached]
    assert len(result.plot()) == 3
    result.save(tmp_path / "compare.html")
    result.save(tmp_path / "compare.json")
    assert str(Report.from_json((tmp_path / "compare.json").read_text("utf-8"))) == printed


def test_a_comparison_is_kept_resumed_and_extended(tmp_path):
    told = []

    def compare(methods, **arguments):
        told.clear()
        arguments |= {"storage": tmp_path / "runs.db", "progress": lambda *done: told.append(done)}
        return keras_lr.compare(a_linear_task(), methods, **{"seeds": 1} | arguments)

    first = compare({"SGD": 0.1})
    assert [done[:2] for done in told] == [(0, 2), (1, 2), (2, 2)]  # the untrained model and the method
    again = compare({"SGD": 0.1})
    assert told == []
    np.testing.assert_array_equal(again.seconds, first.seconds)
    more = compare({"SGD": 0.1, "faster": 0.3})
    assert [done[2] for done in told] == ["trials", "faster, seed 0"]
    np.testing.assert_array_equal(more.curves[:, :1], first.curves)
    with pytest.raises(ValueError, match=r"method 'SGD' was 0\.1, and is 0\.2 now"):
        compare({"SGD": 0.2})


def test_a_function_that_keeps_the_callbacks_to_itself_is_refused():
    def alone(model, **arguments):
        return model.fit(**arguments | {"callbacks": None})

    with pytest.raises(ValueError, match=r"methods\['alone'\] has trained no epoch.*hand the callbacks"):
        keras_lr.compare(a_linear_task(), {"alone": alone}, seeds=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"methods": {}}, r"methods=\{\}: give a dictionary of methods by name"),
        ({"methods": {"none": None}}, r"methods\['none'\]=None: give a rate above 0"),
        ({"methods": {"zero": 0.0}}, r"=0\.0: give a rate above 0"),
        ({"methods": {"class": keras.optimizers.Adam}}, "a Keras optimizer, or a function"),
        ({"methods": {"(untrained)": 0.1}}, "has a name that is taken"),
        ({"task": {}}, "holds no task"),
        (
            {"task": {"a": a_linear_task(), "b": a_linear_task()}, "target": 0.5},
            "for several a target for each by name",
        ),
        ({"target": {"a": 0.5}}, ": give a number for a single task"),
        (
            {"target": {"a": 0.5, "b": np.nan}, "task": {"a": a_linear_task(), "b": a_linear_task()}},
            ": give a finite number",
        ),
        ({"target": True}, "target=True: give a finite number"),
        ({"seeds": 0}, "seeds=0: give at least one"),
        ({"n_jobs": 0}, "n_jobs=0: give a number of processes"),
    ],
)
def test_what_cannot_be_compared_is_said_before_training(arguments, message):
    with pytest.raises(ValueError, match=message):
        keras_lr.compare(**{"task": a_linear_task(), "methods": {"SGD": 0.1}} | arguments)


def a_result(untrained, values, given=np.nan):
    values = np.asarray(values, float)[None]
    shape = (*values.shape, 1)
    return CompareResult(
        tasks=("",),
        methods=tuple("abc"[: values.shape[1]]),
        seeds=tuple(range(values.shape[2])),
        untrained=np.asarray(untrained, float)[None],
        values=values,
        curves=values[..., None],
        steps=np.full(shape, 10.0),
        seconds=np.full(shape, 1.0),
        given_targets=np.array([given]),
        monitors=("val_accuracy",),
        higher_is_better=True,
    )


@pytest.mark.numpy_only
def test_the_target_is_95_percent_of_the_way_from_untrained_to_the_best_median():
    result = a_result([0.1, 0.1, 0.2], [[0.5, 0.9, 0.6], [0.5, 0.5, 0.99]])
    assert result.targets[0] == pytest.approx(0.1 + 0.95 * (0.6 - 0.1))
    np.testing.assert_array_equal(np.isfinite(result.steps_to_target[0]), [[False, True, True], [False, False, True]])
    assert a_result([0.1], [[0.5]], given=0.7).targets[0] == 0.7


@pytest.mark.numpy_only
def test_seeds_that_all_gave_the_same_are_said():
    assert "All 2 seeds gave the same numbers" in str(a_result([0.1, 0.1], [[0.5, 0.5], [0.6, 0.6]])).replace("\n", " ")
    assert "gave the same" not in str(a_result([0.1, 0.1], [[0.5, 0.5], [0.6, 0.7]]))


@pytest.mark.numpy_only
def test_the_table_of_a_task_shows_medians_and_the_worst_and_the_best_seed():
    result = a_result([0.1, 0.1, 0.2], [[0.5, 0.9, 0.6], [0.5, 0.5, 0.99]])
    steps, seconds = result.steps.copy(), result.seconds.copy()
    steps[0, 0, :, 0], seconds[0, 0, :, 0] = [10, 20, 70], [1.0, 2.0, 9.0]
    table = dataclasses.replace(result, steps=steps, seconds=seconds).report().parts[1]
    assert table.columns == ("method", "median val_accuracy", "worst", "best", *("reached", "epochs", "steps"), *TIMES)
    # a's first seed misses the target, b's first two do.
    assert table.rows == (
        ("a", 0.6, 0.5, 0.9, "2 of 3", 1.0, 70.0, 9.0, 2.0),
        ("b", 0.5, 0.5, 0.99, "1 of 3", None, None, None, 1.0),
    )
    assert table.note.startswith("Target 0.575; untrained 0.1.")


TIMES = ("seconds", "in all")


@pytest.mark.numpy_only
def test_the_answer_comes_first():
    facts = a_result([0.1, 0.1, 0.2], [[0.5, 0.9, 0.6], [0.5, 0.5, 0.99]]).report().parts[0].values
    assert list(facts.items())[:2] == [("ends best", "a (0.6)"), ("first at the target", "a (10 steps)")]


@pytest.mark.numpy_only
def test_where_nothing_got_better_no_target_is_reached():
    result = a_result([0.5], [[0.4], [-np.inf]])
    assert np.isnan(result.targets[0])
    assert np.all(np.isinf(result.steps_to_target))
    assert "No method got better than the untrained model" in str(result)
    assert "ends best  a (0.4)" in str(result)
    assert "first at the target" not in str(result)


@pytest.mark.numpy_only
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("untrained", [np.nan, -np.inf])
def test_where_the_untrained_value_is_not_finite_no_target_is_told(untrained):
    result = a_result([untrained], [[0.4], [0.5]])
    assert np.isnan(result.targets[0])
    assert "No target can be told; untrained" in str(result)
    assert "got better than" not in str(result)
