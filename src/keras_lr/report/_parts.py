"""What a result can say: text, facts, tables and charts, as plain values that know nothing of how they are drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

Cell = str | int | float | None
Numbers = np.ndarray | Sequence[float]


@dataclass(frozen=True)
class Text:
    """A paragraph.

    Args:
        text: its words; where lines break is up to what shows it.

    Example:
    >>> from keras_lr.report import Report, Text
    >>> print(Report("Pick", [Text("Between 0.01 and 0.1 the losses are alike.")]))
    Pick
    ====
    <BLANKLINE>
    Between 0.01 and 0.1 the losses are alike.
    """

    text: str


@dataclass(frozen=True)
class Facts:
    """Single values, each with its name; the first is the one that matters most.

    Args:
        values: a value for each name (with its unit).
        title: a heading, or nothing.

    Example:
    >>> from keras_lr.report import Facts
    >>> Facts({"peak learning rate": 0.003, "steps": 1200}).values["steps"]
    1200
    """

    values: Mapping[str, Cell]
    title: str = ""

    def __post_init__(self) -> None:
        values = {name: _plain(value) for name, value in dict(self.values).items()}
        object.__setattr__(self, "values", MappingProxyType(values))

    def __reduce__(self) -> tuple[Any, ...]:  # a view of a dictionary can neither be copied nor travel
        return Facts, (dict(self.values), self.title)


@dataclass(frozen=True)
class Table:
    """Rows of cells under named columns.

    Args:
        title: a heading.
        columns: the names of the columns, with their units.
        rows: a cell is a text, a number or None. Numbers are shown with four digits; NaN and infinity are allowed.
        note: a sentence below the table.

    Raises:
        ValueError: a row has more or fewer cells than there are columns.

    Example:
    >>> from keras_lr.report import Report, Table
    >>> rows = [(0.01, 0.5, "best"), (0.1, float("inf"), "diverged")]
    >>> print(Report("Race", [Table("Lanes", ("rate", "mean loss", ""), rows, note="Of 20 batches.")]))
    Race
    ====
    <BLANKLINE>
    Lanes
    rate  mean loss
    -------------------------
    0.01        0.5  best
     0.1        inf  diverged
    Of 20 batches.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", tuple(self.columns))
        object.__setattr__(self, "rows", tuple(tuple(_plain(cell) for cell in row) for row in self.rows))
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(
                    f"Table {self.title!r}: the row {row} has {len(row)} cells, but there are "
                    f"{len(self.columns)} columns {self.columns}; give one cell a column, None where there is none."
                )


@dataclass(frozen=True, eq=False)
class _Series:
    name: str
    x: Numbers
    y: Numbers

    def __post_init__(self) -> None:
        _keep_numbers(self, "x", "y")


class Line(_Series):
    """Values joined in their order, shapes `(n,)`; one that is not finite makes a gap, with a cross above it.

    Args:
        name: what the legend calls it.
        x, y: the values on the two axes.

    Raises:
        ValueError: `x` and `y` are no sequences of numbers of one length.

    Example:
    >>> from keras_lr.report import Line
    >>> Line("loss", [1, 2, 3], [0.9, float("inf"), 0.7]).y.tolist()
    [0.9, inf, 0.7]
    """


class Points(_Series):
    """Values each on its own, shapes `(n,)`; one that is not finite becomes a cross on the upper edge.

    Args:
        name: what the legend calls them; those of a line of the same name have its colour.
        x, y: the values on the two axes.

    Raises:
        ValueError: `x` and `y` are no sequences of numbers of one length.

    Example:
    >>> from keras_lr.report import Points
    >>> Points("lanes", [0.01, 0.1], [0.5, float("inf")]).x.tolist()
    [0.01, 0.1]
    """


@dataclass(frozen=True, eq=False)
class Band:
    """The area between `low` and `high`, shapes `(n,)`, in the colour of the line of the same name.

    Raises:
        ValueError: `x`, `low` and `high` are no sequences of numbers of one length.

    Example:
    >>> from keras_lr.report import Band, Chart, Line
    >>> line, band = Line("loss", [1, 2], [0.9, 0.7]), Band("loss", [1, 2], [0.8, 0.6], [1.0, 0.9])
    >>> chart = Chart("Loss of three seeds", "epoch", "loss", lines=[line], bands=[band])
    >>> chart.bands[0].low.tolist(), chart.bands[0].high.tolist()
    ([0.8, 0.6], [1.0, 0.9])
    """

    name: str
    x: Numbers
    low: Numbers
    high: Numbers

    def __post_init__(self) -> None:
        _keep_numbers(self, "x", "low", "high")


@dataclass(frozen=True)
class Mark:
    """A place on the horizontal axis: the pick.

    Args:
        name: what the legend calls it.
        x: where.

    Example:
    >>> from keras_lr.report import Mark
    >>> Mark("best", 0.03)
    Mark(name='best', x=0.03)
    """

    name: str
    x: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "x", float(self.x))


@dataclass(frozen=True)
class Span:
    """A stretch of the horizontal axis: the interval around a pick.

    Args:
        name: what the legend calls it.
        low, high: its ends.

    Example:
    >>> from keras_lr.report import Span
    >>> Span("as good as the best", 0.01, 0.1)
    Span(name='as good as the best', low=0.01, high=0.1)
    """

    name: str
    low: float
    high: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "low", float(self.low))
        object.__setattr__(self, "high", float(self.high))


@dataclass(frozen=True, eq=False)
class Chart:
    """One pair of axes and what is drawn on it.

    Args:
        title: what the chart shows.
        x_label, y_label: the names of the axes, with units.
        lines, points, bands, marks, spans: what is drawn.
        log_x, log_y: whether the axes are logarithmic; what is not positive is then left out.
        ordered: the lines are a family in an order (rates from low to high), so their colours run along one scale.
        note: a sentence below the chart.

    Example:
    >>> from keras_lr.report import Chart, Line, Mark, Report
    >>> losses = Line("loss", [1, 2, 3], [0.9, 0.7, 0.8])
    >>> chart = Chart("Losses of a run", "epoch", "loss", lines=[losses], marks=[Mark("best", 2)])
    >>> (axes,) = Report("Run", [chart]).plot()
    >>> axes.get_xlabel(), axes.get_ylabel()
    ('epoch', 'loss')
    """

    title: str
    x_label: str
    y_label: str
    lines: Sequence[Line] = ()
    points: Sequence[Points] = ()
    bands: Sequence[Band] = ()
    marks: Sequence[Mark] = ()
    spans: Sequence[Span] = ()
    log_x: bool = False
    log_y: bool = False
    ordered: bool = False
    note: str = ""

    def __post_init__(self) -> None:
        for name in ("lines", "points", "bands", "marks", "spans"):
            object.__setattr__(self, name, tuple(getattr(self, name)))

    @property
    def counts(self) -> bool:
        """Whether the horizontal axis counts something whole, such as steps or epochs."""
        drawn = [*self.lines, *self.points]
        return bool(drawn) and not self.log_x and all(np.all(values.x == np.rint(values.x)) for values in drawn)


Part = Text | Facts | Table | Chart


def _keep_numbers(part: Any, *names: str) -> None:
    for name in names:
        value = np.array(getattr(part, name), dtype=np.float64)
        value.setflags(write=False)
        object.__setattr__(part, name, value)
    shapes = {name: getattr(part, name).shape for name in names}
    if any(len(shape) != 1 for shape in shapes.values()) or len(set(shapes.values())) > 1:
        kind = type(part).__name__
        raise ValueError(f"{kind} {part.name!r} has the shapes {shapes}; give sequences of numbers of one length.")


def _plain(cell: Any) -> Cell:
    """Return Python's own number for a number of NumPy or of a framework."""
    if cell is None or type(cell) in (str, int, float, bool):
        return cell
    return np.asarray(cell).item()
