"""Training without a given rate on two replicas: the same rate as on one device, in the distribution of the model."""

import keras
import pytest
from oracles.two_replicas import run_on_two_replicas

PROGRAM = """
import contextlib
import keras, numpy as np
import keras_lr

x = np.random.default_rng(0).normal(size=(512, 8)).astype("float32")

def fitted(distributed, rate):
    keras.utils.set_random_seed(0)
    with scope() if distributed else contextlib.nullcontext():
        model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(1)])
        model.compile(keras.optimizers.Adam(rate), loss="mse", metrics=["mae"])
    # Outside of the scope, as Keras' own fit may be called.
    return keras_lr.fit(model, x, x[:, :1] + 1.0, epochs=10, batch_size=32, verbose=0)

for rate in (1e-3, keras.optimizers.schedules.CosineDecay(1e-3, 100)):
    alone, together = fitted(False, rate), fitted(True, rate)
    np.testing.assert_allclose(together.learning_rate, alone.learning_rate, rtol=1e-2)
    assert together.history["loss"][-1] < 0.05 * together.history["loss"][0]
"""


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="Keras distributes nothing over PyTorch")
def test_two_replicas_find_the_rate_of_one_device_and_train():
    run_on_two_replicas(PROGRAM)


SWEEP = """
import keras, numpy as np
import keras_lr

x = np.random.default_rng(0).normal(size=(512, 8)).astype("float32")

def task(rate):
    def build():
        with scope():
            model = keras.Sequential([keras.layers.Dense(1)])
            model.compile(keras.optimizers.Adam(rate), loss="mse")
        return model

    return keras_lr.Task(build=build, x=x, y=x[:, :1] + 1.0, epochs=4, batch_size=32)

for rate in (1e-3, keras.optimizers.schedules.CosineDecay(1e-3, 64)):
    sweep = keras_lr.sweep(task(rate), rates=[1e-3, 1e-1], seeds=1)
    assert sweep.learning_rate > 1e-3, sweep
"""


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="Keras distributes nothing over PyTorch")
def test_the_trials_of_a_sweep_are_trained_on_two_replicas():
    run_on_two_replicas(SWEEP)
