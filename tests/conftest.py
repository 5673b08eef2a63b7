"""One backend a process, fixed seeds, nothing left over from the test before."""

import gc
import os

if os.environ.get("KERAS_BACKEND") == "torch":
    import torch  # torch must come before TensorFlow in one process: keras-team/keras conftest

    torch.set_num_threads(1)

if os.environ.get("KERAS_BACKEND") == "tensorflow":
    import tensorflow as tf

    # Its tests spend their time compiling: leave the graphs as they are traced.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})

import keras
import pytest
from hypothesis import settings

settings.register_profile("fixed", derandomize=True, deadline=None, max_examples=50)
settings.load_profile("fixed")


MARKS = {
    "numpy_only": "computes without a backend, or makes many steps of few models: run on one of them, JAX",
    "above_backends": "asks nothing of a backend that others do not; not run on TensorFlow, which traces each model",
    "only_on_torch": "runs programs of many models and few steps, on PyTorch, which compiles none of them",
}
NOT_RUN = {
    "jax": ("only_on_torch",),
    "torch": ("numpy_only",),
    "tensorflow": ("numpy_only", "above_backends", "only_on_torch"),
}


def pytest_configure(config):
    for name, meaning in MARKS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")


def pytest_collection_modifyitems(config, items):
    marks = NOT_RUN[keras.backend.backend()]
    elsewhere = [item for item in items if any(map(item.get_closest_marker, marks))]
    config.hook.pytest_deselected(items=elsewhere)
    items[:] = [item for item in items if item not in elsewhere]


@pytest.fixture
def built_while_traced():
    """Let `fit` build the optimizer, as it does for users; TensorFlow then traces the step twice."""


@pytest.fixture(autouse=True)
def _traced_once(request, backend, monkeypatch):
    if backend != "tensorflow" or "built_while_traced" in request.fixturenames:
        return
    make = keras.Model.make_train_function

    def make_train_function(model, force=False):
        if model.built and not model.optimizer.built:
            with model.distribute_strategy.scope():
                model.optimizer.build(model.trainable_variables)
        return make(model, force)

    monkeypatch.setattr(keras.Model, "make_train_function", make_train_function)


@pytest.fixture(autouse=True)
def _fresh_keras():
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(0)


@pytest.fixture(autouse=True, scope="module")
def _what_stays_is_not_looked_through_again():
    """Take what a file leaves for good, such as the graphs of TensorFlow's registry, from the garbage collector."""
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture
def backend() -> str:
    return keras.backend.backend()
