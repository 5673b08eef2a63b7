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
    """Return the names of each public package, the whole package first, and of each public module in one."""
    found = {}
    for init in [PACKAGE / "__init__.py", *sorted(PACKAGE.glob("[!_]*/__init__.py"))]:
        if init.parent.name not in NOT_DOORS and (names := exported(init)):
            found[door(init.parent)] = names
            modules = [] if init.parent == PACKAGE else sorted(init.parent.glob("[!_]*.py"))
            found |= {door(module.with_suffix("")): defined(module) for module in modules}
    return found


def door(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).parts)


def exported(init: Path) -> list[str]:
    """Return the names of all `from x import y as y` in a file, those for type checkers among them."""
    tree = ast.parse(init.read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return sorted((alias.asname for node in imports for alias in node.names if alias.asname), key=str.lower)


def defined(module: Path) -> list[str]:
    """Return the names of the public classes and functions that a file defines."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    names = [node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    return sorted((name for name in names if not name.startswith("_")), key=str.lower)


def page() -> str:
    lines = [
        "# Public names",
        "",
        "Written by `scripts/names.py` from the docstrings; a test compares it with the doors.",
    ]
    for room, names in doors().items():
        lines += ["", f"## {room}", "", "| name | what it is |", "|---|---|"]
        lines += [f"| `{name}` | {summary(getattr(importlib.import_module(room), name))} |" for name in names]
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
