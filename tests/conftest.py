"""One backend a process, fixed seeds, nothing left over from the test before."""

import os

if os.environ.get("KERAS_BACKEND") == "torch":
    import torch  # torch must come before TensorFlow in one process: keras-team/keras conftest

    torch.set_num_threads(1)

import keras
import pytest
from hypothesis import settings

settings.register_profile("fixed", derandomize=True, deadline=None, max_examples=50)
settings.load_profile("fixed")


@pytest.fixture(autouse=True)
def _fresh_keras():
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(0)


@pytest.fixture
def backend() -> str:
    return keras.backend.backend()
