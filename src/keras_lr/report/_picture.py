"""Charts as a picture, with matplotlib."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_lr.report._drawable import Drawable, colour, colour_index, dash, drawable, drawable_marks, drawable_spans
from keras_lr.report._extras import needed
from keras_lr.report._parts import Band, Chart, Line, Points

_WIDTH, _HEIGHT = 7.0, 3.6  # inches, of one chart
_DASHES = {"solid": "-", "dash": "--", "dot": ":"}


def picture(charts: Sequence[Chart], ax: Any = None) -> tuple[Any, ...]:
    """Draw each chart on its own axes, below one another in a new figure if none are given."""
    if not charts:
        raise ValueError("There is nothing to plot: this result holds no chart; print(result) shows what it holds.")
    if ax is None:
        pyplot = needed("matplotlib.pyplot", "plot", "Plotting")
        _, grid = pyplot.subplots(len(charts), 1, figsize=size(charts), squeeze=False, layout="constrained")
        axes = list(grid[:, 0])
    else:
        axes = list(np.ravel(ax))
    if len(axes) != len(charts):
        titles = ", ".join(repr(chart.title) for chart in charts)
        raise ValueError(f"ax holds {len(axes)} axes, but there are {len(charts)} charts: {titles}; give one a chart.")
    for chart, axis in zip(charts, axes, strict=True):
        _draw(chart, axis)
    return tuple(axes)


def size(charts: Sequence[Chart]) -> tuple[float, float]:
    """Return how wide and how high a figure of some charts below one another is, in inches."""
    return _WIDTH, _HEIGHT * len(charts)


def _draw(chart: Chart, ax: Any) -> None:
    # Scales come first: what is drawn later sets the limits in them.
    ax.set_xscale("log" if chart.log_x else "linear")
    ax.set_yscale("log" if chart.log_y else "linear")
    for i, band in enumerate(chart.bands):
        _draw_band(band, colour(colour_index(band.name, i, chart), chart), chart, ax)
    for i, line in enumerate(chart.lines):
        _draw_line(line, colour(i, chart), _DASHES[dash(i, chart)], chart, ax)
    for i, points in enumerate(chart.points):
        _draw_points(points, colour(colour_index(points.name, i, chart), chart), chart, ax)
    for span in drawable_spans(chart):
        ax.axvspan(span.low, span.high, color="0.5", alpha=0.18, linewidth=0, label=_name(span.name))
    for i, mark in enumerate(drawable_marks(chart)):
        ax.axvline(mark.x, color="0.35", linestyle=("--", "-.", ":")[i % 3], linewidth=1.2, label=_name(mark.name))
    ax.set_title(_name(chart.title), loc="left", fontsize="medium")
    ax.set_xlabel(_name(chart.x_label))
    ax.set_ylabel(_name(chart.y_label))
    if chart.counts:
        ax.locator_params(axis="x", integer=True)
    ax.grid(alpha=0.25)
    if ax.get_legend_handles_labels()[1]:
        ax.legend(fontsize="small", ncols=1 + len(chart.lines) // 7)


def _draw_line(line: Line, ink: str, style: str, chart: Chart, ax: Any) -> None:
    shown = drawable(line, chart)
    marker = "o" if np.count_nonzero(np.isfinite(shown.y)) == 1 else None
    ax.plot(shown.x, shown.y, color=ink, linestyle=style, linewidth=1.6, marker=marker, label=_name(line.name))
    _draw_lost(shown, ink, ax)


def _draw_points(points: Points, ink: str, chart: Chart, ax: Any) -> None:
    shown = drawable(points, chart)
    label = None if any(line.name == points.name for line in chart.lines) else _name(points.name)
    ax.plot(shown.x, shown.y, color=ink, linestyle="none", marker="o", markersize=4, alpha=0.8, label=label)
    _draw_lost(shown, ink, ax)


def _draw_lost(shown: Drawable, ink: str, ax: Any) -> None:
    """Put a cross on the upper edge where values are not finite."""
    if len(shown.lost_x):
        edge, transform = np.ones_like(shown.lost_x), ax.get_xaxis_transform()
        style = {"color": ink, "linestyle": "none", "marker": "x", "clip_on": False, "transform": transform}
        (crosses,) = ax.plot(shown.lost_x, edge, **style)
        crosses.set_in_layout(False)  # what hangs over the edge would make the layout collapse


def _draw_band(band: Band, ink: str, chart: Chart, ax: Any) -> None:
    low = drawable(Line(band.name, band.x, band.low), chart)
    high = drawable(Line(band.name, band.x, band.high), chart)
    ax.fill_between(low.x, low.y, high.y, color=ink, alpha=0.2, linewidth=0)


def _name(words: str) -> str:
    # A dollar sign would start a formula, and a leading underscore would hide the name from the legend.
    escaped = words.replace("$", r"\$")
    return f" {escaped}" if escaped.startswith("_") else escaped
