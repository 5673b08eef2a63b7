"""A chart in the terms of Plotly, as plain values. What depends on a light or dark page is left to the page."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from keras_lr.report._drawable import colour, colour_index, dash, drawable, drawable_marks, drawable_spans
from keras_lr.report._parts import Band, Chart, Line, Points

_GREY = "#808080"
_UPRIGHT = {"yref": "paper", "y0": 0, "y1": 1}


@dataclass(frozen=True)
class Entry:
    """One line of a legend.

    Attributes:
        name: what is shown.
        ink: its colour, `#rrggbb`.
        style: how its swatch looks: `solid`, `dash`, `dot`, `points`, `mark` or `span`.
        traces: the indices of what it shows and hides; none for a mark or a span.
    """

    name: str
    ink: str
    style: str
    traces: list[int] = field(default_factory=list)


def figure(chart: Chart) -> tuple[dict[str, Any], list[Entry]]:
    """Return `data` and `layout` for Plotly, and the entries of the legend."""
    legend: dict[str, Entry] = {}
    data: list[dict[str, Any]] = []

    def add(name: str, ink: str, style: str, *traces: dict[str, Any]) -> None:
        entry = legend.setdefault(name, Entry(name, ink, style))
        entry.traces.extend(range(len(data), len(data) + len(traces)))
        data.extend(traces)

    for i, line in enumerate(chart.lines):
        ink, style = colour(i, chart), dash(i, chart)
        add(line.name, ink, style, _line(line, ink, style, chart), *_lost(line, ink, chart))
    for i, points in enumerate(chart.points):
        ink = colour(colour_index(points.name, i, chart), chart)
        add(points.name, ink, "points", _points(points, ink, chart), *_lost(points, ink, chart))
    for i, band in enumerate(chart.bands):
        ink = colour(colour_index(band.name, i, chart), chart)
        add(band.name, ink, "span", *_band(band, ink, chart))
    shapes = _shapes(chart)
    entries = [*legend.values()]
    entries += [Entry(span.name, _GREY, "span") for span in drawable_spans(chart)]
    entries += [Entry(mark.name, _GREY, "mark") for mark in drawable_marks(chart)]
    return {"data": data, "layout": _layout(chart, shapes)}, entries


def _line(line: Line, ink: str, style: str, chart: Chart) -> dict[str, Any]:
    shown = drawable(line, chart)
    alone = np.count_nonzero(np.isfinite(shown.y)) == 1
    stroke = {"color": ink, "dash": style, "width": 2}
    return _trace(line.name, shown.x, shown.y, mode="lines+markers" if alone else "lines", line=stroke)


def _points(points: Points, ink: str, chart: Chart) -> dict[str, Any]:
    shown = drawable(points, chart)
    return _trace(points.name, shown.x, shown.y, mode="markers", marker={"color": ink, "size": 6, "opacity": 0.8})


def _band(band: Band, ink: str, chart: Chart) -> list[dict[str, Any]]:
    low = drawable(Line(band.name, band.x, band.low), chart)
    high = drawable(Line(band.name, band.x, band.high), chart)
    both = np.isfinite(low.y) & np.isfinite(high.y)
    unseen: dict[str, Any] = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
    red, green, blue = (int(ink[i : i + 2], 16) for i in (1, 3, 5))
    filled = {"fill": "tonexty", "fillcolor": f"rgba({red},{green},{blue},0.2)"}
    # Plotly fills up to the trace before this one.
    return [
        _trace(band.name, low.x[both], low.y[both], **unseen),
        _trace(band.name, high.x[both], high.y[both], **unseen, **filled),
    ]


def _lost(values: Line | Points, ink: str, chart: Chart) -> list[dict[str, Any]]:
    """Return crosses on the upper edge, where values are not finite."""
    lost = drawable(values, chart).lost_x
    if not len(lost):
        return []
    cross = {"color": ink, "symbol": "x-thin", "size": 8, "line": {"color": ink, "width": 2}}
    trace = _trace(f"{values.name}: not finite", lost, np.ones_like(lost), mode="markers", marker=cross)
    return [trace | {"yaxis": "y2", "cliponaxis": False, "hoverinfo": "name+x"}]


def _trace(name: str, x: np.ndarray, y: np.ndarray, **drawn: Any) -> dict[str, Any]:
    return {"type": "scatter", "name": _literal(name), "x": _numbers(x), "y": _numbers(y), **drawn}


def _shapes(chart: Chart) -> list[dict[str, Any]]:
    area = {"type": "rect", "layer": "below", "fillcolor": _GREY, "opacity": 0.18, "line": {"width": 0}}
    stroke = {"type": "line", "line": {"color": _GREY, "width": 2, "dash": "dash"}}
    shapes = [area | _UPRIGHT | {"x0": span.low, "x1": span.high} for span in drawable_spans(chart)]
    return shapes + [stroke | _UPRIGHT | {"x0": mark.x, "x1": mark.x} for mark in drawable_marks(chart)]


def _layout(chart: Chart, shapes: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "xaxis": _axis(chart.x_label, chart.log_x) | _whole_ticks(chart),
        "yaxis": _axis(chart.y_label, chart.log_y),
        "yaxis2": {"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True},
        "shapes": shapes,
        "showlegend": False,
        "hovermode": "closest",
        "margin": {"l": 10, "r": 16, "t": 16, "b": 10},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
    }


def _axis(label: str, log: bool) -> dict[str, Any]:
    grid = "rgba(128,128,128,0.25)"
    return {
        "title": {"text": _literal(label)},
        "type": "log" if log else "linear",
        "exponentformat": "power",  # no "k" or "M" behind numbers of steps
        "automargin": True,
        "gridcolor": grid,
        "zeroline": False,
    }


def _whole_ticks(chart: Chart) -> dict[str, Any]:
    """Return ticks one apart where Plotly would count in halves."""
    if not chart.counts:
        return {}
    x = np.concatenate([np.asarray(values.x) for values in (*chart.lines, *chart.points)])
    return {"dtick": 1} if len(x) and np.ptp(x) <= 10 else {}


def _numbers(values: np.ndarray) -> list[float | None]:
    return [number if math.isfinite(number) else None for number in values.tolist()]


def _literal(words: str) -> str:
    """Escape what Plotly would read as markup."""
    return words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
