"""What a lane reports where the loss says less than the weights."""

import keras
import numpy as np
from keras import layers, ops

from keras_lr.finder._lanes import Lanes
from keras_lr.training._borrow import borrowed, prepare
from keras_lr.training._training_data import TrainingData


def test_a_lane_whose_weights_die_behind_a_finite_loss_has_diverged():
    keras.utils.set_random_seed(0)
    hides = layers.Lambda(lambda x: ops.where(ops.isfinite(x), x, ops.zeros_like(x)))
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1, use_bias=False), hides])
    model.compile(keras.optimizers.SGD(), loss="mse")
    x = np.random.default_rng(0).normal(size=(32, 3)).astype("float32")
    data = TrainingData(x, x[:, :1], batch_size=8)
    prepare(model, data.example())
    with borrowed(model) as steps:
        lanes = Lanes(steps, data.batches(steps, 4, seed=0), accumulation=1)
        assert np.all(np.isfinite(lanes.train(np.full(4, 0.01))))
        losses = lanes.train(np.full(4, 3e38))
        assert np.isnan(losses[-1])
