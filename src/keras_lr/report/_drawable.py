"""What of a chart's numbers can be drawn, and in which colours: shared by the picture and the page."""

import math
from dataclasses import dataclass

import numpy as np

from keras_lr.report._parts import Chart, Line, Mark, Points, Span

# After Okabe and Ito, "Color universal design" (2008), which colour-blind readers tell apart; made lighter or darker
# until each has a contrast of 3 to 1 to a white and to a dark page.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#c06a9e", "#a87c00", "#2d9bc4")
SCALE = ("#465ac8", "#1e96b4", "#2f9e5b", "#b8860b", "#d2463f")  # of an ordered family, low to high
DASHES = ("solid", "dash", "dot")


@dataclass(frozen=True, eq=False)
class Drawable:
    """A line's or points' numbers as they can be drawn.

    Attributes:
        x, y: the values, NaN where a line has a gap.
        lost_x: where values begin that are not finite (marked at the edge of the chart).
    """

    x: np.ndarray
    y: np.ndarray
    lost_x: np.ndarray


def drawable(values: Line | Points, chart: Chart) -> Drawable:
    """Split what has a place on the chart's axes from what has none."""
    x, y = np.asarray(values.x), np.asarray(values.y)
    has_x = np.isfinite(x) & ((x > 0) | (not chart.log_x))
    x, y = x[has_x], y[has_x]
    lost = ~np.isfinite(y)
    begins = lost & ~np.concatenate([[False], lost[:-1]]) if isinstance(values, Line) else lost
    gap = lost | ((y <= 0) & chart.log_y)
    return Drawable(x, np.where(gap, np.nan, y), x[begins])


def drawable_marks(chart: Chart) -> list[Mark]:
    """Return the marks that have a place on the horizontal axis."""
    return [mark for mark in chart.marks if _has_place(mark.x, chart)]


def drawable_spans(chart: Chart) -> list[Span]:
    """Return the spans that have a width, and whose ends have a place on the horizontal axis."""
    ends_have_places = [s for s in chart.spans if _has_place(s.low, chart) and _has_place(s.high, chart)]
    return [span for span in ends_have_places if span.low != span.high]


def _has_place(x: float, chart: Chart) -> bool:
    return math.isfinite(x) and (x > 0 or not chart.log_x)


def colour(index: int, chart: Chart) -> str:
    """Return the colour of the line with an index, as `#rrggbb`."""
    if not chart.ordered:
        return COLOURS[index % len(COLOURS)]
    place = index / max(len(chart.lines) - 1, 1) * (len(SCALE) - 1)
    anchors = np.array([[int(ink[c : c + 2], 16) for c in (1, 3, 5)] for ink in SCALE])
    channels = [np.interp(place, range(len(SCALE)), anchors[:, c]) for c in range(3)]
    return "#" + "".join(f"{round(float(channel)):02x}" for channel in channels)


def dash(index: int, chart: Chart) -> str:
    """Return the dash of the line with an index: it changes when the colours are used up."""
    return "solid" if chart.ordered else DASHES[index // len(COLOURS) % len(DASHES)]


def colour_index(name: str, index: int, chart: Chart) -> int:
    """Return the index of the line that a band or points belong to by name, or a new one behind the lines."""
    names = [line.name for line in chart.lines]
    return names.index(name) if name in names else len(names) + index
