"""Our own suggestion: found where it should be, moved by what should move it, and silent where there is no answer."""

import re

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_lr.finder import RangeTestResult, Use
from keras_lr.finder._own_rule import ADAPTIVE, FULL_LENGTH, HEAVY_BALL, PLAIN, Observed, kind_of, log_rate, observe
from keras_lr.finder._suggest import NoAnswer

RATES = np.geomspace(1e-6, 100, 100)


PACE = 8 / 99  # decades a step


def losses(edge=1.0, noise=0.02, sweeps=3, seed=0):
    """Falls by 1.5 from 2, and is back at 1.25 exactly at the edge."""
    random = np.random.default_rng(seed)
    descent = 1.5 / (1 + edge / 300 / RATES)
    curve = 2 - descent + 0.75 * (RATES / edge) ** 3
    return curve + noise * random.normal(size=(sweeps, len(RATES)))


@given(st.floats(-2, 1), st.integers(0, 100))
def test_the_edge_is_where_the_loss_is_half_of_the_way_back_and_three_steps_earlier(log_edge, seed):
    assert observe(RATES, losses(10**log_edge, seed=seed)).edge == pytest.approx(log_edge - 3 * PACE, abs=0.15)


@given(st.floats(1e-6, 1e6), st.floats(-100, 100))
def test_unit_and_height_of_the_loss_do_not_matter(scale, shift):
    one, other = observe(RATES, losses()), observe(RATES, scale * (losses() + shift))
    assert other.edge == pytest.approx(one.edge, abs=1e-3)
    assert other.fall == one.fall
    assert other.noise == pytest.approx(one.noise, rel=1e-3)


def test_the_fall_is_the_rates_up_to_half_of_the_descent_summed():
    curve = np.where(np.arange(100) < 40, 2.0, 1.0)
    curve[80:] = 3.0
    assert observe(RATES, curve[None]).fall == pytest.approx(np.log10(RATES[:40].sum()), abs=3 * PACE)


def test_fall_and_edge_of_gradient_descent_do_not_depend_on_the_pace():
    # A quadratic bowl with curvatures 1 and 30: the descent takes a sum of rates, the divergence a single one.
    def swept(steps):
        rates = np.geomspace(1e-4, 1, steps)
        weights, curvatures, found = np.array([10.0, 1.0]), np.array([1.0, 30.0]), []
        for rate in rates:
            found.append(min(1e4, np.sum(curvatures * weights**2)))
            weights = np.clip((1 - rate * curvatures) * weights, -100, 100)
        return observe(rates, np.array(found)[None])

    slow, fast = swept(400), swept(50)
    assert slow.fall == pytest.approx(fast.fall, abs=0.1)
    assert slow.edge == pytest.approx(fast.edge, abs=0.3)


@given(st.floats(0.02, 0.2), st.integers(0, 100))
def test_the_noise_is_the_median_deviation_over_the_descent(noise, seed):
    seen = observe(RATES, losses(noise=noise, sweeps=20, seed=seed))
    assert seen.noise == pytest.approx(0.6745 * noise / 1.5, rel=0.25)


@pytest.mark.parametrize("tail", [np.nan, np.inf])
def test_a_tail_that_is_not_finite_is_divergence(tail):
    curve = losses()
    ended = np.where(RATES > 0.4, tail, curve)
    assert observe(RATES, ended).edge == pytest.approx(np.log10(0.4) - 3 * PACE, abs=0.15)


def test_a_network_that_died_below_the_start_has_an_edge():
    # The start lies above the loss of a constant prediction, and the loss of a dead network is that one.
    died = np.select([RATES < 1e-3, RATES < 1.0], [2.3, 0.7], 1.6)
    assert observe(RATES, died[None]).edge == pytest.approx(-3 * PACE, abs=2 * PACE)


def test_noise_that_shrinks_with_the_loss_hides_no_descent():
    random = np.random.default_rng(3)
    falling = np.where(RATES < 1e-2, 30.0, np.where(RATES < 1.0, 6.0, 60.0))
    assert observe(RATES, (falling * random.lognormal(sigma=0.4, size=100))[None]).edge < 0


def test_noise_alone_has_an_answer_in_one_of_twenty_at_most():
    random = np.random.default_rng(0)
    reasons = [RangeTestResult(RATES, 2 + 0.05 * random.normal(size=(1, 100))).suggest().reason for _ in range(100)]
    assert sum("never fell" not in reason for reason in reasons) <= 5


def test_a_spike_at_the_start_moves_nothing():
    spiked = losses()
    spiked[:, 1] += 50
    assert observe(RATES, spiked).edge == pytest.approx(observe(RATES, losses()).edge, abs=0.02)


@pytest.mark.parametrize(
    ("curve", "reason"),
    [
        (np.full(100, 0.7), "never fell"),
        (2 + 0.05 * np.random.default_rng(0).normal(size=100), "never fell"),
        (np.linspace(1, 5, 100), "only rose|never fell"),
        (np.linspace(5, 1, 100), "did not climb back"),
        (np.full(100, np.nan), "not finite"),
    ],
    ids=["flat", "noise", "rising", "falling", "NaN"],
)
def test_no_answer_comes_with_the_reason(curve, reason):
    with pytest.raises(NoAnswer, match=reason):
        observe(RATES, curve[None])
    suggestion = RangeTestResult(RATES, curve[None]).suggest()
    assert suggestion.learning_rate is None
    assert re.search(reason, suggestion.reason)
    with pytest.raises(ValueError, match="no answer"):
        float(suggestion)


def test_where_the_loss_never_climbs_the_end_of_a_sweep_far_above_the_moving_rate_is_the_edge():
    falling = np.where(RATES < 0.01, 2.0, 1.0)[None]
    assert RangeTestResult(RATES, falling, ADAPTIVE, moving_rate=10.0).suggest().learning_rate is None
    found = RangeTestResult(RATES, falling, PLAIN, moving_rate=0.1).suggest()
    assert "was still low up to the rate" in found.reason
    fall = observe(RATES, falling, last_edge=5.0).fall
    noise = PLAIN.exponent * np.log10(0.03 / 0.08)
    assert np.log10(found.learning_rate) == pytest.approx(0.9 * (2 - 3 * PACE) + 0.1 * fall - noise - PLAIN.constant)


def moved_by(kind, **change):
    seen = {"edge": 0.0, "fall": -2.0, "noise": 0.05}
    return log_rate(Observed(**(seen | change)), kind, Use.CONSTANT) - log_rate(Observed(**seen), kind, Use.CONSTANT)


def test_gradient_descent_goes_by_the_edge_and_adam_as_much_by_the_fall():
    for kind in (PLAIN, HEAVY_BALL):
        assert 0.8 < moved_by(kind, edge=1.0) < 1
    assert moved_by(ADAPTIVE, fall=-1.0) == pytest.approx(moved_by(ADAPTIVE, edge=1.0))
    for kind in (PLAIN, HEAVY_BALL, ADAPTIVE):
        assert moved_by(kind, edge=1.0, fall=-1.0) == pytest.approx(1)


def test_noise_lowers_the_rate_of_gradient_descent_only():
    assert moved_by(PLAIN, noise=0.5) < moved_by(PLAIN, noise=0.1) < 0 < moved_by(PLAIN, noise=0.0)
    assert moved_by(ADAPTIVE, noise=0.5) == 0


def test_losses_of_validation_data_tell_no_noise():
    noisy, calm = (
        RangeTestResult(RATES, losses(noise=noise, sweeps=20), PLAIN, is_validation=True).suggest().learning_rate
        for noise in (0.3, 0.01)
    )
    assert noisy == pytest.approx(calm, rel=0.3)


@pytest.mark.parametrize(
    ("optimizer", "kind"),
    [
        (keras.optimizers.SGD(), PLAIN),
        (keras.optimizers.Adam(), ADAPTIVE),
        (keras.optimizers.RMSprop(momentum=0.9), ADAPTIVE),
        (keras.optimizers.Lion(), FULL_LENGTH),
        (keras.optimizers.Lamb(), FULL_LENGTH),
        (type("MyMuon", (keras.optimizers.Muon,), {})(), FULL_LENGTH),
    ],
)
def test_kinds_of_optimizers(optimizer, kind):
    assert kind_of(optimizer) == kind


def test_momentum_lies_between_and_beyond():
    nine, half, more = (kind_of(keras.optimizers.SGD(momentum=m)) for m in (0.9, 0.5, 0.99))
    assert nine.constant == pytest.approx(HEAVY_BALL.constant)
    assert PLAIN.constant < half.constant < nine.constant < more.constant


def test_a_schedule_bears_a_higher_peak():
    test = RangeTestResult(RATES, losses(), ADAPTIVE)
    assert float(test.suggest(use=Use.PEAK)) > float(test.suggest())


def test_sweeps_that_disagree_widen_the_interval():
    agree = RangeTestResult(RATES, losses(), PLAIN).suggest()
    apart = RangeTestResult(RATES, np.concatenate([losses(10.0**e, sweeps=1) for e in (-1.5, 0, 1.5)]), PLAIN).suggest()
    assert apart.high / apart.low > 1.5 * agree.high / agree.low
    assert agree.low < agree.learning_rate < agree.high
