"""What a lane reports where the loss says less than the weights."""

from contextlib import contextmanager

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_lr.finder._lanes import Lanes
from keras_lr.training._borrow import borrowed, prepare
from keras_lr.training._loss_scale import MOST_HALVINGS, settled
from keras_lr.training._training_data import TrainingData


@contextmanager
def lanes_of(model, optimizer):
    model.compile(optimizer, loss="mse")
    x = np.random.default_rng(0).normal(size=(32, 3)).astype("float32")
    data = TrainingData(x, x[:, :1], batch_size=8)
    prepare(model, data.example())
    with borrowed(model) as steps:
        yield Lanes(steps, data.batches(steps, 4, seed=0), accumulation=1)


def test_a_lane_whose_weights_die_behind_a_finite_loss_has_diverged():
    keras.utils.set_random_seed(0)
    hides = layers.Lambda(lambda x: ops.where(ops.isfinite(x), x, ops.zeros_like(x)))
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1, use_bias=False), hides])
    with lanes_of(model, keras.optimizers.SGD()) as lanes:
        assert np.all(np.isfinite(lanes.train(np.full(4, 0.01))))
        losses = lanes.train(np.full(4, 3e38))
        assert np.isnan(losses[-1])


def test_all_steps_are_counted_those_of_a_look_included(monkeypatch):
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1, kernel_initializer="zeros")])
    made = []
    with lanes_of(model, keras.optimizers.SGD()) as lanes:
        step = lanes._steps.step
        monkeypatch.setattr(lanes._steps, "step", lambda *given: made.append(given) or step(*given))
        lanes.train(np.zeros(4))
        assert not lanes.died()  # it began so
        assert lanes.steps_run == len(made) == 8
        lanes.train(np.full(4, 0.1))
        assert not lanes.died()
        assert lanes.steps_run == len(made) == 14


def test_untouched_weights_are_asked_on_the_last_batches_of_a_lane():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    with lanes_of(model, keras.optimizers.Adam()) as lanes:
        of_all = lanes.train(np.zeros(6))  # the fifth batch is the first again
        lanes.train(np.full(6, 0.1))
        np.testing.assert_array_equal(lanes.untouched(6, 4), of_all[2:])
        assert lanes.steps_run == 16


@pytest.mark.parametrize("accumulation", [1, 2])
def test_with_the_decay_of_rmsprop_every_step_is_as_long_as_its_rate(accumulation):
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1, use_bias=False)])
    steps_of = None if accumulation == 1 else accumulation
    optimizer = keras.optimizers.RMSprop(rho=0.8, gradient_accumulation_steps=steps_of)
    model.compile(optimizer, loss=lambda y_true, y_pred: ops.mean(y_pred))  # its gradient is always the same
    x = np.full((8, 3), [1.0, -2.0, 3.0], "float32")
    data = TrainingData(x, x[:, :1], batch_size=8)
    prepare(model, data.example())
    start = model.get_weights()[0]
    with borrowed(model) as steps:
        lanes = Lanes(steps, data.batches(steps, 1, seed=0), accumulation, decay=0.8)
        lanes.train(np.full(10 * accumulation, 0.01))
        distance, _ = steps.moved(lanes._start)
    assert distance == pytest.approx(10 * 0.01 * 3**0.5, rel=1e-4)
    np.testing.assert_array_equal(start, model.get_weights()[0])


def test_the_steps_of_a_lane_are_not_lost_to_a_loss_scale_that_begins_too_high():
    keras.utils.set_random_seed(0)
    large = layers.Rescaling(1e3, dtype="float32")  # its gradient times 2^15 is beyond float16
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1, dtype="mixed_float16"), large])
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD())
    with lanes_of(model, optimizer) as lanes:
        lanes._steps.put(lanes._start)
        assert lanes._steps.counted() == 0  # the step that found the scale is not in the start
        lanes.train(np.zeros(4))
        assert lanes._steps.counted() >= 3  # another batch may need one halving more
        assert 4 < lanes.steps_run < 40
    assert float(keras.ops.convert_to_numpy(optimizer.dynamic_scale)) == 2.0**15


@pytest.mark.numpy_only
def test_a_loss_scale_that_is_not_the_cause_is_left_as_it_was():
    class AlwaysOverflows:
        skips_overflows, scale = True, 2.0**15

        def copy(self):
            return self.scale

        def counted(self):
            return 0

        def step(self, batch, learning_rate):
            self.scale /= 2

    assert settled(AlwaysOverflows(), ["a batch"]) == (2.0**15, MOST_HALVINGS)
