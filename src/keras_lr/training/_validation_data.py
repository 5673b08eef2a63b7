"""Validation data that cannot be evaluated, found before the training and not at the end of its first epoch."""

import types
from typing import Any

import keras

from keras_lr._arguments import within
from keras_lr.training._borrow import borrowed, check_targets
from keras_lr.training._training_data import TrainingData
from keras_lr.training._unread import unread


def checked_validation_data(model: keras.Model, given: Any, batch_size: int | None = None) -> Any:
    """Return validation data for `model.fit`, of which a built model has evaluated one batch, without a trace.

    Args:
        model: built and compiled.
        given: as `validation_data` of `model.fit`; of a generator, what is returned takes its place.
        batch_size: of arrays. Default `None`: Keras' own.

    Raises:
        ValueError: they are none, or the model cannot evaluate them.
    """
    if given is None:
        return None
    if isinstance(given, tuple | list) and not 1 <= len(given) <= 3:
        raise ValueError(
            f"validation_data is a {type(given).__name__} of {len(given)} parts: give (x, y) or (x, y, sample_weight), "
            "or a data set whose batches hold the targets."
        )
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(given)
    try:
        # One step, since nobody asks how many there are.
        batch_size = batch_size or 32  # without one Keras makes one batch of all rows, for one step
        data = TrainingData(x, y, sample_weight=sample_weight, batch_size=batch_size, steps_per_epoch=1)
        batch = data.example()
        check_targets(model, batch, keras.Model.test_step)
        # A generator cannot be rewound, and a PyDataset is told when an epoch is over: they are not handed over.
        one = (b for b in (batch,)) if isinstance(x, types.GeneratorType | keras.utils.PyDataset) else x
        with borrowed(model) as steps, unread(x):
            steps.finish()
            model.evaluate(one, y, batch_size, 0, sample_weight, steps=1)
    except Exception as error:  # each backend raises its own
        raise ValueError(f"validation_data cannot be evaluated, and nothing was trained yet: {error}") from error
    return data.x if data.is_generator else given


def checked_validation_freq(given: Any) -> int | list[int]:
    """Return after which epochs `model.fit` evaluates, as Keras takes it.

    Raises:
        ValueError: it says nothing of the kind.
    """
    epochs = given if isinstance(given, list) else [given]
    if not all(within(epoch, least=1, whole=True) for epoch in epochs):
        raise ValueError(
            f"validation_freq={given!r}: give a whole number of at least 1, such as 2 for every second epoch, or a "
            "list of the epochs after which to evaluate, counted from 1."
        )
    return given if isinstance(given, list) else int(given)
