"""All that a model and its optimizer hold, to see that a trial leaves no trace in it."""

from contextlib import contextmanager

import keras
import numpy as np


def state_of(model):
    variables = [*model.variables, *model.optimizer.variables, *model.metrics_variables]
    return [keras.ops.convert_to_numpy(v).copy() for v in variables]


@contextmanager
def unchanged(model):
    """Assert that a block leaves the model as it was, bit for bit."""
    before = state_of(model)
    yield
    for old, new in zip(before, state_of(model), strict=True):
        np.testing.assert_array_equal(old, new)
