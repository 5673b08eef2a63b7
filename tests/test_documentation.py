"""What README and the pages of the documentation say can be run, from top to bottom, and leads somewhere."""

import operator
import re
import runpy
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

import keras_lr

pytestmark = pytest.mark.above_backends

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
ENGINES = {"distributed", "ray"}  # no dependencies of ours: a block that needs one is run as far as they are there


def blocks_of(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks_of(page)], ids=lambda page: page.name)
def test_the_code_of_a_page_runs_from_top_to_bottom(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(ROOT / "examples")
    names: dict[str, object] = {"__name__": "page"}
    for block in blocks_of(page):
        try:
            exec(compile(block, str(page), "exec"), names)
        except ModuleNotFoundError as missing:
            if missing.name not in ENGINES:
                raise
    plt.close("all")


def test_every_page_begins_with_the_same_problem():
    first = {page.name: blocks_of(page)[0] for page in PAGES[1:] if blocks_of(page)}
    assert set(first.values()) == {first["index.md"]}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_somewhere(page):
    text = page.read_text(encoding="utf-8")
    links = [*re.findall(r"\]\(([^)#\s]+)", text), *re.findall(r'(?:src|href)="([^"#]+)', text)]
    broken = [link for link in links if not link.startswith("http") and not (page.parent / link).exists()]
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_heading_leads_there(page):
    for link, anchor in re.findall(r"\]\(([^)#\s]*)#([^)]+)\)", page.read_text(encoding="utf-8")):
        target = page if not link else page.parent / link
        headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
        assert anchor in {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_name_of_ours_on_a_page_exists(page):
    for name in set(re.findall(r"\bkeras_lr((?:\.\w+)+)", page.read_text(encoding="utf-8"))):
        operator.attrgetter(name[1:])(keras_lr)


def test_every_picture_is_shown_and_is_drawn_by_a_script(tmp_path):
    drawn = runpy.run_path(str(ROOT / "scripts" / "pictures.py"))
    names = {*drawn["PICTURES"], "what_a_rate_is_worth"}  # an example draws that one
    assert {path.stem for path in drawn["FOLDER"].iterdir()} == names
    shown = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert [name for name in names if f"pictures/{name}.png)" not in shown] == []
    drawn["main"](["schedules", "range_test"], tmp_path)
    assert all((tmp_path / f"{name}.png").stat().st_size > 10_000 for name in ("schedules", "range_test"))
