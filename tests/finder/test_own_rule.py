"""Our own suggestion: found where it should be, moved by what should move it, and silent where there is no answer."""

import re

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_lr.finder import RangeTestResult, Use
from keras_lr.finder._own_rule import ADAPTIVE, HEAVY_BALL, PLAIN, find_edge, kind_of
from keras_lr.finder._suggest import NoAnswer

RATES = np.geomspace(1e-6, 100, 100)


def losses(edge=1.0, noise=0.02, sweeps=3, seed=0):
    """Falls by 1.5 from 2, and is back at 2 exactly at the edge."""
    random = np.random.default_rng(seed)
    descent = 1.5 / (1 + edge / 30 / RATES)
    at_edge = 1.5 / (1 + 1 / 30)
    curve = 2 - descent + at_edge * (RATES / edge) ** 3
    return curve + noise * random.normal(size=(sweeps, len(RATES)))


@given(st.floats(-4, 1), st.integers(0, 100))
def test_the_edge_is_where_the_loss_is_back_at_its_start(log_edge, seed):
    assert find_edge(RATES, losses(10**log_edge, seed=seed)).log_rate == pytest.approx(log_edge, abs=0.15)


@given(st.floats(1e-6, 1e6), st.floats(-100, 100))
def test_unit_and_height_of_the_loss_do_not_matter(scale, shift):
    one, other = find_edge(RATES, losses()), find_edge(RATES, scale * (losses() + shift))
    assert other.log_rate == pytest.approx(one.log_rate, abs=1e-3)


@pytest.mark.parametrize("tail", [np.nan, np.inf])
def test_a_tail_that_is_not_finite_is_divergence(tail):
    curve = losses()
    ended = np.where(RATES > 0.4, tail, curve)
    assert find_edge(RATES, ended).log_rate == pytest.approx(np.log10(0.4), abs=0.15)


def test_a_spike_at_the_start_moves_nothing():
    spiked = losses()
    spiked[:, 1] += 50
    assert find_edge(RATES, spiked).log_rate == pytest.approx(find_edge(RATES, losses()).log_rate, abs=0.02)


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
        find_edge(RATES, curve[None])
    suggestion = RangeTestResult(RATES, curve[None]).suggest()
    assert suggestion.rate is None
    assert re.search(reason, suggestion.reason)
    with pytest.raises(ValueError, match="no answer"):
        float(suggestion)


def test_a_curve_that_climbs_back_by_half_has_an_edge():
    curve = np.where(RATES < 0.01, 2.0, np.where(RATES < 0.3, 1.0, 1.7))
    edge = find_edge(RATES, curve[None])
    assert edge.level == 0.5
    assert edge.log_rate == pytest.approx(np.log10(0.3), abs=0.3)


@pytest.mark.parametrize(
    ("optimizer", "kind"),
    [
        (keras.optimizers.SGD(), PLAIN),
        (keras.optimizers.Adam(), ADAPTIVE),
        (keras.optimizers.RMSprop(momentum=0.9), ADAPTIVE),
    ],
)
def test_kinds_of_optimizers(optimizer, kind):
    assert kind_of(optimizer) == kind


def test_momentum_lies_between_and_beyond():
    nine, half, more = (kind_of(keras.optimizers.SGD(momentum=m)) for m in (0.9, 0.5, 0.99))
    assert nine.constant == pytest.approx(HEAVY_BALL.constant)
    assert PLAIN.constant < half.constant < nine.constant < more.constant


def test_a_schedule_bears_a_higher_peak_and_a_long_run_a_lower_rate():
    curve = losses()
    test = RangeTestResult(RATES, curve, ADAPTIVE)
    assert float(test.suggest(use=Use.PEAK)) > float(test.suggest())
    longer = RangeTestResult(RATES, curve, ADAPTIVE, horizon_steps=50_000)
    assert float(longer.suggest()) == pytest.approx(float(test.suggest()) / 10 ** (2 * ADAPTIVE.horizon))


def test_sweeps_that_disagree_widen_the_interval():
    agree = RangeTestResult(RATES, losses()).suggest()
    apart = RangeTestResult(RATES, np.concatenate([losses(10.0**e, sweeps=1) for e in (-1.5, 0, 1.5)])).suggest()
    assert apart.high / apart.low > 1.5 * agree.high / agree.low
    assert agree.low < agree.rate < agree.high
