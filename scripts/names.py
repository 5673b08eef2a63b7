"""Writes docs/names.md: every public name, room by room, from the doors and the docstrings; python scripts/names.py."""

import ast
import importlib
import inspect
import types
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "keras_lr"
PAGE = ROOT / "docs" / "names.md"
NOT_DOORS = {"cli"}


def doors() -> dict[str, list[str]]:
    """Return the names that each public package re-exports, the package itself first."""
    inits = [PACKAGE / "__init__.py", *sorted(PACKAGE.glob("[!_]*/__init__.py"))]
    found = {}
    for init in inits:
        if init.parent.name not in NOT_DOORS and (names := exported(init)):
            found[".".join(init.parent.relative_to(PACKAGE.parent).parts)] = names
    return found


def exported(init: Path) -> list[str]:
    """Return the names of all `from x import y as y` in a file, those for type checkers among them."""
    tree = ast.parse(init.read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return sorted((alias.asname for node in imports for alias in node.names if alias.asname), key=str.lower)


def page() -> str:
    lines = [
        "# Public names",
        "",
        "Written by `scripts/names.py` from the docstrings; a test compares it with the doors.",
    ]
    for door, names in doors().items():
        lines += ["", f"## {door}", "", "| name | what it is |", "|---|---|"]
        lines += [f"| `{name}` | {summary(getattr(importlib.import_module(door), name))} |" for name in names]
    return "\n".join(lines) + "\n"


def summary(thing: object) -> str:
    """Return the first paragraph of a docstring as a line of a table; of a mapping its keys, of a union its kinds."""
    if isinstance(thing, dict):
        return ", ".join(f"`{key}`" for key in thing)
    if isinstance(thing, types.UnionType):
        return " or ".join(f"`{kind.__name__}`" for kind in thing.__args__)
    own = inspect.isclass(thing) or inspect.isroutine(thing) or inspect.ismodule(thing)
    text = (inspect.getdoc(thing) or "") if own else ""
    return " ".join(text.split("\n\n")[0].split()).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
