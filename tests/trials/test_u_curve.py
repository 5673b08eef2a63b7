"""What the final values of trials say: the vertex, the interval, the edge."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from keras_lr.trials._u_curve import chance, is_worse, u_curve

pytestmark = pytest.mark.numpy_only
RATES = 10.0 ** np.arange(-4, 0.5, 0.5)
NOISE = 0.05 * np.random.default_rng(0).normal(size=(len(RATES), 5))


def bowl(centre, curvature=0.1):
    return 1 + curvature * (np.log10(RATES) - np.log10(centre))[:, None] ** 2


@pytest.mark.parametrize("centre", [2e-4, 0.004, 0.2])
def test_the_vertex_of_a_parabola_is_found(centre):
    curve = u_curve(RATES, np.repeat(bowl(centre), 3, axis=1))
    assert curve.best == pytest.approx(centre)
    assert not curve.at_border
    assert curve.edge is None


def test_the_interval_holds_the_rungs_that_a_paired_t_test_cannot_tell():
    losses = bowl(0.004) + NOISE
    curve = u_curve(RATES, losses)
    best = np.argmin(np.median(losses, axis=1))
    told = [
        i != best and stats.ttest_rel(losses[i], losses[best], alternative="greater").pvalue < 0.05
        for i in range(len(RATES))
    ]
    first = next(i for i in range(best, -1, -1) if i == 0 or told[i - 1])
    last = next(i for i in range(best, len(RATES)) if i == len(RATES) - 1 or told[i + 1])
    np.testing.assert_array_equal(np.flatnonzero(curve.alike), np.arange(first, last + 1))
    assert last > first
    assert curve.low == pytest.approx(np.sqrt(RATES[first] * RATES[first - 1]))
    assert curve.high == pytest.approx(np.sqrt(RATES[last] * RATES[last + 1]))


@pytest.mark.parametrize("degrees", [1, 2, 3, 9, 30])
@pytest.mark.parametrize("t", [0.0, 0.3, 1.0, 2.92, 8.0, -1.5])
def test_the_tail_of_students_t_is_that_of_scipy(t, degrees):
    assert chance(t, degrees) == pytest.approx(stats.t.sf(t, degrees), rel=1e-5)


def test_a_neighbour_on_a_cliff_does_not_pull_the_vertex_to_the_other_one():
    """It counts as three times as high as the other: the vertex is an eighth of a decade off, not a quarter."""
    curve = u_curve(RATES[:3], np.array([[1.0], [0.0], [100.0]]))
    assert np.log10(curve.best / RATES[1]) == pytest.approx(-0.125)


def test_a_rate_at_which_a_seed_diverges_is_never_the_best():
    losses = bowl(0.1) + 0 * NOISE
    losses[6:, 0] = np.inf  # from 0.1 on
    curve = u_curve(RATES, losses)
    assert RATES[curve.index] == pytest.approx(10**-1.5)
    assert curve.edge == pytest.approx(0.1)
    assert np.all(np.isinf(curve.scores[6:]))
    assert 0.01 < curve.best < 10**-1.5  # away from the rung that diverged
    assert curve.high < 0.1


def test_an_exploded_loss_counts_as_a_divergence():
    losses = bowl(10**-1.6) + 0 * NOISE
    one, other = losses.copy(), losses.copy()
    one[6:], other[6:] = 1e20, np.inf
    exploded, diverged = u_curve(RATES, one), u_curve(RATES, other)
    assert exploded.best == pytest.approx(diverged.best)
    assert exploded.high == pytest.approx(diverged.high)
    assert (exploded.edge, diverged.edge) == (None, pytest.approx(0.1))


def test_where_every_rate_has_lost_a_seed_the_fewest_count():
    losses = bowl(0.001) + 0 * NOISE
    losses[:, 0] = np.inf
    losses[2:, 1] = np.inf
    assert u_curve(RATES, losses).index == 1


def test_a_divergence_elsewhere_leaves_the_median_of_the_other_rates():
    losses = bowl(0.004) + NOISE
    losses[-1] = np.inf
    curve = u_curve(RATES, losses)
    np.testing.assert_array_equal(curve.scores[:-1], np.median(losses[:-1], axis=1))
    assert curve.index == np.argmin(np.median(losses, axis=1)) != np.argmin(np.mean(losses, axis=1))


def test_all_diverged_is_an_error_with_a_remedy():
    with pytest.raises(ValueError, match=r"Every run diverged, at all rates from 0.0001 to 1\. Give lower rates"):
        u_curve(RATES, np.full((9, 3), np.inf))


@pytest.mark.parametrize(("centre", "index"), [(1e-6, 0), (1e3, 8)])
def test_a_border_is_said_and_there_is_no_vertex_beyond_it(centre, index):
    curve = u_curve(RATES, np.repeat(bowl(centre), 3, axis=1))
    assert curve.at_border
    assert curve.index == index
    assert curve.best == pytest.approx(RATES[index])


def test_one_seed_says_nothing_about_chance():
    curve = u_curve(RATES, bowl(0.001))
    assert curve.alike.sum() == 1
    assert curve.low == pytest.approx(0.001 / 10**0.25)
    assert curve.high == pytest.approx(0.001 * 10**0.25)


def test_one_rate_is_its_own_interval():
    curve = u_curve(np.array([0.1]), np.array([[1.0, 2.0]]))
    assert curve.low == curve.best == curve.high == pytest.approx(0.1)
    assert curve.at_border


def test_equal_differences_are_no_chance():
    best = np.array([1.0, 2.0, 3.0])
    assert is_worse(best + 0.5, best)
    assert not is_worse(best, best)


@pytest.mark.parametrize("seeds", [2, 3, 5, 8])
def test_worse_is_what_a_paired_t_test_says(seeds):
    random = np.random.default_rng(seeds)
    told = []
    for shift in np.linspace(0.0, 3.0, 60):
        losses, best = shift + random.normal(size=seeds), random.normal(size=seeds)
        told.append(stats.ttest_rel(losses, best, alternative="greater").pvalue < 0.05)
        assert is_worse(losses, best) == told[-1]
    assert 0 < sum(told) < 60


@pytest.mark.parametrize(("first", "last"), [(1, 7), (4, 7), (1, 4)])
def test_the_interval_goes_on_while_the_seeds_cannot_tell(first, last):
    losses = np.tile([9.0, 9.5, 10.0, 10.5], (9, 1))
    losses[first : last + 1] = 0.3 + np.array([-2.0, -1.0, 1.0, 2.0])
    losses[4] = 0.0  # the best, by less than the noise
    curve = u_curve(RATES, losses)
    told = [stats.ttest_rel(row, losses[4], alternative="greater").pvalue < 0.05 for row in losses[[0, 3, 5, 8]]]
    assert told == [True, first > 3, last < 5, True]
    np.testing.assert_array_equal(np.flatnonzero(curve.alike), np.arange(first, last + 1))


values = arrays(np.float64, (5, 3), elements=st.floats(0.1, 10).map(lambda v: round(v, 3)) | st.just(np.inf))


@given(values.filter(lambda v: np.any(np.isfinite(v))), st.permutations(range(3)))
def test_the_order_of_the_seeds_changes_nothing(losses, order):
    one, other = u_curve(RATES[:5], losses), u_curve(RATES[:5], losses[:, order])
    assert (one.index, one.edge) == (other.index, other.edge)
    np.testing.assert_array_equal(one.scores, other.scores)
    assert one.best == pytest.approx(other.best)


@given(values.filter(lambda v: np.any(np.isfinite(v))), st.floats(1e-3, 1e3))
def test_another_unit_of_the_rate_scales_the_answer(losses, factor):
    one, other = u_curve(RATES[:5], losses), u_curve(factor * RATES[:5], losses)
    for name in ("best", "low", "high"):
        assert getattr(other, name) == pytest.approx(factor * getattr(one, name))
    assert one.low <= one.best <= one.high
    np.testing.assert_array_equal(one.alike, other.alike)


@given(values.filter(lambda v: np.any(np.isfinite(v))), st.sampled_from([0.25, 4.0]))
def test_another_unit_of_the_loss_changes_nothing(losses, factor):
    one, other = u_curve(RATES[:5], losses), u_curve(RATES[:5], factor * losses)
    assert (one.index, one.edge) == (other.index, other.edge)
    assert one.best == pytest.approx(other.best)
    np.testing.assert_array_equal(one.alike, other.alike)
