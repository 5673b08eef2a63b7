"""A report as one HTML page that carries everything it needs, Plotly included: same report, same bytes."""

import json
import pathlib
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np

from keras_lr.report._drawable import drawable
from keras_lr.report._extras import needed
from keras_lr.report._figure import figure
from keras_lr.report._numbers import is_number, written
from keras_lr.report._parts import Chart, Line, Part, Points, Table

_TEMPLATE = pathlib.Path(__file__).with_name("page.html")
# Inside a script element these would end the script or begin a comment.
_SAFE_IN_SCRIPT = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def page(title: str, parts: Sequence[Part]) -> str:
    """Return a complete HTML document."""
    jinja2, plotly = requirements()
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["written"] = written
    has_charts = any(isinstance(part, Chart) for part in parts)
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        title=title,
        parts=[_shown(part, i) for i, part in enumerate(parts)],
        plotly=plotly.get_plotlyjs() if has_charts else "",
    )


def requirements() -> tuple[ModuleType, ModuleType]:
    """Return the packages that a page needs, or raise `MissingExtra`."""
    return needed("jinja2", "report", "Saving a page"), needed("plotly.offline", "report", "Saving a page")


def _shown(part: Part, index: int) -> dict[str, Any]:
    """Return what the template shows of a part."""
    shown: dict[str, Any] = {"kind": type(part).__name__, "part": part, "id": f"part-{index}"}
    match part:
        case Table():
            shown["numeric"] = [all(is_number(row[i]) for row in part.rows) for i in range(len(part.columns))]
        case Chart():
            drawn, shown["legend"] = figure(part)
            shown["sentence"] = sentence(part)
            shown["figure"] = json.dumps(drawn, allow_nan=False, separators=(",", ":")).translate(_SAFE_IN_SCRIPT)
    return shown


def sentence(chart: Chart) -> str:
    """Say in words what a chart shows, for who cannot see it."""
    said = [f"{chart.title}: {chart.y_label} over {chart.x_label}."]
    said += [f"{_summary(line, chart)}." for line in chart.lines]
    said += [f"{_summary(points, chart)}." for points in chart.points]
    said += [f"{mark.name} at {written(mark.x)}." for mark in chart.marks]
    said += [f"{span.name} from {written(span.low)} to {written(span.high)}." for span in chart.spans]
    return " ".join(said)


def _summary(values: Line | Points, chart: Chart) -> str:
    shown = drawable(values, chart)
    lost = f", not finite from {written(float(shown.lost_x[0]))} on" if len(shown.lost_x) else ""
    if not np.any(np.isfinite(shown.y)):
        return f"{values.name}{lost or ', without a value'}"
    lowest = int(np.nanargmin(shown.y))
    return f"{values.name}, lowest {written(float(shown.y[lowest]))} at {written(float(shown.x[lowest]))}{lost}"
