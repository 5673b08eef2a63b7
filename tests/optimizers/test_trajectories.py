"""Every optimizer walks as the package of its authors does: 60 steps, two problems, one record for all backends.

A walk that amplifies rounding cannot be held to the last digits: the record says how far off the package itself is in
single precision, and the bound gives way where that is much (a walk of D-Adaptation that diverges, steps of 1e-6).

Step by step and without compiling, PyTorch is the fastest: there every run is walked to its end in double precision,
elsewhere 15 steps of it, and one run of a class to its end in single precision.
"""

import json
import pathlib
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import ops
from oracles.optimizer_problems import PROBLEMS

from keras_lr import optimizers, schedules
from keras_lr.optimizers._batch import hand_over

RECORDS = sorted((pathlib.Path(__file__).parents[1] / "oracles" / "optimizers").glob("*.json"))
RUNS = [
    pytest.param(run, id=f"{path.stem}-{run['name']}-{run['problem']}".replace(" ", "_"))
    for path in RECORDS
    for run in json.loads(path.read_text())["runs"]
]


@pytest.mark.parametrize("run", RUNS)
def test_walks_as_the_record_in_double_precision(run, double_precision, backend):
    for step, error in errors(run, "float64", steps=60 if backend == "torch" else 15):
        assert error < max(1e-10, 1e-6 * run["error_of_float32"][str(step)]), f"step {step}"


@pytest.mark.parametrize("run", {run.values[0]["class"]: run for run in RUNS if "least_squares" in run.id}.values())
def test_walks_as_the_record_in_single_precision(run):
    for step, error in errors(run, "float32"):
        assert error < max(1e-5, 10 * run["error_of_float32"][str(step)]), f"step {step}"


@pytest.fixture
def double_precision():
    keras.config.set_floatx("float64")
    if keras.backend.backend() == "jax":
        import jax

        with jax.enable_x64(True):
            yield
    else:
        yield
    keras.config.set_floatx("float32")


def errors(run, dtype, steps=60):
    """Yield the recorded steps and how far we are off there, as a share of the largest weight."""
    start, loss_and_gradients = PROBLEMS[run["problem"]]()
    optimizer = made(run)
    variables = [keras.Variable(v, dtype=dtype, name=f"v{i}") for i, v in enumerate(start)]
    with hand_over(SimpleNamespace()):
        optimizer.build(variables)
    for step in range(steps):
        loss, gradients = loss_and_gradients([ops.convert_to_numpy(v).astype("float64") for v in variables], step)
        with hand_over(batch(loss, gradients, dtype)):
            optimizer.apply([ops.convert_to_tensor(g, dtype=dtype) for g in gradients], variables)
        if str(step + 1) in run["points"]:
            yield step + 1, off(variables, run["points"][str(step + 1)])
        if str(step + 1) in run.get("averages", {}):
            trained = flat(variables)
            optimizer.use_average()
            yield step + 1, off(variables, run["averages"][str(step + 1)])
            optimizer.use_training()
            yield step + 1, off(variables, trained)


def batch(loss, gradients, dtype):
    """What the recorder told the packages: the loss, and g² + 0.1 for the diagonal of the Hessian."""
    diagonal = [ops.convert_to_tensor(g**2 + 0.1, dtype=dtype) for g in gradients]
    return SimpleNamespace(
        loss=ops.convert_to_tensor(loss, dtype=dtype),
        hessian_vector_product=lambda vectors: [d * v for d, v in zip(diagonal, vectors, strict=True)],
    )


def off(variables, wanted):
    return np.max(np.abs(flat(variables) - wanted)) / np.max(np.abs(wanted))


def made(run):
    arguments = dict(run["arguments"])
    if run["linear_decay"]:
        rate = arguments.get("learning_rate", 1.0)
        arguments["learning_rate"] = schedules.Linear(rate, 60)  # Keras' own is in single precision on TensorFlow
    if "optimizer" in arguments:
        arguments["optimizer"] = keras.optimizers.get(arguments["optimizer"])
    return getattr(optimizers, run["class"])(**arguments)


def flat(variables):
    return np.concatenate([ops.convert_to_numpy(v).ravel() for v in variables])
