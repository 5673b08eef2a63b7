"""What a sweep says of itself."""

import numpy as np
import pytest

from keras_lr.report import Chart, Report, Table
from keras_lr.trials import SweepResult
from keras_lr.trials._axis import is_wide, without_exploded

pytestmark = pytest.mark.numpy_only
RATES = np.array([1e-3, 1e-2, 1e-1, 1.0])
VALUES = np.array([[0.5, 0.6, 0.55], [0.2, 0.25, 0.22], [0.3, 0.2, 0.28], [np.inf, 0.9, np.inf]])


def a_result(values=VALUES, **fields):
    curves = np.repeat(np.where(np.isfinite(values), values, np.nan)[..., None], 4, axis=2)
    given = {"monitor": "val_loss", "higher_is_better": False, "optimizer": "SGD", "steps": 100} | fields
    return SweepResult(
        rates=RATES[: len(values)], seeds=tuple(range(values.shape[1])), values=values, curves=curves, **given
    )


def test_it_prints_every_rate_and_the_reason():
    result = a_result()
    printed = str(result)
    assert 0.01 < result.learning_rate < 0.1
    assert result.edge == 1.0
    for words in (
        "best learning rate",
        "2 of 3 diverged",
        "as good",
        "From 1 on runs diverge",
        "cannot tell the rates",
    ):
        assert words in printed
    assert result.reason.startswith("Of 4 rates from 0.001 to 1, 0.01 ended with the best val_loss, over 3 ")
    assert "over 3 seeds a median of 0.22; the parabola" in result.reason


def test_the_table_and_the_charts_show_medians_and_ranges():
    report = a_result(widened=2).report()
    (table,) = [part for part in report.parts if isinstance(part, Table)]
    assert table.columns == ("learning rate", "median val_loss", "lowest", "highest", "")
    assert table.rows == (
        (0.001, 0.55, 0.5, 0.6, ""),
        (0.01, 0.22, 0.2, 0.25, "best"),
        (0.1, 0.28, 0.2, 0.3, "as good"),
        (1.0, np.inf, 0.9, 0.9, "2 of 3 diverged"),
    )
    u_chart, learning = [part for part in report.parts if isinstance(part, Chart)]
    np.testing.assert_array_equal(u_chart.lines[0].y, [0.55, 0.22, 0.28, np.nan])
    np.testing.assert_array_equal(u_chart.points[0].x, np.repeat(RATES, 3))
    np.testing.assert_array_equal(u_chart.points[0].y, np.where(np.isfinite(VALUES), VALUES, np.nan).ravel())
    result = a_result()
    marks = [("best", result.learning_rate), ("first divergence", 1.0)]
    assert [(mark.name, mark.x) for mark in u_chart.marks] == marks
    assert [(span.low, span.high) for span in u_chart.spans] == [(result.low, result.high)]
    assert [line.name for line in learning.lines] == ["0.001", "0.01", "0.1", "1"]
    np.testing.assert_array_equal(learning.lines[1].x, [1, 2, 3, 4])
    np.testing.assert_array_equal(learning.lines[1].y, [0.22] * 4)


def test_a_higher_accuracy_is_better():
    values = np.where(np.isfinite(VALUES), 1 - VALUES, -np.inf)
    result, mirrored = a_result(values, monitor="val_accuracy", higher_is_better=True), a_result()
    assert result.learning_rate == pytest.approx(mirrored.learning_rate)
    assert (result.low, result.high, result.edge) == (mirrored.low, mirrored.high, mirrored.edge)
    assert "higher is better" in str(result)


def test_a_border_that_stays_is_said():
    result = a_result(VALUES[:2], widened=6)
    assert result.at_border
    assert "highest rate that was tried, also after 6 further rungs: a better one may lie beyond" in result.reason


def test_one_seed_is_said():
    assert "One seed cannot tell" in a_result(VALUES[:, 1:2]).reason


def test_seeds_that_all_gave_the_same_are_said():
    equal = a_result(np.repeat(VALUES[:3, :1], 3, axis=1))
    assert "All 3 seeds gave the same numbers" in equal.reason
    assert "cannot tell the rates apart" not in equal.reason
    for other in (a_result(VALUES[:, :1]), a_result()):
        assert "gave the same numbers" not in other.reason


def test_it_draws_and_saves(tmp_path):
    result = a_result()
    axes = result.plot()
    assert axes[0].get_title(loc="left") == "val_loss at the end of whole runs"
    assert axes[0].get_xscale() == "log"
    result.save(tmp_path / "sweep.html")
    result.save(tmp_path / "sweep.json")
    assert str(Report.from_json((tmp_path / "sweep.json").read_text("utf-8"))) == str(result)


def test_values_far_apart_are_drawn_on_a_logarithmic_axis():
    assert a_result(np.array([[0.1], [0.01], [3.0], [0.4]])).plot()[0].get_yscale() == "log"
    assert a_result().plot()[0].get_yscale() == "linear"


def test_what_has_exploded_does_not_press_the_rest_flat():
    far = np.array([[0.6, 0.5], [0.4, 0.3], [0.7, 1e9], [1e20, 1e21]])
    u_chart, learning = [part for part in a_result(far).report().parts if isinstance(part, Chart)]
    np.testing.assert_array_equal(np.isnan(u_chart.points[0].y), [False] * 5 + [True] * 3)
    np.testing.assert_array_equal(np.isnan(u_chart.lines[0].y), [False, False, True, True])
    assert u_chart.note == learning.note == "Crosses: not finite, or more than 10,000 times the median of all values."
    assert not u_chart.log_y
    assert a_result().report().parts[3].note.startswith("Crosses")  # a run diverged
    assert a_result(VALUES[:3]).report().parts[3].note == ""


@pytest.mark.numpy_only
@pytest.mark.parametrize(
    ("values", "wide"),
    [
        ([1.0, 20.5], True),
        ([1.0, 20.0], False),
        ([0.0, 20.5], False),
        ([-1.0, 20.5], False),
        ([np.inf, 1.0, 2.0, np.nan], False),
        ([np.nan], False),
        ([], False),
    ],
)
def test_an_axis_is_logarithmic_where_values_above_zero_reach_far(values, wide):
    assert is_wide(np.array(values)) is wide


@pytest.mark.numpy_only
def test_values_beyond_what_a_chart_can_show_are_left_out():
    values = np.array([0.0, 1.0, -2.0, 3.0, 2e4, -2.1e4, np.inf, np.nan])
    shown = without_exploded(values, np.array([0.0, 0.0, 0.0, 2.0, 2.0, np.nan]))
    np.testing.assert_array_equal(shown, [0.0, 1.0, -2.0, 3.0, 2e4, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(without_exploded(values[:2], np.zeros(2)), [0.0, 1.0])
