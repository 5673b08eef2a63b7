"""A report as plain text: small aligned tables. Charts are left to the picture and the page."""

import textwrap
from collections.abc import Sequence

from keras_lr.report._numbers import is_number, written
from keras_lr.report._parts import Cell, Chart, Facts, Part, Table, Text

_WIDTH, _LEAST_WIDTH = 100, 30


def text(title: str, parts: Sequence[Part]) -> str:
    """Return the lines of a report without trailing blanks."""
    blocks = [_underlined(title, "="), *(_block(part) for part in parts if not isinstance(part, Chart))]
    lines = "\n\n".join(block for block in blocks if block).split("\n")
    return "\n".join(line.rstrip() for line in lines)


def _block(part: Text | Facts | Table) -> str:
    match part:
        case Text():
            return textwrap.fill(_one_line(part.text), _WIDTH)
        case Facts():
            names = [_one_line(name) for name in part.values]
            width = max(map(len, names), default=0)
            rows = [f"{name:<{width}}  {_cell(value)}" for name, value in zip(names, part.values.values(), strict=True)]
            return "\n".join([*([_one_line(part.title)] if part.title else []), *rows])
        case Table():
            return _table(part)


def _table(table: Table) -> str:
    names = [_one_line(name) for name in table.columns]
    rows = _wrapped([[_cell(cell) for cell in row] for row in table.rows], names)
    aligned = []
    for i, name in enumerate(names):
        right = all(is_number(row[i]) for row in table.rows)
        width = max(map(len, [name, *(row[i] for row in rows)]))
        aligned.append([f"{cell:>{width}}" if right else f"{cell:<{width}}" for cell in [name, *(r[i] for r in rows)]])
    lines = ["  ".join(cells) for cells in zip(*aligned, strict=True)]
    rule = "-" * max(map(len, lines), default=0)
    below = [textwrap.fill(_one_line(table.note), _WIDTH)] if table.note else []
    return "\n".join([_one_line(table.title), *([lines[0], rule, *lines[1:]] if lines else []), *below])


def _wrapped(rows: list[list[str]], names: Sequence[str]) -> list[list[str]]:
    """Continue a last cell of several words on rows of its own where the table would become too wide."""
    if not rows:
        return rows
    widths = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
    room = max(_WIDTH - sum(widths[:-1]) - 2 * (len(widths) - 1), _LEAST_WIDTH)
    wrapped = []
    for row in rows:
        first, *rest = textwrap.wrap(row[-1], room, break_long_words=False) or [""]
        wrapped += [[*row[:-1], first], *([""] * (len(row) - 1) + [line] for line in rest)]
    return wrapped


def _cell(cell: Cell) -> str:
    return _one_line(written(cell))


def _one_line(words: str) -> str:
    # A name may hold anything: control characters must not reach the terminal.
    return " ".join("".join(c if c.isprintable() else " " for c in words).split())


def _underlined(title: str, rule: str) -> str:
    line = _one_line(title)
    return f"{line}\n{rule * len(line)}"
