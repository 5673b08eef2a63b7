"""The one door of every result: print it, plot it, save it, look at it in a notebook."""

import abc
import pathlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from keras_lr.report import _data, _notebook, _page, _picture, _text
from keras_lr.report._parts import Chart, Part


class Shown(abc.ABC):
    """A result that can be printed, plotted and saved, because it says once, in `report`, what it has to show.

    A notebook shows it as it prints, with its charts below where matplotlib is installed.

    Example:
    >>> from dataclasses import dataclass
    >>> from keras_lr import report
    >>> @dataclass(frozen=True, repr=False)
    ... class Pick(report.Shown):
    ...     rate: float
    ...     def report(self):
    ...         return report.Report("Pick", [report.Facts({"learning rate": self.rate})])
    >>> print(Pick(0.01))
    Pick
    ====
    <BLANKLINE>
    learning rate  0.01
    """

    @abc.abstractmethod
    def report(self) -> "Report":
        """Return all that this result has to show."""

    def __str__(self) -> str:
        report = self.report()
        return _text.text(report.title, report.parts)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:  # what notebooks ask for
        report = self.report()
        return _notebook.notebook(report.title, report.parts)

    def plot(self, ax: Any = None) -> tuple[Any, ...]:
        """Draw the charts with matplotlib.

        Args:
            ax: the axes to draw on, one a chart (a single `Axes` for a single chart). Default `None`: a new figure.

        Returns:
            The axes, one a chart; `.plot()[0].figure.savefig("race.png")` keeps the picture.

        Raises:
            ImportError: matplotlib is not installed.
            ValueError: there are more or fewer axes than charts.
        """
        charts = [part for part in self.report().parts if isinstance(part, Chart)]
        return _picture.picture(charts, ax)

    def save(self, path: str | pathlib.Path) -> None:
        """Write one self-contained page (`.html`) or the data that it shows (`.json`).

        The page needs no network. The same result gives the same bytes.

        Args:
            path: ends in `.html` or `.json`; a file that is there is replaced.

        Raises:
            ImportError: plotly or jinja2 is not installed (for a page).
            TypeError: what was given is no path.
            ValueError: the path ends otherwise.
        """
        if not isinstance(path, str | pathlib.PurePath):
            raise TypeError(f"path={path!r}: give the path of a page, 'report.html', or of data, 'report.json'.")
        path = pathlib.Path(path)
        match path.suffix.lower():
            case ".html":
                report = self.report()
                content = _page.page(report.title, report.parts)
            case ".json":
                content = self.to_json()
            case _:
                raise ValueError(
                    f"path={str(path)!r} ends in {path.suffix!r}; a result is saved as a page, 'report.html', or as "
                    "data, 'report.json'."
                )
        path.write_text(content, encoding="utf-8", newline="\n")

    def to_json(self) -> str:
        """Return what `report` says as JSON; `Report.from_json` reads it back."""
        report = self.report()
        return _data.to_json(report.title, report.parts)


@dataclass(frozen=True, eq=False, repr=False)
class Report(Shown):
    """A title and its parts, in the order in which they are shown; several results may be put into one.

    Args:
        title: what the whole is.
        parts: `Text`, `Facts`, `Table`, `Chart`.

    Example:
    >>> from keras_lr.report import Facts, Report
    >>> report = Report("Pick", [Facts({"learning rate": 0.01, "steps": 1200})])
    >>> str(Report.from_json(report.to_json())) == str(report)
    True
    """

    title: str
    parts: Sequence[Part]

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", tuple(self.parts))

    def report(self) -> "Report":
        """Return itself."""
        return self

    @classmethod
    def from_json(cls, text: str) -> "Report":
        """Read what `to_json` wrote.

        Raises:
            ValueError: the text is not such a report.
        """
        return cls(*_data.from_json(text))
