"""The verdict as a function of the losses of lanes alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_lr.diagnosis import Judgement
from keras_lr.diagnosis._judgement import (
    NEAR,
    STEP_BACK,
    TOLERANCE,
    judge,
    late_scores,
    rounded,
    rung_to_try,
    share_won,
)

pytestmark = pytest.mark.numpy_only

RUNG = 10**0.5
STEPS = 30


def descent(rates, curvature=1.0):
    """Losses of gradient descent on `curvature w^2 / 2` from w = 1: exact, shape `(lanes, STEPS)`."""
    with np.errstate(over="ignore"):
        weights = (1 - curvature * np.asarray(rates)[:, None]) ** np.arange(STEPS)
        return curvature * weights**2 / 2


def lanes_around(rate, below=4, above=4):
    factors = RUNG ** np.arange(-below, above + 1)
    return factors, descent(rate * factors), descent([0.0])[0]


def judged(rate, **run):
    return judge(*lanes_around(rate), **{"stays": False, **run})


@pytest.mark.parametrize(
    ("rate", "judgement"),
    [(0.01, Judgement.TOO_LOW), (1.0, Judgement.RIGHT), (50.0, Judgement.TOO_HIGH)],
)
def test_gradient_descent_on_a_parabola_is_judged_by_its_curvature(rate, judgement):
    verdict = judged(rate)
    assert verdict.judgement is judgement
    # From 2 on it diverges, and at 1 it is done in a step.
    assert 1.0 <= rate * verdict.factor <= 2.0
    assert verdict.low < verdict.factor < verdict.high


def test_a_constant_rate_from_untrained_weights_on_stays_below_the_edge():
    edge = judged(0.1).factor
    assert judged(0.1, stays=True).factor == pytest.approx(STEP_BACK * edge)
    assert judged(0.1, stays=True, updates=0.9 * edge).factor == pytest.approx(STEP_BACK * edge)
    assert judged(0.1, stays=True, updates=1.1 * edge).factor == edge  # they went farther than one at the edge


@pytest.mark.parametrize(("stays", "exponent"), [(False, 0.6), (True, 0.3)])
def test_rows_seen_again_ask_for_a_lower_rate_where_a_lane_wins_much(stays, exponent):
    factors = np.array([0.1, 1.0, 10.0])
    still = np.full(STEPS, 8.0)
    all_won, half_won, nothing = np.r_[8.0, np.zeros(STEPS - 1)], np.r_[8.0, np.full(STEPS - 1, 4.0)], still
    for best, won in ((all_won, 1.0), (half_won, 0.5)):
        losses = np.stack([nothing, best, np.full(STEPS, np.inf)])
        once = judge(factors, losses, still, stays=stays)
        again = judge(factors, losses, still, stays=stays, passes=20.0)
        assert again.factor / once.factor == pytest.approx(20 ** (-exponent * won))
        for end in (again.low / once.low, again.high / once.high):
            assert end == pytest.approx(again.factor / once.factor)
        assert "sees the same rows 20 times" in again.reason
        assert "times, take" not in once.reason
        assert judge(factors, losses, still, stays=stays, passes=1.0) == once


def test_what_a_constant_answer_wins_does_not_count():
    factors, still = np.array([0.1, 1.0, 10.0]), np.full(STEPS, 8.0)
    losses = np.stack([still, np.r_[8.0, np.full(STEPS - 1, 2.0)], np.full(STEPS, np.inf)])
    once = judge(factors, losses, still, stays=False).factor
    for constant, won in ((np.inf, 0.75), (9.0, 0.75), (4.0, 0.5), (2.0, 0.0), (1.0, 0.0)):
        again = judge(factors, losses, still, stays=False, passes=20.0, constant=constant).factor
        assert again / once == pytest.approx(20 ** (-0.6 * won))


@pytest.mark.parametrize(("updates", "share"), [(0, 1.0), (80, 1.0), (400, 0.25), (50_000, 0.1)])
def test_steps_that_keep_their_length_ask_for_a_lower_rate_in_a_longer_run(updates, share):
    usual, steady = judged(0.1, passes=3.0), judged(0.1, passes=3.0, full_length_updates=updates)
    for name in ("factor", "low", "high"):
        assert getattr(steady, name) == pytest.approx(share * getattr(usual, name))
    assert (f"disagree: take {share:.2g} of that" in steady.reason) is (share < 1)


def test_the_share_won_is_between_0_and_1():
    assert share_won(np.array([4.0, 3.0, 2.0, 2.0])) == 0.5
    assert share_won(np.array([4.0, 5.0, 6.0, 6.0])) == 0.0
    assert share_won(np.array([-1.0, -2.0, -9.0, -9.0])) == 1.0
    assert share_won(np.zeros(4)) == 0.0


@given(st.floats(-3.0, 3.0), st.floats(0.0, 1.5))
def test_a_higher_rate_is_never_judged_lower(log_rate, more):
    """The factor, and so the judgement, falls as the rate in question rises."""
    order = [Judgement.TOO_LOW, Judgement.RIGHT, Judgement.TOO_HIGH]
    low, high = (judge(*whole_ladder(10**log), stays=False) for log in (log_rate, log_rate + more))
    # The rungs lie elsewhere, and between them the edge is read off a straight line: to within a rung.
    assert np.log10(high.factor) <= np.log10(low.factor) - more + 0.5
    if more > 0.5:
        assert order.index(low.judgement) <= order.index(high.judgement)


def whole_ladder(rate):
    """The lanes that `rung_to_try` asks for."""
    low, high = -2, 2
    while True:
        factors = RUNG ** np.arange(low, high + 1)
        losses, still = descent(rate * factors), descent([0.0])[0]
        way = rung_to_try(factors, losses, still)
        if way == 0:
            return factors, losses, still
        low, high = (low, high + 1) if way > 0 else (low - 1, high)
        assert high - low < 13


@given(st.floats(1e-3, 1e3), st.floats(-100.0, 100.0), st.floats(-1.5, 1.5))
def test_neither_the_unit_of_the_loss_nor_a_constant_matters(scale, constant, log_rate):
    factors, losses, still = lanes_around(10**log_rate)
    plain_verdict = judge(factors, losses, still, stays=False)
    other = judge(factors, scale * losses + constant, scale * still + constant, stays=False)
    assert other.judgement is plain_verdict.judgement
    assert other.factor == pytest.approx(plain_verdict.factor, rel=1e-3)


@given(st.floats(-1.0, 1.0))
def test_the_words_follow_the_factor(log_rate):
    verdict = judged(10**log_rate)
    expected = Judgement.RIGHT
    if verdict.factor > NEAR:
        expected = Judgement.TOO_LOW
    if verdict.factor < 1 / NEAR:
        expected = Judgement.TOO_HIGH
    assert verdict.judgement is expected


def test_the_edge_is_where_a_tenth_of_the_descent_is_lost():
    factors = np.array([0.1, 1.0, 10.0])
    losses = np.repeat([[4.0], [2.0], [3.0]], STEPS, axis=1)  # 2 of 10 were won; half of it is lost at 10
    still = np.full(STEPS, 4.0)
    verdict = judge(factors, losses, still, stays=False)
    assert verdict.factor == pytest.approx(10 ** (TOLERANCE * 2.0 / 1.0))


def test_a_lane_that_diverged_counts_as_infinitely_high():
    losses = np.array([[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, np.nan, 1.0], [1.0, 2.0, 3.0, np.inf]])
    assert late_scores(losses).tolist() == [1.0, np.inf, np.inf]
    factors, still = np.array([0.1, 1.0, 10.0]), np.full(4, 2.0)
    verdict = judge(factors, losses, still, stays=False)
    assert (verdict.judgement, verdict.factor) == (Judgement.TOO_HIGH, 0.1)
    assert "2 diverged" in verdict.reason


def noisy(levels, seed=0):
    noise = np.random.default_rng(seed).normal(size=(len(levels) + 1, STEPS))
    return np.asarray(levels)[:, None] + noise[1:], noise[0]


def test_nothing_is_said_where_no_rate_gains_anything():
    losses, still = noisy([0.0, 0.0, 0.0, 0.0, 0.0])
    verdict = judge(RUNG ** np.arange(-2, 3), losses, still, stays=False)
    assert (verdict.judgement, verdict.factor) == (Judgement.UNDECIDED, None)
    assert "does no harm" in verdict.reason


@pytest.mark.parametrize(("gain", "gained"), [(0.88, False), (0.91, True)])
def test_a_gain_is_one_beyond_two_standard_errors(gain, gained):
    # Six late differences of -gain ± 1: the standard error of their mean is 1 / sqrt(5), twice that 0.894.
    still = np.zeros(8)
    lane = -gain + np.tile([1.0, -1.0], 4)
    verdict = judge(np.array([1.0, 10.0]), np.stack([lane, lane + 5.0]), still, stays=False)
    assert (verdict.factor is not None) == gained


def test_a_rate_that_only_harms_is_too_high_even_where_nothing_can_be_gained():
    losses, still = noisy([0.0, 0.0, 50.0, 100.0, 500.0])
    verdict = judge(RUNG ** np.arange(-2, 3), losses, still, stays=False)
    assert (verdict.judgement, verdict.factor) == (Judgement.TOO_HIGH, pytest.approx(1 / RUNG))


def test_where_every_rate_harms_the_steps_are_at_fault():
    losses, still = noisy([50.0, 50.0, 50.0])
    verdict = judge(RUNG ** np.arange(-1, 2), losses, still, stays=False)
    assert verdict.judgement is Judgement.UNDECIDED
    assert "do not go downhill" in verdict.reason


def test_where_nothing_is_finite_the_rate_is_not_the_cause():
    losses = np.full((3, STEPS), np.nan)
    verdict = judge(np.array([1e-3, 1e-2, 1.0]), losses, np.ones(STEPS), stays=False)
    assert verdict.judgement is Judgement.UNDECIDED
    assert "1000th of yours" in verdict.reason


@pytest.mark.parametrize(
    ("levels", "way"),
    [
        ([5.0, 4.0, 3.0, 2.0, 1.0], 1),  # the highest is the best
        ([5.0, 4.0, 3.0, 1.0, 1.01], 1),  # or as good
        ([5.0, 4.0, 1.0, 2.0, 3.0], 0),
        ([5.0, 4.0, 1.0, 2.0, np.nan], 0),
        ([1.0, 2.0, 3.0, 4.0, np.nan], -1),  # the lowest is the best
        ([np.nan] * 5, -1),
        ([11.0, 12.0, 13.0, np.nan, np.nan], -1),  # all of them harm
    ],
)
def test_further_rates_are_tried_while_they_can_change_the_verdict(levels, way):
    losses = np.repeat(np.array(levels)[:, None], STEPS, axis=1)
    assert rung_to_try(RUNG ** np.arange(-2, 3), losses, np.full(STEPS, 10.0)) == way


def test_trained_out_no_further_rate_is_tried():
    losses, still = noisy([-0.01, 0.0, 0.0, 0.0, 5.0])
    assert rung_to_try(RUNG ** np.arange(-2, 3), losses, still) == 0


@pytest.mark.parametrize(
    ("number", "text"), [(562.3, "560"), (0.0004449, "0.00044"), (1.0, "1"), (0.37, "0.37"), (1234567.0, "1200000")]
)
def test_numbers_in_sentences_have_two_digits_and_no_exponent(number, text):
    assert rounded(number) == text
