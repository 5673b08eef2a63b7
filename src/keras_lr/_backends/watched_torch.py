"""Steps of a running `fit` that are looked at, on PyTorch."""

from collections.abc import Callable
from typing import Any

import keras

from keras_lr._backends.gradients_torch import draws_now
from keras_lr._backends.watched_in_place import watched_in_place


def watched(
    model: keras.Model, train_function: Callable[..., Any], wanted: Callable[[], bool], seen: Callable[..., None]
) -> Callable[..., Any]:
    """See `watched`."""
    return watched_in_place(
        model, train_function, wanted, seen, copied=lambda value: value.detach().clone(), draws=draws_now
    )
