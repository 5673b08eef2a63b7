"""The values that a result describes itself with."""

import dataclasses

import numpy as np
import pytest

from keras_lr.report import Band, Chart, Facts, Line, Mark, Span, Table
from keras_lr.report._numbers import written


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (1234567, "1,234,567"),
        (0.001, "0.001"),
        (3.16227766e-5, "3.162e-05"),
        (123456.7, "123,457"),
        (9999.0, "9999"),
        (1e4, "10,000"),
        (-12345.0, "-12,345"),
        (9999999.0, "9,999,999"),
        (1e7, "1e+07"),
        (0.0, "0"),
        (float("inf"), "inf"),
        (float("nan"), "nan"),
        (None, ""),
        (True, "yes"),
        ("as it is", "as it is"),
    ],
)
def test_numbers_are_written_alike_everywhere(cell, text):
    assert written(cell) == text


def test_numbers_of_numpy_become_pythons():
    table = Table("t", ("a", "b"), [(np.float32(0.5), np.int64(3))])
    assert [type(cell) for cell in table.rows[0]] == [float, int]
    assert type(Facts({"a": np.float64(1.0)}).values["a"]) is float


def test_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match=r"has 3 cells, but there are 2 columns"):
        Table("t", ("a", "b"), [(1, 2, 3)])


@pytest.mark.parametrize(
    "make",
    [
        lambda: Line("losses", [1, 2, 3], [1, 2]),
        lambda: Line("losses", [[1, 2]], [[1, 2]]),
        lambda: Band("losses", [1, 2], [1, 2], [1]),
    ],
)
def test_numbers_of_another_shape_are_refused(make):
    with pytest.raises(ValueError, match="'losses' has the shapes"):
        make()


def test_what_is_described_cannot_change_afterwards():
    losses = np.ones(3)
    line = Line("losses", np.arange(3), losses)
    losses[:] = 7
    np.testing.assert_array_equal(line.y, 1)
    with pytest.raises(ValueError, match="read-only"):
        line.y[0] = 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        Chart("c", "x", "y").title = "d"


def test_places_on_an_axis_become_pythons_numbers():
    span, mark = Span("s", np.float32(0.5), np.int64(2)), Mark("m", np.float32(0.5))
    assert [type(place) for place in (span.low, span.high, mark.x)] == [float] * 3
