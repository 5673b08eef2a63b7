"""Other libraries' rules give their libraries' own answers, which tests/oracles/record_suggestions.py recorded."""

import json
import math
import pathlib

import numpy as np
import pytest

from keras_lr.finder import RULES
from keras_lr.finder._suggest import NoAnswer

RECORDED = json.loads((pathlib.Path(__file__).parents[1] / "oracles" / "suggestions.json").read_text())
CASES = [
    (library, curve, rule)
    for library in RECORDED["versions"]
    for curve, found in RECORDED[library].items()
    for rule in found.get("answers", {})
]


@pytest.mark.parametrize(("library", "curve", "rule"), CASES)
def test_the_answer_is_the_librarys_own(library, curve, rule):
    found = RECORDED[library][curve]
    rates = np.array(found["rates"])
    losses = np.array([float(loss) for loss in RECORDED["curves"][curve]])[: len(rates)]
    answer = found["answers"][rule]
    if answer is None:
        with pytest.raises(NoAnswer):
            RULES[rule](rates, losses, 100)
    elif math.isnan(losses[-1]) and rule in NOT_DEFINED_AFTER_NAN:
        assert RULES[rule](rates, losses, 100) < rates[88]
    else:
        assert RULES[rule](rates, losses, 100) == pytest.approx(answer, rel=1e-5)


# Their argmin falls on the first NaN; ours ends the curve before it.
NOT_DEFINED_AFTER_NAN = {"torch_lr_finder", "ignite", "ktrain_minimum", "ktrain_steepest", "ktrain_valley"}


def test_every_rule_was_recorded():
    assert {rule for _, _, rule in CASES} == set(RULES)


RATES = np.geomspace(1e-7, 10, 100)
DESCENT = 2 - 1.5 / (1 + (0.01 / RATES)) + np.minimum((RATES / 0.3) ** 3, 50)


@pytest.mark.parametrize("rule", sorted(set(RULES) - {"slide"}))
def test_only_slide_depends_on_the_unit_of_the_loss(rule):
    assert RULES[rule](RATES, 1000 * DESCENT) == pytest.approx(RULES[rule](RATES, DESCENT))


def test_slide_depends_on_the_unit_of_the_loss():
    assert RULES["slide"](RATES, 0.1 * DESCENT) != pytest.approx(RULES["slide"](RATES, DESCENT))


@pytest.mark.parametrize("rule", RULES)
def test_too_short_a_curve_has_no_answer(rule):
    if rule in ("ktrain_valley", "ktrain_minimum"):
        pytest.skip("ktrain cuts nothing: two steps suffice")
    with pytest.raises(NoAnswer):
        RULES[rule](RATES[:2], DESCENT[:2])


def test_the_slope_over_the_rate_picks_lower_rates_than_the_slope_per_step():
    # Lightning-AI/pytorch-lightning#21141: the change of version 2.5.3
    losses = 2 - 1.5 / (1 + 0.01 / RATES)
    assert 20 * RULES["lightning"](RATES, losses) < RULES["lightning_2_5_2"](RATES, losses)
