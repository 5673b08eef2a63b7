"""A report as one page, read as text and as HTML; how it looks is for a person with a browser."""

import json
from html.parser import HTMLParser

import numpy as np
import pytest
from plotly.offline import get_plotlyjs

from keras_lr.report import Chart, Line, Report, Table
from keras_lr.report._drawable import COLOURS, SCALE, colour
from keras_lr.report._page import _shown, sentence

VOID = {"meta", "link", "circle", "rect", "path"}


class Page(HTMLParser):
    """Collects the elements of a page and checks that they are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict]] = []
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        kept = self.scripts if self._open and self._open[-1] == "script" else self.texts
        kept.append(data)

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.elements if name == tag]

    def figures(self) -> list[dict]:
        return [json.loads(script) for script in self.scripts if script.startswith('{"data"')]


def saved(report: Report, folder, name: str = "report.html") -> str:
    report.save(folder / name)
    return (folder / name).read_text(encoding="utf-8")


def test_the_same_report_gives_the_same_bytes(race_report, tmp_path):
    assert saved(race_report, tmp_path) == saved(race_report, tmp_path, "again.html")


def test_the_page_needs_nothing_from_elsewhere(race_report, tmp_path):
    text = saved(race_report, tmp_path)
    assert text.count(get_plotlyjs()) == 1
    ours = text.replace(get_plotlyjs(), "")
    assert "http" not in ours
    assert "//" not in ours
    page = Page(text)
    assert all("src" not in attributes for _, attributes in page.elements)
    assert [link["href"] for link in page.all("link")] == ["data:,"]


def test_plotly_is_left_out_where_there_is_no_chart(race_report, tmp_path):
    text = saved(Report("r", race_report.parts[:3]), tmp_path)
    assert len(text) < 20_000
    assert Page(text).all("script") == []


def test_every_figure_is_labelled_and_described_in_words(race_report, tmp_path):
    page = Page(saved(race_report, tmp_path))
    assert [figure["aria-label"] for figure in page.all("figure")] == ["Short runs", "The race"]
    drawings = [e for e in page.all("div") if e.get("class") == "drawing"]
    assert [d["role"] for d in drawings] == ["img", "img"]
    assert "1e+00, lowest 2.3 at 0, not finite from 3 on." in drawings[0]["aria-label"]
    assert "picked at 0.003." in drawings[1]["aria-label"]
    assert all(cell.get("scope") == "col" for cell in page.all("th"))
    assert page.all("html") == [{"lang": "en"}]
    assert all(button["aria-pressed"] == "true" for button in page.all("button"))


def test_the_numbers_of_the_figures_are_those_of_the_report(race_report, tmp_path):
    runs, race = Page(saved(race_report, tmp_path)).figures()
    chart = race_report.parts[3]
    for trace, line in zip(runs["data"], chart.lines, strict=False):
        drawn = np.array(trace["y"], dtype=float)  # null becomes NaN
        np.testing.assert_array_equal(drawn, np.where(np.isfinite(line.y), line.y, np.nan))
    crosses = [trace for trace in race["data"] if trace.get("yaxis") == "y2"]
    assert [trace["x"] for trace in crosses] == [pytest.approx([0.1, 1.0])]
    assert race["layout"]["xaxis"]["type"] == "log"
    assert len(race["layout"]["shapes"]) == 2  # one span and one mark: what has no place on the axis is not drawn


def test_every_trace_is_shown_and_hidden_by_one_button(race_report, tmp_path):
    page = Page(saved(race_report, tmp_path))
    buttons = [json.loads(button["data-traces"]) for button in page.all("button")]
    traces = [len(figure["data"]) for figure in page.figures()]
    assert sorted(trace for traces_of_one in buttons for trace in traces_of_one) == sorted(
        [*range(traces[0]), *range(traces[1])]
    )


def test_hostile_names_are_text_and_nothing_else(hostile_report, hostile_words, tmp_path):
    text = saved(hostile_report, tmp_path)
    page = Page(text)
    assert page.all("img") == []
    assert len(page.all("script")) == 3  # the figure's data, Plotly, ours
    assert "49" not in "".join(page.texts)
    assert page.texts.count(hostile_words) >= 8
    (figure,) = page.figures()
    assert figure["data"][0]["name"].startswith("&lt;/script&gt;")  # Plotly reads a little HTML, too
    assert "<" not in json.dumps(figure)


def test_a_column_is_numeric_where_all_of_its_cells_are():
    table = Table("t", ("all", "some", "none"), [(1.0, 2, "a"), (3, "b", "c")])
    assert _shown(table, 0)["numeric"] == [True, False, False]


def test_the_page_is_made_for_light_dark_narrow_and_print(race_report, tmp_path):
    text = saved(race_report, tmp_path)
    for needed in ("prefers-color-scheme: dark", "width=device-width", "@media print", "overflow-x: auto"):
        assert needed in text


def _luminance(ink: str) -> float:
    channels = [int(ink[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_every_colour_can_be_seen_on_a_light_and_on_a_dark_page():
    # WCAG 2.2, 1.4.11: graphics have a contrast of 3 to 1.
    family = Chart("c", "x", "y", [Line(str(i), [0], [0]) for i in range(17)], ordered=True)
    for ink in {*COLOURS, *SCALE, *(colour(i, family) for i in range(17))}:
        assert 1.05 / (_luminance(ink) + 0.05) >= 3
        assert (_luminance(ink) + 0.05) / (_luminance("#14161a") + 0.05) >= 3


def test_an_ending_may_be_in_capitals(race_report, tmp_path):
    assert saved(race_report, tmp_path, "REPORT.HTML") == saved(race_report, tmp_path)


def test_another_ending_is_refused(race_report, tmp_path):
    with pytest.raises(ValueError, match=r"ends in '.pkl'; a result is saved as a page, 'report.html', or as data"):
        race_report.save(tmp_path / "report.pkl")


def test_a_line_of_which_nothing_can_be_drawn_is_said_to_have_no_value():
    lines = [Line("negative", [1, 2], [-1, -2]), Line("lost", [1, 2], [float("nan")] * 2), Line("empty", [], [])]
    said = sentence(Chart("c", "step", "loss", lines, log_y=True))
    for words in ("negative, without a value.", "lost, not finite from 1 on.", "empty, without a value."):
        assert words in said
