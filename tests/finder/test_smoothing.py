"""The moving quantiles against NumPy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from keras_lr.finder._smoothing import WINDOW, moving_quantiles

SWEEPS = st.tuples(st.integers(1, 3), st.integers(1, 40)).flatmap(
    lambda shape: arrays(float, shape, elements=st.sampled_from([0.5, 1.0, 2.0, 3.0, np.inf]))
)


@pytest.mark.numpy_only
@given(SWEEPS, st.lists(st.floats(0, 1), min_size=1, max_size=3), st.floats(0.01, 0.3))
def test_every_window_has_the_quantiles_of_its_losses(sweeps, quantiles, apart):
    logs = apart * np.arange(sweeps.shape[1])
    found = moving_quantiles(logs, sweeps, tuple(quantiles))
    for i, log in enumerate(logs):
        window = sweeps[:, np.abs(logs - log) <= WINDOW / 2]
        np.testing.assert_array_equal(found[:, i], np.quantile(window, quantiles, method="inverted_cdf"))
