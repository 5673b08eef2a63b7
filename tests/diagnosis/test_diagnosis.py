"""What a diagnosis says and draws, from lanes and steps whose numbers are known."""

import numpy as np
import pytest

from keras_lr.diagnosis import Diagnosis, Judgement, Steps
from keras_lr.diagnosis._judgement import Verdict
from keras_lr.report import Chart, Facts, Table

pytestmark = pytest.mark.numpy_only

LEVELS = np.array([0.9, 0.5, 0.7, np.nan])
TOO_HIGH = Verdict(Judgement.TOO_HIGH, "It is.", 0.2, 0.1, 0.5)


def a_diagnosis(verdict=TOO_HIGH, **fields):
    losses = np.repeat(LEVELS[:, None], 8, axis=1)
    losses[:, :2] = 5.0  # the first quarter, which does not count
    one = np.ones(4)
    # Along the step the loss is 2 - t + t^2: lowest at a half.
    steps = Steps(2 * one, -one, 2 * one, one, one, one)
    given = {
        "learning_rate": 0.2,
        "verdict": verdict,
        "signals": (),
        "factors": np.array([0.1, 0.5, 1.0, 5.0]),
        "losses": losses,
        "still": np.full(8, 1.0),
        "steps": steps,
        "is_scheduled": False,
        "optimizer": "SGD",
        "horizon_steps": 100,
        "total_steps": 40,
    }
    return Diagnosis(**given | fields)


def part(diagnosis, kind, title):
    return next(p for p in diagnosis.report().parts if isinstance(p, kind) and p.title == title)


def test_the_table_of_the_rates_that_were_tried():
    table = part(a_diagnosis(), Table, "Rates that were tried")
    numbers = np.array([row[:3] for row in table.rows])
    np.testing.assert_allclose(
        numbers, [[0, 0, 1.0], [0.02, 0.1, 0.9], [0.1, 0.5, 0.5], [0.2, 1.0, 0.7], [1.0, 5.0, np.inf]]
    )
    assert [row[3] for row in table.rows] == ["no step", "", "best", "", "diverged"]
    assert table.note == "Mean loss of 8 batches from the present weights, without the first quarter."


@pytest.mark.parametrize(
    ("judgement", "numbers", "action"),
    [
        (Judgement.TOO_HIGH, (0.2, 0.1, 0.5), "is about 5 times too high (2 to 10). Try 0.04: "),
        (Judgement.TOO_HIGH, (0.2, 0.1, 2.0), "is probably about 5 times too high (0.5 to 10). Try 0.04: "),
        (Judgement.TOO_LOW, (4.0, 2.0, 8.0), "is about 4 times too low (2 to 8). Try 0.8: "),
        (Judgement.TOO_LOW, (4.0, 0.8, 8.0), "is probably about 4 times too low (0.8 to 8). Try 0.8: "),
        (Judgement.RIGHT, (1.2, 0.5, 2.0), "Keep it: the best rate is probably between 0.1 and 0.4."),
        (Judgement.UNDECIDED, (None, None, None), "Leave the rate, "),
    ],
)
def test_what_to_do_next(judgement, numbers, action):
    said = a_diagnosis(Verdict(judgement, "It is.", *numbers)).action
    assert action in said
    if "Try" in action:
        factor = numbers[0]
        assert f"keras_lr.set_learning_rate(model, {0.2 * factor:.2g})." in said
        scheduled = a_diagnosis(Verdict(judgement, "It is.", *numbers), is_scheduled=True).action
        assert f"keras_lr.scale_learning_rate(model, {factor:g})." in scheduled


def test_the_facts_come_with_the_verdict_first():
    facts = a_diagnosis().report().parts[0].values
    assert dict(facts) == {
        "verdict": "too high",
        "learning rate": 0.2,
        "multiply it by": "0.2",
        "interval": "0.1 to 0.5",
        "suggested learning rate": pytest.approx(0.04),
        "optimizer": "SGD",
        "steps of the diagnosis": 40,
        "steps of the run": 100,
    }
    undecided = a_diagnosis(Verdict(Judgement.UNDECIDED, "No telling."), is_scheduled=True).report().parts[0]
    assert isinstance(undecided, Facts)
    told = [undecided.values[name] for name in ("multiply it by", "interval", "suggested learning rate")]
    assert told == ["no telling", "", "none"]
    assert undecided.values["learning rate (highest to come)"] == 0.2


def test_the_chart_of_the_lanes():
    chart = part(a_diagnosis(), Chart, "Loss after a few steps at each rate")
    lanes, still = chart.lines
    np.testing.assert_allclose(lanes.x, [0.02, 0.1, 0.2, 1.0])
    np.testing.assert_allclose(lanes.y, [0.9, 0.5, 0.7, np.inf])
    np.testing.assert_allclose([still.x, still.y], [[0.02, 1.0], [1.0, 1.0]])
    assert [(mark.name, mark.x) for mark in chart.marks] == [("your rate", 0.2), ("suggested", pytest.approx(0.04))]
    (span,) = chart.spans
    assert (span.low, span.high) == pytest.approx((0.02, 0.1))
    untold = part(a_diagnosis(Verdict(Judgement.UNDECIDED, "")), Chart, "Loss after a few steps at each rate")
    assert [mark.name for mark in untold.marks] == ["your rate"]
    assert untold.spans == ()


def test_a_lane_that_ends_higher_above_the_start_than_the_best_below_is_a_cross():
    losses = np.repeat(np.array([0.6, 1.3, 1.5, 9.0])[:, None], 8, axis=1)
    lanes = part(a_diagnosis(losses=losses), Chart, "Loss after a few steps at each rate").lines[0]
    np.testing.assert_allclose(lanes.y, [0.6, 1.3, np.inf, np.inf])


def test_the_chart_of_the_step_is_the_parabola_of_its_slopes():
    chart = part(a_diagnosis(), Chart, "Loss of a batch along the step that was made on it")
    (parabola,), (ends,) = chart.lines, chart.points
    np.testing.assert_allclose(parabola.y, 2 - parabola.x + parabola.x**2)
    assert (parabola.x[0], parabola.x[-1]) == (0.0, 1.3)  # the step, and a little beyond
    np.testing.assert_allclose([ends.x, ends.y], [[0.0, 1.0], [2.0, 2.0]])
    assert [(mark.name, mark.x) for mark in chart.marks] == [("your step", 1.0), ("lowest", 0.5)]
    one = np.ones(4)
    short = a_diagnosis(steps=Steps(one, -one, one, -0.5 * one, one, one))  # half way down
    chart = part(short, Chart, "Loss of a batch along the step that was made on it")
    assert (chart.lines[0].x[-1], chart.marks[1].x) == (4.0, 2.0)


@pytest.mark.parametrize(("slope", "slope_after"), [(-1.0, -2.0), (1.0, 2.0)])
def test_where_the_step_has_no_lowest_point_none_is_marked(slope, slope_after):
    one = np.ones(4)
    steps = Steps(one, slope * one, one, slope_after * one, one, one)
    chart = part(a_diagnosis(steps=steps), Chart, "Loss of a batch along the step that was made on it")
    assert [mark.name for mark in chart.marks] == ["your step"]
    assert chart.lines[0].x[-1] == 2.0


def test_without_a_step_there_is_no_chart_of_one():
    charts = [p.title for p in a_diagnosis(steps=Steps.of(np.empty((0, 6)))).report().parts if isinstance(p, Chart)]
    assert charts == ["Loss after a few steps at each rate"]
