"""What README and the first pages of the documentation say can be run, and leads somewhere."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_lr

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
RUNNABLE = [ROOT / "README.md", *(ROOT / "docs" / f"{name}.md" for name in ("index", "fit", "range_test"))]


@pytest.mark.parametrize("page", RUNNABLE, ids=lambda page: page.name)
def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    x = np.random.default_rng(0).normal(size=(64, 2)).astype("float32")
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(optimizer="adam", loss="mse")
    names = {"keras": keras, "keras_lr": keras_lr, "model": model, "x": x, "y": x.sum(1, keepdims=True)}
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, str(page), "exec"), names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8"))
    broken = [link for link in links if not link.startswith("http") and not (page.parent / link).exists()]
    assert broken == []


def test_the_rooms_of_the_readme_are_those_that_exist():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for room in re.findall(r"^\| `keras_lr\.(\w+)`", text, re.MULTILINE):
        assert hasattr(keras_lr, room)
