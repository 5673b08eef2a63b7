"""A report in the terminal."""

from keras_lr.report import Facts, Report, Table


def test_tables_are_aligned_and_numbers_stand_right():
    report = Report("Lanes", [Table("Race", ("rate", "verdict"), [(0.001, "good"), (1.0, "diverged")], note="Units.")])
    assert str(report).split("\n") == [
        "Lanes",
        "=====",
        "",
        "Race",
        " rate  verdict",
        "---------------",
        "0.001  good",
        "    1  diverged",
        "Units.",
    ]


def test_a_number_is_written_as_the_one_that_it_is_rounded_to():
    rows = [(9999.4,), (9999.5,), (10000.0,), (-9999.7,)]
    lines = str(Report("r", [Table("t", ("steps",), rows)])).split("\n")
    assert [line.strip() for line in lines[-4:]] == ["9999", "10,000", "10,000", "-10,000"]


def test_a_column_with_a_word_in_it_stands_left():
    report = Report("r", [Table("t", ("mixed", "b"), [(1.0, "x"), ("none at all", "y")])])
    assert str(report).split("\n")[-2:] == ["1            x", "none at all  y"]


def test_a_long_last_cell_goes_on_below_itself():
    words = "a sentence that says what was seen and what it means for whoever reads it " * 2
    lines = str(Report("Signals", [Table("Seen", ("signal", "meaning"), [("reach", words), ("turn", "short")])])).split(
        "\n"
    )
    assert max(map(len, lines)) <= 100
    assert " ".join(line[8:].strip() for line in lines[6:8]) == words.strip()
    assert lines[7].startswith("        ")
    assert lines[8] == "turn    short"


def test_the_text_holds_everything_but_the_charts(race_report):
    text = str(race_report)
    for said in ("learning rate  0.003", "12,000", "five short complete schedules", "inf", "nan", "In nats."):
        assert said in text
    assert "Short runs" not in text
    assert all(line == line.rstrip() for line in text.split("\n"))


def test_control_characters_do_not_reach_the_terminal():
    facts, table = Facts({"b\r\n": "c\x07"}, "g\x1b[2J"), Table("d\x1b]0;t\x07", ("e\t",), [("f\x00",)])
    text = str(Report("a\x1b[31mred", [facts, table, Table("h\x07", (), [])]))
    assert all(character.isprintable() or character == "\n" for character in text)


def test_an_empty_table_is_shown_as_its_columns():
    assert "rate  loss" in str(Report("t", [Table("Race", ("rate", "loss"), [])]))


def test_repr_is_the_short_table(race_report):
    assert repr(race_report) == str(race_report)
