"""The doors and the documentation name the same things."""

import importlib
import inspect
import runpy
from pathlib import Path

import pytest

NAMES = runpy.run_path(str(Path(__file__).parents[1] / "scripts" / "names.py"))
DOORS = NAMES["doors"]()


def test_the_documented_names_are_those_of_the_doors():
    written = NAMES["PAGE"].read_text(encoding="utf-8")
    assert written == NAMES["page"](), "docs/names.md is not up to date; run: python scripts/names.py"


@pytest.mark.parametrize("door", DOORS)
def test_every_public_class_and_function_says_what_it_is(door):
    module = importlib.import_module(door)
    things = {name: getattr(module, name) for name in DOORS[door]}
    mute = [n for n, t in things.items() if (inspect.isclass(t) or inspect.isroutine(t)) and not NAMES["summary"](t)]
    assert mute == []
