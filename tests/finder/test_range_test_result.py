"""The result of a range test: its curve, its band, and what it shows."""

import json

import numpy as np
import pytest

from keras_lr.finder import RULES, RangeTestResult
from keras_lr.report import Report

RATES = np.geomspace(1e-6, 100, 100)
CURVE = 2 - 1.5 / (1 + 0.03 / RATES) + (RATES / 0.8) ** 3
SWEEPS = CURVE + 0.05 * np.random.default_rng(0).normal(size=(3, 100))
TEST = RangeTestResult(RATES, SWEEPS)


def test_the_pooled_curve_lies_in_its_band_and_near_the_truth():
    low, high = TEST.band
    assert ((low <= TEST.losses) & (TEST.losses <= high)).all()
    near = RATES < 0.1
    assert np.abs(TEST.losses - CURVE)[near].max() < 0.1


def test_a_diverged_sweep_is_infinite_in_the_band():
    ended = SWEEPS.copy()
    ended[0, 90:] = np.nan
    ended[1, 90:] = np.nan
    assert np.isinf(RangeTestResult(RATES, ended).losses[95:]).all()


@pytest.mark.parametrize("rule", RULES)
def test_another_librarys_rule_is_the_median_of_its_answers_on_each_sweep(rule):
    answers = [RULES[rule](RATES, losses) for losses in SWEEPS]
    suggestion = TEST.suggest(rule)
    assert suggestion.learning_rate == pytest.approx(np.median(answers))
    assert (suggestion.low, suggestion.high) == (min(answers), max(answers))
    assert RULES[rule].library in suggestion.reason


@pytest.mark.parametrize("rule", RULES)
def test_a_sweep_without_a_finite_loss_says_nothing_to_another_librarys_rule(rule):
    broken = np.vstack([SWEEPS, np.full((1, 100), np.nan)])
    assert RangeTestResult(RATES, broken).suggest(rule) == TEST.suggest(rule)
    assert RangeTestResult(RATES, broken[3:]).suggest(rule).reason == "No loss is finite."


def test_a_rule_of_the_users_own_takes_part():
    rule = RULES["valley"]
    assert TEST.suggest(rule) == TEST.suggest("valley")


def test_an_unknown_rule_is_told():
    with pytest.raises(ValueError, match="rule='vally' is not known; there are valley"):
        TEST.suggest("vally")


def test_it_prints_its_answer_and_every_rule():
    text = str(TEST)
    assert "Learning rate range test" in text
    assert all(rule in text for rule in RULES)
    assert f"{TEST.suggest().learning_rate:.4g}" in text


def test_a_curve_without_an_answer_prints_the_reason():
    text = str(RangeTestResult(RATES, np.ones((1, 100))))
    assert "no answer" in text
    assert "never fell" in text


def test_losses_that_are_never_finite_print_the_reason_and_are_drawn(tmp_path):
    pytest.importorskip("matplotlib").use("Agg")
    test = RangeTestResult(RATES, np.full((1, 100), np.nan))
    assert test.suggest("valley").learning_rate is None
    assert "not finite at the lowest rates" in str(test)
    test.plot()
    test.save(tmp_path / "test.html")


def test_it_is_kept_as_json_and_as_a_page(tmp_path):
    TEST.save(tmp_path / "test.json")
    TEST.save(tmp_path / "test.html")
    json.loads((tmp_path / "test.json").read_text())
    assert str(Report.from_json((tmp_path / "test.json").read_text())) == str(TEST)
    assert "Loss over the learning rate" in (tmp_path / "test.html").read_text()


def test_the_picture_shows_curve_suggestion_and_interval():
    pytest.importorskip("matplotlib").use("Agg")
    (axes,) = TEST.plot()
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert {"pooled loss", "suggested", "interval"} <= set(labels)
    assert axes.get_xscale() == "log"
