"""The doors and the documentation name the same things."""

import importlib
import inspect
import re
import runpy
from pathlib import Path

import pytest

NAMES = runpy.run_path(str(Path(__file__).parents[1] / "scripts" / "names.py"))
DOORS = NAMES["doors"]()


def test_the_documented_names_are_those_of_the_doors():
    written = NAMES["PAGE"].read_text(encoding="utf-8")
    assert written == NAMES["page"](), "docs/names.md is not up to date; run: python scripts/names.py"


def things_of(door: str) -> dict[str, object]:
    """The public classes and functions of a door, by name."""
    module = importlib.import_module(door)
    things = {name: getattr(module, name) for name in DOORS[door]}
    return {name: thing for name, thing in things.items() if inspect.isclass(thing) or inspect.isroutine(thing)}


@pytest.mark.parametrize("door", DOORS)
def test_every_public_class_and_function_says_what_it_is(door):
    assert [name for name, thing in things_of(door).items() if not NAMES["summary"](thing)] == []


@pytest.mark.parametrize("door", DOORS)
def test_every_public_class_and_function_has_an_example_of_its_own(door):
    """That the examples hold is tested in `test_doctests.py`."""
    told = {name: thing.__doc__ or "" for name, thing in things_of(door).items()}  # a class inherits no docstring
    assert [name for name, text in told.items() if not re.search(r"Example:\n +>>> ", text)] == []
