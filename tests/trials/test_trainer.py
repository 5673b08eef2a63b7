"""A trial is `task.model(seed)`, set the rate, `model.fit`, bit for bit, and only the first one compiles."""

import keras
import numpy as np
import pytest
from problems import Counted, X, Y, a_classification_task, a_linear_task, a_task, build, linear

import keras_lr
from keras_lr._backends.wrapped_optimizers import accumulated_batches
from keras_lr.schedules import Cosine, Epochs, Fraction, OneCycle
from keras_lr.trials._course import Course
from keras_lr.trials._trainer import Trainer

TRIALS = [(0.05, 0), (0.01, 1)]


def curve_of(model, task, monitor="val_loss"):
    return model.fit(**task.fit_arguments(), verbose=0).history[monitor]


def run(trainer, rate, seed, monitor="val_loss"):
    return list(trainer.run(rate, seed, Course(monitor)).curve)


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: keras.optimizers.SGD(0.1, momentum=0.9),
        lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.1, gradient_accumulation_steps=2)),
        lambda: keras_lr.optimizers.ScheduleFreeSGD(0.1),
    ],
    ids=["momentum", "loss scale and accumulation", "copies of the weights"],
)
def test_a_trial_is_a_training_of_its_own_bit_for_bit(optimizer):
    task = a_task(lambda: build(optimizer()))
    trainer = Trainer(task, None, 5)
    for rate, seed in TRIALS:
        model = task.model(seed)
        keras_lr.set_learning_rate(model, rate)
        expected = curve_of(model, task)
        assert run(trainer, rate, seed) == expected


def test_several_outputs_and_a_model_that_builds_itself(backend):
    def several():
        inputs = keras.Input((4,))
        model = keras.Model(inputs, [keras.layers.Dense(1)(inputs), keras.layers.Dense(1)(inputs)])
        model.compile("sgd", ["mse", "mae"])
        return model

    def unbuilt():
        model = keras.Sequential([keras.layers.Dense(3), keras.layers.Dense(1)])
        model.compile("adam", "mse")
        return model

    tasks = [keras_lr.Task(several, X, [Y, Y], validation_split=0.2, epochs=2), a_task(unbuilt)]
    for task in tasks:
        trainer = Trainer(task, None, 0)
        for rate, seed in TRIALS:
            model = task.model(seed)
            model.optimizer.learning_rate = rate
            expected = curve_of(model, task)
        assert run(trainer, rate, seed) == expected


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 5

    def __getitem__(self, index):
        return X[12 * index :][:12], Y[12 * index :][:12]


def test_the_order_of_a_dataset_is_that_of_a_training_of_its_own():
    task = keras_lr.Task(build, Batches(), validation_data=(X, Y), epochs=2)
    trainer = Trainer(task, None, 0)
    expected = [curve_of(task.model(seed), task) for seed in (1, 2)]
    assert [run(trainer, 0.1, seed) for seed in (1, 2)] == expected
    assert expected[0] != expected[1]


def test_only_the_first_trial_compiles(backend):
    if backend == "torch":
        pytest.skip("PyTorch runs eagerly: there is no trace to count")
    trainer = Trainer(a_task(), None, 0)
    Counted.traces = 0
    trainer.race()
    run(trainer, 0.1, 0)
    once = Counted.traces
    assert once <= 2  # the last batch of an epoch is smaller: JAX compiles a step for it
    for rate, seed in TRIALS:
        run(trainer, rate, seed)
    assert Counted.traces == once


@pytest.mark.above_backends
def test_a_compiled_schedule_is_scaled():
    def scheduled(peak):
        return lambda: build(keras.optimizers.Adam(Cosine(peak, 6), gradient_accumulation_steps=2))

    task = a_task(scheduled(0.01))
    trainer = Trainer(task, None, 0)
    for rate, seed in TRIALS:
        expected = curve_of(a_task(scheduled(rate)).model(seed), task)
        np.testing.assert_allclose(run(trainer, rate, seed), expected, rtol=1e-5)


@pytest.mark.above_backends
def test_a_schedule_of_keras_is_scaled_by_its_peak():
    def planned(rate):
        schedule = keras.optimizers.schedules.CosineDecay(0.0, 8, warmup_target=rate, warmup_steps=2)
        return lambda: build(keras.optimizers.SGD(schedule))

    task = a_task(planned(0.5))
    trainer = Trainer(task, None, 0)
    expected = curve_of(a_task(planned(0.1)).model(1), task)
    np.testing.assert_allclose(run(trainer, 0.1, 1), expected, rtol=1e-5)


@pytest.mark.above_backends
def test_a_given_schedule_gets_the_peak_and_the_updates(backend):
    asked = []

    def one_cycle(peak, steps):
        asked.append((peak, steps))
        return OneCycle(peak, steps)

    trainer = Trainer(a_task(lambda: build(keras.optimizers.SGD(7.0))), one_cycle, 0)
    run(trainer, 0.1, 0)
    for rate, seed in TRIALS:
        task = a_task(lambda rate=rate: build(keras.optimizers.SGD(OneCycle(rate, 12))))
        expected = curve_of(task.model(seed), task)
        Counted.traces = 0
        np.testing.assert_allclose(run(trainer, rate, seed), expected, rtol=1e-5)
        assert backend == "torch" or Counted.traces == 0
    assert asked == [(0.1, 12), (0.05, 12), (0.01, 12)]  # 64 rows in batches of 12 are six steps


@pytest.mark.parametrize(
    ("together", "arguments", "middles"),
    [(4, {}, [1, 5, 7, 11]), (2, {"batch_size": 4, "steps_per_epoch": 3}, [0, 2, 4, 6])],
    ids=["the data end", "an epoch is completed"],
)
def test_steps_that_are_executed_together_are_counted_where_an_epoch_ends(backend, together, arguments, middles):
    if backend == "torch":
        pytest.skip("Keras refuses steps_per_execution on the PyTorch backend")
    asked = []

    def plan(step):
        asked.append(step)
        return 0.1

    task = a_task(lambda: build(keras.optimizers.SGD(0.1), steps_per_execution=together), **arguments)
    trainer = Trainer(task, lambda peak, steps: plan, 0)
    run(trainer, 0.1, 0)
    made = int(keras.ops.convert_to_numpy(trainer.model.optimizer.iterations))
    assert trainer.total_steps == made
    assert asked == middles
    assert keras_lr.compare(task, {"rate": 0.1}, seeds=1).steps[0, 0].tolist() == [[made // 2, made]]


def test_a_given_schedule_counts_updates_where_gradients_are_accumulated():
    """An epoch has six batches, and so three updates."""
    task = a_task(lambda: build(keras.optimizers.SGD(0.1, gradient_accumulation_steps=2)))
    follow = Trainer(task, lambda peak, steps: Cosine(peak, Epochs(1)), 0)._plan(0.1)
    np.testing.assert_allclose([follow(step) for step in range(12)], np.repeat(Cosine(0.1, 3).values(range(6)), 2))


def test_lengths_in_epochs_and_fractions_are_known():
    trainer = Trainer(a_task(), lambda peak, steps: Cosine(peak, Fraction(1)).warmed_up(Epochs(1)), 0)
    shares = [float(share) for share in trainer.shape().split()]
    assert max(shares) == 1
    assert shares[0] < 0.5


@pytest.mark.above_backends
@pytest.mark.parametrize(
    "compiled",
    [
        lambda steps: keras.optimizers.Adam(Cosine(0.01, steps), gradient_accumulation_steps=2),
        lambda steps: keras.optimizers.LossScaleOptimizer(
            keras.optimizers.Adam(Cosine(0.01, steps), gradient_accumulation_steps=2)
        ),
        lambda steps: keras_lr.optimizers.Scheduled(
            keras.optimizers.SGD(0.01, momentum=0.9), momentum=Cosine(0.9, steps)
        ),
    ],
    ids=["the rate", "the rate inside", "the momentum"],
)
def test_lengths_of_what_the_model_was_compiled_with_are_known_as_well(compiled):
    updates = 12 // accumulated_batches(compiled(1))
    by_unit, by_number = (
        run(Trainer(a_task(lambda steps=steps: build(compiled(steps))), None, 0), 0.01, 1)
        for steps in (Fraction(1), updates)
    )
    assert by_unit == by_number


@pytest.mark.above_backends
def test_a_divergence_ends_the_training():
    task = a_linear_task(epochs=30)
    trainer = Trainer(task, None, 0)
    outcome = trainer.run(1e3, 0, Course("loss"))
    assert outcome.diverged
    assert len(outcome.curve) < 20
    assert np.isnan(outcome.curve[-1])
    assert outcome.value(False) == np.inf
    assert outcome.value(True) == -np.inf
    assert run(trainer, 0.1, 0, "loss")[-1] < 1e-3  # nothing of it is left


@pytest.mark.parametrize("schedule", [None, OneCycle])
def test_predictions_of_nan_are_a_divergence(schedule):
    trainer = Trainer(a_classification_task(), schedule, 0)
    before = run(trainer, 0.1, 0)
    outcome = trainer.run(1e30, 0, Course("val_loss"))
    assert outcome.diverged
    assert np.isnan(outcome.curve).all()
    assert len(outcome.seconds) == len(outcome.curve) == 1
    assert run(trainer, 0.1, 0) == before


def test_a_model_that_changes_from_call_to_call_is_refused():
    sizes = iter([3, 4])

    def changing():
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(next(sizes)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        return model

    trainer = Trainer(a_task(changing), None, 0)
    with pytest.raises(ValueError, match="same network and optimizer at every call"):
        run(trainer, 0.1, 0)


def test_what_is_not_reported_cannot_be_monitored():
    with pytest.raises(ValueError, match=r"monitor='val_accuracy' is not among.*val_loss"):
        run(Trainer(a_task(), None, 0), 0.1, 0, "val_accuracy")


def test_a_schedule_that_is_zero_has_no_peak():
    task = a_task(lambda: build(keras.optimizers.SGD(keras_lr.schedules.Constant(0.0))))
    with pytest.raises(ValueError, match="no peak to scale"):
        Trainer(task, None, 0)


def test_one_model_for_all_trainings_is_refused():
    model = linear()
    task = a_linear_task()
    task = keras_lr.Task(lambda: model, task.x, task.y)
    for call in (lambda: keras_lr.sweep(task, [0.1], seeds=1), lambda: keras_lr.compare(task, {"rate": 0.1}, seeds=1)):
        with pytest.raises(ValueError, match=r"build\(\) returned .*the very model that it had returned before"):
            call()


@pytest.mark.parametrize("given", [None, "cosine", [], [float("nan")]])
def test_a_schedule_that_is_none_is_named(given):
    trainer = Trainer(a_linear_task(), lambda peak, steps: given, 0)
    with pytest.raises(ValueError, match=r"schedule\(0\.1, 12\)=.* is no plan of rates"):
        run(trainer, 0.1, 0, "loss")
