"""Hager and Zhang's search against their paper's steps written down one after the other, trial by trial.

Hager and Zhang 2006, Algorithm 851, section 4: B0 to B3, U0 to U3, S1 to S4, L0 to L3. Here a step calls the next as
the paper has it; the search itself makes one evaluation a turn and cannot.
"""

import numpy as np
import pytest
from _lines import LINES, random_line
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_lr.line_search import HagerZhang, Line, Point, Status


class Found(Exception):
    """A trial is acceptable, or there were too many."""


class Paper:
    """The steps of the paper on one function of the step; `trials` are those that were evaluated."""

    def __init__(self, method, function):
        self.method, self.function, self.trials, self.known = method, function, [], {}
        self.value, self.slope = self.known[0.0] = function(0.0)
        self.limit = self.value + method.tolerance * abs(self.value)

    def __call__(self, a):
        """Return loss and slope at a, and end everything where a is acceptable."""
        if a not in self.known:
            self.trials.append(a)
            self.known[a] = value, slope = self.function(a)
            m = self.method
            wolfe = value <= self.value + m.decrease * a * self.slope
            nearly = (2 * m.decrease - 1) * self.slope >= slope and value <= self.limit
            if ((wolfe or nearly) and slope >= m.curvature * self.slope) or len(self.trials) == m.max_evaluations:
                raise Found
        return self.known[a]

    def search(self, c):
        try:
            a, b = self.bracket(c)
            while True:
                a1, b1 = self.double_secant(a, b)
                if b1 - a1 > self.method.shrinkage * (b - a):
                    a1, b1 = self.update(a1, b1, (a1 + b1) / 2)
                if (a1, b1) == (a, b):
                    raise Found
                a, b = a1, b1
        except Found:
            return self.trials

    def bracket(self, c):
        a = 0.0
        while True:
            value, slope = self(c)
            if slope >= 0:
                return a, c
            if value > self.limit:
                return self.cut(0.0, c)
            a, c = c, self.method.growth * c

    def cut(self, a, b):
        while True:
            d = (1 - self.method.bisection) * a + self.method.bisection * b
            value, slope = self(d)
            if slope >= 0:
                return a, d
            a, b = (d, b) if value <= self.limit else (a, d)

    def update(self, a, b, c):
        if not a < c < b:
            return a, b
        value, slope = self(c)
        if slope >= 0:
            return a, c
        return (c, b) if value <= self.limit else self.cut(a, c)

    def secant(self, a, b):
        (_, slope_a), (_, slope_b) = self.known[a], self.known[b]
        return (a * slope_b - b * slope_a) / (slope_b - slope_a)

    def double_secant(self, a, b):
        c = self.secant(a, b)
        a1, b1 = self.update(a, b, c)
        if c == b1:
            return self.update(a1, b1, self.secant(b, b1))
        if c == a1:
            return self.update(a1, b1, self.secant(a, a1))
        return a1, b1


def trials_of(method, function, first):
    trials = []

    def phi_and_slope(a):
        trials.append(float(a))
        return function(float(a))

    method(Line(phi=None, phi_and_slope=phi_and_slope), Point(0.0, *function(0.0)), first)
    return trials


# Strict conditions and slow shrinkage, so that a search has many rounds.
METHODS = [HagerZhang(curvature=0.1, decrease=1e-3), HagerZhang(decrease=1e-4, curvature=1e-4, shrinkage=0.3)]


@pytest.mark.parametrize("method", METHODS, ids=repr)
@pytest.mark.parametrize("name", LINES)
def test_the_trials_are_those_of_the_paper_on_the_lines_of_more_and_thuente(method, name):
    for first in (1e-3, 1e-1, 1e1, 1e3):
        expected = Paper(method, LINES[name]).search(first)
        np.testing.assert_allclose(trials_of(method, LINES[name], first), expected, rtol=1e-9)


numbers = st.tuples(st.floats(1e-3, 1e3), st.floats(1e-2, 1e2), st.floats(0, 1), st.floats(0, 10), st.floats(0.1, 10))


@pytest.mark.parametrize("method", METHODS, ids=repr)
@settings(max_examples=200, deadline=None)
@given(numbers=numbers, first=st.floats(1e-3, 1e2))
def test_the_trials_are_those_of_the_paper_on_random_lines(method, numbers, first):
    function = random_line(numbers)
    if function(0.0)[1] >= 0:
        return
    expected = Paper(method, function).search(first)
    found = trials_of(method, function, first)
    # Where the ends meet to the last digits, which of two equal trials comes is rounding.
    same = min(len(expected), len(found), 8)
    np.testing.assert_allclose(found[:same], expected[:same], rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("slope", [5.0, 1e20], ids=["steep", "so steep that a secant ends where it begins"])
def test_an_interval_between_neighbouring_numbers_ends_the_search(slope):
    """Left of a cliff every slope is too steep, and right of it every loss too high."""

    def cliff(alpha):
        return (-alpha, -1.0) if alpha < 1.0 / 3.0 else (10.0 + slope * alpha, slope)

    found = HagerZhang(max_evaluations=500)(Line(None, cliff), Point(0.0, 0.0, -1.0), 1.0)
    assert (found.alpha, found.status) == (pytest.approx(1.0 / 3.0), Status.DECREASE_ONLY)
    assert found.evaluations < 100


def test_no_trial_is_looked_at_twice_on_a_plateau():
    """Where units die the loss is flat: a slope of exactly 0 puts the minimum of the secant at the trial itself."""

    def plateau(alpha):
        if alpha < 0.1:
            return -alpha, -1.0
        return (5.0, 0.0) if alpha < 0.9 else (5.0 + alpha, 1.0)

    trials = trials_of(HagerZhang(), plateau, 1.0)
    assert trials[:2] == [1.0, 0.5]
    assert len(set(trials)) == len(trials)
    assert 0.0 < trials[-1] < 0.1
