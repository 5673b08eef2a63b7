"""Every example runs, is short, and does what its question asks."""

import dataclasses
import math
import runpy
from pathlib import Path

import pytest

import keras_lr

pytestmark = pytest.mark.only_on_torch

FOLDER = Path(__file__).parents[1] / "examples"


def load(name: str) -> dict:
    return runpy.run_path(str(FOLDER / f"{name}.py"))


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_it_is_short_asks_a_question_says_how_to_run_it_and_is_tested(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 60
    assert text.split("\n")[0].endswith("?")
    assert f"examples/{path.name}" in text.split('"""')[1]
    assert f'load("{path.stem}")' in Path(__file__).read_text(encoding="utf-8")


def test_train_without_a_rate(capsys):
    result = load("train_without_a_rate")["main"](epochs=2)
    assert result.completed
    assert result.history["val_accuracy"][-1] > 0.5
    assert "learning rate" in capsys.readouterr().out


def test_which_rate(capsys):
    race = load("which_rate")["main"](epochs=2)
    assert race.low < race.learning_rate < race.high
    assert "model.fit at the constant rate" in capsys.readouterr().out


def test_survive_a_wrong_rate(capsys):
    alone, guarded = load("survive_a_wrong_rate")["main"](epochs=5)
    assert guarded < 1.0
    assert not math.isfinite(alone) or guarded < alone / 2
    assert "step " in capsys.readouterr().out


def test_is_this_rate_too_low(capsys):
    before, after = load("is_this_rate_too_low")["main"](epochs=2)
    assert after < before
    assert "too low" in capsys.readouterr().out


def test_sweep_and_compare(capsys):
    sweep, comparison = load("sweep_and_compare")["main"](epochs=1, seeds=1)
    assert 1e-3 < sweep.learning_rate < 1e-1
    assert comparison.values[0, 1, 0] < comparison.values[0, 0, 0]
    assert "steps and seconds to the target" in capsys.readouterr().out


def test_my_own_schedule():
    losses = load("my_own_schedule")["main"](epochs=3)
    assert losses[-1] < 0.5 * losses[0]


def test_task_for_the_terminal():
    task = dataclasses.replace(load("task_for_the_terminal")["task"](), epochs=1)
    result = keras_lr.fit(task.model(seed=0), **task.fit_arguments(), verbose=0)
    assert result.history["val_accuracy"][-1] > 0.5


def test_what_a_rate_is_worth(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    found = load("what_a_rate_is_worth")["main"](epochs=1, seeds=1)
    assert set(found) == {"Adam", "SGD"}
    assert all(len(sweep.rates) == 10 for sweep, _ in found.values())
    assert (tmp_path / "what_a_rate_is_worth.png").stat().st_size > 0
    assert "keras_lr.fit ends at" in capsys.readouterr().out
