"""Time to target over several tasks: beside an independent computation."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from keras_lr.trials import _profile

pytestmark = pytest.mark.numpy_only
TIMES = np.array([[100.0, 150.0, 500.0], [200.0, 100.0, np.inf], [np.inf, 80.0, 320.0], [np.inf, np.inf, np.inf]])
times = arrays(np.float64, (5, 3), elements=st.floats(1, 1e4) | st.just(np.inf))


def test_the_profile_of_four_tasks():
    ratio = _profile.ratios(TIMES)
    np.testing.assert_allclose(ratio[:, 0], [1.0, 2.0, np.inf, np.inf])
    share = _profile.profile(ratio, np.array([1.0, 1.5, 2.0, 4.0]))
    np.testing.assert_allclose(share, [[0.25, 0.25, 0.5, 0.5], [0.5, 0.75, 0.75, 0.75], [0, 0, 0, 0.25]])


@given(times)
def test_the_score_is_the_area_under_the_profile(taken):
    ratio = _profile.ratios(taken)
    for method, score in enumerate(_profile.scores(ratio)):
        jumps = sorted({r for r in ratio[:, method] if 1 < r < 4})

        def share(tau, method=method):  # by the definition
            return sum(taken[i, method] <= tau * min(taken[i]) < np.inf for i in range(len(taken))) / len(taken)

        ends = [1.0, *jumps, 4.0]
        area = sum(share((a + b) / 2) * (b - a) for a, b in itertools.pairwise(ends))
        assert score == pytest.approx(area / 3, abs=1e-6)
        assert 0 <= score <= 1


def test_the_steps_of_a_profile_lie_between_1_and_4():
    ratio = np.array([[1.0, 2.0, 5.0], [np.inf, 1.0, 3.0]])
    assert _profile.steps_of_profile(ratio).tolist() == [1.0, 2.0, 3.0, 4.0]


@given(times, st.floats(1e-3, 1e3))
def test_the_unit_of_time_changes_nothing(taken, factor):
    np.testing.assert_allclose(
        _profile.scores(_profile.ratios(factor * taken)), _profile.scores(_profile.ratios(taken))
    )


def test_a_target_is_reached_at_the_end_of_an_epoch_or_never():
    curves = np.array([[[[3.0, 1.0, 2.0], [3.0, np.nan, np.nan], [1.5, 2.0, 3.0]]]])
    spent = np.broadcast_to([10.0, 20.0, 30.0], curves.shape)
    np.testing.assert_array_equal(_profile.first_reached(curves, spent, np.array([1.5])), [[[20.0, np.inf, 10.0]]])
    assert np.all(np.isinf(_profile.first_reached(curves, spent, np.array([np.nan]))))
