"""Processes of PyTorch whose gradients are averaged before the optimizer sees them take the steps of one process."""

import subprocess
import sys

import keras
import numpy as np
import pytest

SCRIPT = """
import datetime
import sys

import keras
import numpy as np
import torch
from torch import distributed

from keras_lr import optimizers

rank, processes, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
if processes > 1:
    meeting = {"init_method": f"file://{folder}/meeting", "timeout": datetime.timedelta(minutes=2)}
    distributed.init_process_group("gloo", rank=rank, world_size=processes, **meeting)


def averaged(gradient):
    gradient = gradient.clone()
    distributed.all_reduce(gradient)
    return gradient / processes


random = np.random.default_rng(0)
x = random.normal(size=(8, 32, 4)).astype("float32")  # eight batches, of which each process has its part
part = slice(32 // processes * rank, 32 // processes * (rank + 1))
y = np.sin(x.sum(2, keepdims=True))
found = {}
for kind in (optimizers.DoG, optimizers.Prodigy, optimizers.GradientOnly):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, activation="tanh"), keras.layers.Dense(1)])
    model.compile(kind(), loss="mse")
    if processes > 1:
        for weight in model.trainable_variables:
            weight.value.register_hook(averaged)
    mine = [array[:, part].reshape(-1, array.shape[2]) for array in (x, y)]
    model.fit(*mine, batch_size=32 // processes, epochs=4, shuffle=False, verbose=0)
    found[kind.__name__] = np.concatenate([weight.ravel() for weight in model.get_weights()])
np.savez(f"{folder}/{rank}_of_{processes}.npz", **found)
"""


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="Keras distributes over the other backends itself")
def test_they_take_the_steps_of_one(tmp_path):
    started = [
        subprocess.Popen([sys.executable, "-c", SCRIPT, str(rank), str(processes), str(tmp_path)])
        for rank, processes in ((0, 1), (0, 2), (1, 2))
    ]
    assert [process.wait() for process in started] == [0, 0, 0]
    alone, first, second = (np.load(tmp_path / f"{name}.npz") for name in ("0_of_1", "0_of_2", "1_of_2"))
    for name in alone:
        np.testing.assert_array_equal(first[name], second[name])
        np.testing.assert_allclose(first[name], alone[name], rtol=1e-4, atol=1e-5)
