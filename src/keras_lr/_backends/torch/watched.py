"""Steps of a running `fit` that are looked at, on PyTorch."""

from collections.abc import Callable
from typing import Any

import keras

from keras_lr._backends.in_place import watched as in_place
from keras_lr._backends.torch.draws import draws_now


def watched(
    model: keras.Model, train_function: Callable[..., Any], wanted: Callable[..., bool], seen: Callable[..., None]
) -> Callable[..., Any]:
    """See `_backends.watched`."""
    return in_place.watched(
        model, train_function, wanted, seen, copied=lambda value: value.detach().clone(), draws=draws_now
    )
