"""A report's charts, drawn with matplotlib."""

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")
from matplotlib import pyplot

from keras_lr.report import Band, Chart, Line, Mark, Points, Report, Span, Text
from keras_lr.report._drawable import SCALE, colour
from keras_lr.report._figure import figure


@pytest.fixture(autouse=True)
def _no_figures_left():
    yield
    pyplot.close("all")


def test_every_chart_gets_axes_with_its_labels_scales_and_lines(race_report):
    runs, race = race_report.plot()
    assert runs.get_title(loc="left") == "Short runs"
    assert (runs.get_xlabel(), runs.get_ylabel()) == ("step", "loss")
    assert (runs.get_xscale(), runs.get_yscale()) == ("linear", "linear")
    assert (race.get_xscale(), race.get_yscale()) == ("log", "log")
    names = [text.get_text() for text in race.get_legend().get_texts()]
    assert names == ["fit", "lanes", "interval", "picked"]


def test_what_is_not_finite_is_a_cross_on_the_upper_edge(race_report):
    runs, race = race_report.plot()
    (cross,) = [line for line in runs.lines if line.get_marker() == "x"]
    np.testing.assert_array_equal(cross.get_xdata(), [3])  # where the lane is first not finite, once
    np.testing.assert_array_equal(cross.get_ydata(), [1])
    (lost,) = [line for line in race.lines if line.get_marker() == "x"]
    np.testing.assert_allclose(lost.get_xdata(), [0.1, 1.0])
    race.figure.canvas.draw()


def test_hostile_names_are_drawn_as_they_are(hostile_report):
    (axes,) = hostile_report.plot()
    axes.figure.canvas.draw()
    assert r"\$x\$" in axes.get_title(loc="left")  # a bare "$" would start a formula


def test_given_axes_are_drawn_on():
    chart = Chart("c", "x", "y", [Line("_hidden", [0, 1], [0, 1])])
    _, given = pyplot.subplots()
    assert Report("r", [chart]).plot(given) == (given,)
    assert len(given.lines) == 1
    assert given.get_legend().get_texts()[0].get_text().strip() == "_hidden"


def test_another_number_of_axes_is_refused(race_report):
    _, given = pyplot.subplots()
    with pytest.raises(ValueError, match="ax holds 1 axes, but there are 2 charts: 'Short runs', 'The race'"):
        race_report.plot(given)


def test_a_result_without_charts_says_so():
    with pytest.raises(ValueError, match="holds no chart"):
        Report("r", [Text("t")]).plot()


def test_all_infinite_and_empty_lines_are_drawn():
    lines = [Line("lost", [1, 2], [np.inf, np.nan]), Line("empty", [], []), Line("negative", [1, 2], [-1, -2])]
    (axes,) = Report("r", [Chart("c", "x", "y", lines, log_x=True, log_y=True)]).plot()
    axes.figure.canvas.draw()


@pytest.mark.filterwarnings("error")
def test_a_chart_of_a_single_place_is_drawn_without_a_warning():
    line, mark, span = Line("median", [0.1], [1.0]), Mark("best", 0.1), Span("as good as the best", 0.1, 0.1)
    chart = Chart("c", "x", "y", [line], points=[Points("seeds", [0.1], [1.0])], marks=[mark], spans=[span], log_x=True)
    (axes,) = Report("r", [chart]).plot()
    axes.figure.canvas.draw()
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["median", "seeds", "best"]


def test_what_has_no_place_on_the_horizontal_axis_is_left_out():
    line = Line("l", [np.nan, -1.0, 0.0, 1.0, np.inf], [1.0, 2.0, 3.0, 4.0, 5.0])
    for log_x, places in ((False, [-1.0, 0.0, 1.0]), (True, [1.0])):
        (axes,) = Report("r", [Chart("c", "x", "y", [line], log_x=log_x)]).plot()
        assert axes.lines[0].get_xdata().tolist() == places


def test_an_axis_that_counts_shows_whole_numbers():
    epochs = Chart("Loss", "epoch", "loss", lines=[Line("loss", [1, 2, 3], [3.0, 2.0, 1.0])])
    (axis,) = Report("Run", [epochs]).plot()
    axis.figure.canvas.draw()
    assert all(tick == round(tick) for tick in axis.get_xticks())
    assert figure(epochs)[0]["layout"]["xaxis"]["dtick"] == 1
    long = Chart("Loss", "epoch", "loss", lines=[Line("loss", range(12), range(12))])
    assert "dtick" not in figure(long)[0]["layout"]["xaxis"]
    share = Chart("Loss", "share", "loss", lines=[Line("loss", [0.5, 1.0], [3.0, 2.0])])
    assert not share.counts
    assert "dtick" not in figure(share)[0]["layout"]["xaxis"]


def test_a_band_is_filled_where_both_of_its_ends_have_a_place():
    band = Band("b", [1, 2, 3], [1, np.nan, 1], [2, 2, np.inf])
    low, high = figure(Chart("c", "x", "y", bands=[band]))[0]["data"]
    assert (low["x"], low["y"], high["x"], high["y"]) == ([1], [1], [1], [2])


def test_what_has_one_name_has_one_line_in_the_legend():
    parts = {"points": [Points("loss", [1], [2])], "bands": [Band("loss", [1, 2], [1, 1], [2, 2])]}
    _, (entry,) = figure(Chart("c", "x", "y", [Line("loss", [1, 2], [1, 2])], **parts))
    assert (entry.style, entry.traces) == ("solid", [0, 1, 2, 3])


def test_points_of_a_lines_name_have_no_line_of_their_own_in_the_legend_of_a_picture():
    points = [Points("lanes", [1, 2], [3, 4]), Points("others", [1, 2], [3, 4])]
    (axes,) = Report("r", [Chart("c", "x", "y", [Line("lanes", [1, 2], [3, 4])], points)]).plot()
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["lanes", "others"]


def test_the_colours_of_a_family_run_from_one_end_of_the_scale_to_the_other():
    family = Chart("c", "x", "y", [Line(str(i), [0], [0]) for i in range(3)], ordered=True)
    assert (colour(0, family), colour(2, family)) == (SCALE[0], SCALE[-1])
