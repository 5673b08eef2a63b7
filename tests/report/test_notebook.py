"""What a notebook shows of a result."""

import base64
import html
import re
import sys

import pytest
from matplotlib import pyplot

from keras_lr.report import Chart, Facts, Report

SHOWN = re.compile(r'<pre>([^<>]*)</pre><img src="data:image/png;base64,([^"]+)" alt="([^"<>]+)">')


@pytest.mark.parametrize("name", ["race_report", "hostile_report"])
def test_it_is_the_text_and_a_picture_of_the_charts_that_is_shown_once(name, request):
    report = request.getfixturevalue(name)
    open_before = pyplot.get_fignums()
    text, image, described = SHOWN.fullmatch(report._repr_html_()).groups()
    assert html.unescape(text) == str(report)
    assert base64.b64decode(image).startswith(b"\x89PNG")
    assert all(part.title in html.unescape(described) for part in report.parts if isinstance(part, Chart))
    assert pyplot.get_fignums() == open_before  # a notebook shows those that are open


def test_without_charts_or_matplotlib_it_is_the_text(race_report, monkeypatch):
    assert Report("r", [Facts({"steps": 3})])._repr_html_() == "<pre>r\n=\n\nsteps  3</pre>"
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert race_report._repr_html_().endswith("</pre>")
