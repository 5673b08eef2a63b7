"""Results in rows: a table in text, and a CSV file."""

import csv
from pathlib import Path
from typing import Any


def table(header: list[str], rows: list[list[str]]) -> str:
    """Columns padded to their widest entry, the first to the left, the others to the right."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]

    def line(row: list[str]) -> str:
        first, *others = zip(row, widths, strict=True)
        return "  ".join([first[0].ljust(first[1]), *(text.rjust(width) for text, width in others)])

    return "\n".join([line(header), "  ".join("-" * width for width in widths), *map(line, rows)])


def save(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows that all have the columns of the first."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
