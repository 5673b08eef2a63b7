"""Runs a program on two devices, of which TensorFlow and JAX must know before they begin: in a process of its own."""

import os
import subprocess
import sys
import textwrap

import keras

MIRRORED = """
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
mirrored = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
scope = mirrored.scope
"""
DATA_PARALLEL = """
import keras
scope = lambda: keras.distribution.DataParallel(devices=keras.distribution.list_devices("cpu")).scope()
assert len(keras.distribution.list_devices("cpu")) == 2
"""


def run_on_two_replicas(program: str) -> None:
    """Run a program that finds the distribution under the name `scope`; on TensorFlow `mirrored` as well."""
    prepare = MIRRORED if keras.backend.backend() == "tensorflow" else DATA_PARALLEL
    done = subprocess.run(
        [sys.executable, "-c", prepare + textwrap.dedent(program)],
        env={**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=2"},
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr[-3000:]
