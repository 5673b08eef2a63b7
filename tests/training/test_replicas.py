"""Training without a given rate on two replicas: the same rate as on one device, in the distribution of the model."""

import os
import subprocess
import sys
import textwrap

import keras
import pytest

PROGRAM = """
import contextlib
{prepare}
import keras, numpy as np
import keras_lr

x = np.random.default_rng(0).normal(size=(512, 8)).astype("float32")

def fitted(distributed, rate):
    keras.utils.set_random_seed(0)
    with {scope} if distributed else contextlib.nullcontext():
        model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(1)])
        model.compile(keras.optimizers.Adam(rate), loss="mse", metrics=["mae"])
    # Outside of the scope, as Keras' own fit may be called.
    return keras_lr.fit(model, x, x[:, :1] + 1.0, epochs=10, batch_size=32, verbose=0)

for rate in (1e-3, keras.optimizers.schedules.CosineDecay(1e-3, 100)):
    alone, together = fitted(False, rate), fitted(True, rate)
    np.testing.assert_allclose(together.learning_rate, alone.learning_rate, rtol=1e-2)
    assert together.history["loss"][-1] < 0.05 * together.history["loss"][0]
"""
MIRRORED = {
    "prepare": """import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
mirrored = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])""",
    "scope": "mirrored.scope()",
}
DATA_PARALLEL = {
    "prepare": """def data_parallel():
    return keras.distribution.DataParallel(devices=keras.distribution.list_devices("cpu")).scope()""",
    "scope": "data_parallel()",
}


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="Keras distributes nothing over PyTorch")
def test_two_replicas_find_the_rate_of_one_device_and_train():
    parts = MIRRORED if keras.backend.backend() == "tensorflow" else DATA_PARALLEL
    program = textwrap.dedent(PROGRAM.format(**parts))
    devices = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, **devices}, capture_output=True, text=True, timeout=180
    )
    assert done.returncode == 0, done.stderr[-3000:]
