"""How a number is written, in the terminal and on the page alike."""

from keras_lr.report._parts import Cell


def written(cell: Cell) -> str:
    """Return a cell as text: whole numbers in full, other numbers with four digits."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, str):
        return cell
    if isinstance(cell, int):
        return f"{cell:,}"
    return f"{cell:,.0f}" if 9999.5 <= abs(cell) < 1e7 else f"{cell:.4g}"


def is_number(cell: Cell) -> bool:
    """Return whether a cell is aligned as a number; an empty cell fits either way."""
    return cell is None or isinstance(cell, int | float)
