"""A report as data and back."""

import copy
import json
import pickle

import pytest

from keras_lr.report import Facts, Report, Table


def test_what_is_read_back_says_and_draws_the_same(race_report, tmp_path):
    race_report.save(tmp_path / "race.json")
    race_report.save(tmp_path / "race.html")
    again = Report.from_json((tmp_path / "race.json").read_text(encoding="utf-8"))
    again.save(tmp_path / "again.html")
    assert str(again) == str(race_report)
    assert again.to_json() == race_report.to_json()
    assert (tmp_path / "again.html").read_bytes() == (tmp_path / "race.html").read_bytes()


@pytest.mark.parametrize("through", [copy.deepcopy, lambda report: pickle.loads(pickle.dumps(report))])
def test_a_copy_and_one_that_has_travelled_say_the_same(race_report, through):
    assert through(race_report).to_json() == race_report.to_json()


def test_it_is_standard_json(race_report):
    def refuse(word):
        raise AssertionError(f"{word} is not JSON")

    tree = json.loads(race_report.to_json(), parse_constant=refuse)
    assert tree["title"] == "Learning rate race"


def test_kinds_of_cells_survive():
    cells = (float("nan"), float("-inf"), 1, 1.0, True, None, "inf")
    report = Report("r", [Table("t", [str(i) for i in range(7)], [cells]), Facts({"a": float("inf")})])
    table, facts = Report.from_json(report.to_json()).parts
    assert [type(cell) for cell in table.rows[0]] == [type(cell) for cell in cells]
    assert str(table.rows[0]) == str(cells)
    assert dict(facts.values) == {"a": float("inf")}


@pytest.mark.parametrize("text", ["[]", '{"format": "something else"}'])
def test_another_file_is_refused(text):
    with pytest.raises(ValueError, match="This is not a report"):
        Report.from_json(text)


@pytest.mark.parametrize("lost", ['"title": "Learning rate race",', '"name": "lanes",'])
def test_a_report_that_has_lost_something_is_refused(race_report, lost):
    text = race_report.to_json()
    assert lost in text
    with pytest.raises(ValueError, match="not whole"):
        Report.from_json(text.replace(lost, "", 1))


def test_an_unknown_part_is_refused(race_report):
    text = race_report.to_json().replace('"is": "Facts"', '"is": "Song"')
    with pytest.raises(ValueError, match="A report has no part 'Song'; there are Text, Facts"):
        Report.from_json(text)
