"""A report as JSON and back. Standard JSON has no NaN and no infinity: they are written as texts that say so."""

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_lr.report._parts import Band, Chart, Facts, Line, Mark, Part, Points, Span, Table, Text

FORMAT = "keras-lr report 1"
_NOT_FINITE = "not finite"


def to_json(title: str, parts: Sequence[Part]) -> str:
    """Return a report as JSON: same report, same text."""
    tree = {"format": FORMAT, "title": title, "parts": [_to_tree(part) for part in parts]}
    return json.dumps(tree, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def from_json(text: str) -> tuple[str, list[Part]]:
    """Return the title and the parts of a report written by `to_json`.

    Raises:
        ValueError: the text is not a report, or one of a newer format.
    """
    tree = json.loads(text)
    if not isinstance(tree, dict) or tree.get("format") != FORMAT:
        found = tree.get("format") if isinstance(tree, dict) else type(tree).__name__
        raise ValueError(f"This is not a report: its format is {found!r}, and {FORMAT!r} is what can be read.")
    try:
        return tree["title"], [_from_tree(part) for part in tree["parts"]]
    except (KeyError, TypeError) as error:
        raise ValueError(f"This report is not whole, as its text was when it was written: {error}.") from error


def _to_tree(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        fields = {f.name: _to_tree(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"is": type(value).__name__, **fields}
    if isinstance(value, Mapping):
        return [[name, _to_tree(item)] for name, item in value.items()]
    if isinstance(value, np.ndarray):
        return [_to_tree(number) for number in value.tolist()]
    if isinstance(value, tuple):
        return [_to_tree(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {_NOT_FINITE: str(value)}
    return value


def _from_tree(tree: Any) -> Any:
    if isinstance(tree, list):
        return tuple(_from_tree(item) for item in tree)
    if not isinstance(tree, dict):
        return tree
    if _NOT_FINITE in tree:
        return float(tree[_NOT_FINITE])
    kind = _KINDS.get(tree.get("is", ""))
    if kind is None:
        raise ValueError(f"A report has no part {tree.get('is')!r}; there are {', '.join(_KINDS)}.")
    return kind(**{name: _from_tree(value) for name, value in tree.items() if name != "is"})


_KINDS: dict[str, Any] = {kind.__name__: kind for kind in (Text, Facts, Table, Chart, Line, Points, Band, Mark, Span)}
