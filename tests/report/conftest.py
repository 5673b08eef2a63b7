"""One report with everything that a renderer must bear: diverged lanes, gaps, hostile names."""

import numpy as np
import pytest

from keras_lr.report import Band, Chart, Facts, Line, Mark, Points, Report, Span, Table, Text

HOSTILE = """</script><script>alert("1")</script> & <img src=x onerror='alert(2)'> $x$ {{ 7 * 7 }}"""


def _race() -> list:
    rates = np.logspace(-4, 0, 5)
    scores = np.array([2.2, 0.5, 0.2, np.inf, np.nan])
    steps = np.arange(6)
    lanes = [
        Line(f"{rate:.0e}", steps, np.linspace(2.3, min(score, 9), 6))
        for rate, score in zip(rates, scores, strict=True)
    ]
    diverged = np.array([2.3, 4.0, 1e38, np.inf, np.nan, np.nan])
    return [
        Facts({"learning rate": 0.003, "steps": 12000, "interval": "0.001 to 0.01"}),
        Text("The race trained five short complete schedules."),
        Table(
            "Lanes",
            ("rate", "loss", "verdict"),
            [(*pair, "") for pair in zip(rates, scores, strict=True)],
            note="In nats.",
        ),
        Chart("Short runs", "step", "loss", lines=[*lanes[:3], Line("1e+00", steps, diverged)], ordered=True),
        Chart(
            "The race",
            "learning rate",
            "loss",
            lines=[Line("fit", rates[:3], scores[:3])],
            points=[Points("lanes", rates, scores)],
            bands=[Band("fit", rates[:3], scores[:3] - 0.1, scores[:3] + 0.1)],
            marks=[Mark("picked", 0.003), Mark("nowhere", float("nan"))],
            spans=[Span("interval", 0.001, 0.01), Span("endless", 0.1, float("inf"))],
            log_x=True,
            log_y=True,
        ),
    ]


@pytest.fixture
def race_report() -> Report:
    return Report("Learning rate race", _race())


@pytest.fixture
def hostile_report() -> Report:
    line = Line(HOSTILE, [0.0, 1.0], [1.0, 2.0])
    chart = Chart(
        HOSTILE, HOSTILE, HOSTILE, [line], marks=[Mark(HOSTILE, 0.5)], spans=[Span(HOSTILE, 0, 1)], note=HOSTILE
    )
    table = Table(HOSTILE, (HOSTILE,), [(HOSTILE,)], note=HOSTILE)
    return Report(HOSTILE, [Text(HOSTILE), Facts({HOSTILE: HOSTILE}, title=HOSTILE), table, chart])


@pytest.fixture
def hostile_words() -> str:
    return HOSTILE
