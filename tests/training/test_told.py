"""Work that lasts says how far it is; what is done soon says nothing."""

from functools import partial

import keras
import numpy as np
import pytest

import keras_lr
from keras_lr.training import _progress
from keras_lr.training._progress import Told, checked_progress, duration

pytestmark = pytest.mark.numpy_only


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (3599.4, "59 min 59 s"),
        (3600, "1 h 0 min"),
        (86399, "23 h 59 min"),
    ],
)
def test_a_time_is_said_in_two_units(seconds, text):
    assert duration(seconds) == text


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still but for `clock.now += seconds`."""

    class Clock:
        now = 100.0

        def monotonic(self):
            return self.now

    made = Clock()
    monkeypatch.setattr(_progress, "time", made)
    return made


def test_a_line_every_five_seconds_with_the_time_that_the_rest_will_take(clock):
    lines = []
    told = Told(write=lines.append)
    for done in range(3, 10):  # three were done before
        told(done, 9, f"trial {done}")
        clock.now += 3.0
    assert lines == ["5 of 9  trial 5  12 s left", "7 of 9  trial 7  6 s left", "9 of 9  trial 9  0 s left"]


def test_no_estimate_before_anything_was_seen_to_be_done(clock):
    lines = []
    told = Told(write=lines.append)
    clock.now += 60.0
    told(1, 4, "racing the rate 0.1")
    assert lines == ["1 of 4  racing the rate 0.1"]


def test_the_lines_go_to_the_error_stream(clock, capsys):
    told = checked_progress(True)
    clock.now += 6.0
    told(0, 2, "trials")
    streams = capsys.readouterr()
    assert (streams.out, streams.err) == ("", "0 of 2  trials\n")


def test_false_is_silence(clock, capsys):
    told = checked_progress(False)
    clock.now += 6.0
    told(0, 2, "trials")
    assert capsys.readouterr().err == ""


X = np.linspace(-1.0, 1.0, 512, dtype="float32")[:, None]


def line():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1), loss="mse")
    return model


WORK = {
    "race": lambda: keras_lr.race(line(), X, X, epochs=20),
    "range test": lambda: keras_lr.range_test(line(), X, X, steps=20),
    "diagnosis": lambda: keras_lr.diagnose(line(), X, X),
    "sweep": lambda: keras_lr.sweep(keras_lr.Task(line, X, X, epochs=1), [0.1, 0.2], seeds=1, widen=False),
    "comparison": lambda: keras_lr.compare(keras_lr.Task(line, X, X, epochs=1), {"slow": 0.01}, seeds=1),
}


@pytest.mark.parametrize("name", WORK)
def test_what_lasts_tells_unless_it_is_told_otherwise(name, monkeypatch, capsys):
    monkeypatch.setattr(_progress, "Told", partial(Told, 0.0))
    WORK[name]()
    streams = capsys.readouterr()
    assert streams.out == ""
    done, of, total, *_ = streams.err.splitlines()[-1].split()
    assert (of, done) == ("of", total)
