"""Tell an optimizer that schedules itself how long the run is, for as long as the run lasts."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras

from keras_lr._backends.wrapped_optimizers import innermost


@contextmanager
def told_length(model: keras.Model, decay_steps: int) -> Iterator[None]:
    """Let the cap of a search across batches fall to 0 at an update, unless it has a horizon or a schedule of its own.

    The step that was compiled without that is put aside and comes back.
    """
    optimizer = innermost(model.optimizer)
    if not getattr(optimizer, "schedules_itself", False) or _is_told(optimizer):
        yield
        return
    train_function = model.train_function
    optimizer.decay_steps, model.train_function = decay_steps, None
    try:
        yield
    finally:
        optimizer.decay_steps, model.train_function = None, train_function


def _is_told(optimizer: keras.optimizers.Optimizer) -> bool:
    own = callable(optimizer.max_update_ratio) or callable(optimizer.max_update_norm)
    return own or optimizer.decay_steps is not None
