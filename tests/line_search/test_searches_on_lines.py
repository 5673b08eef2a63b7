"""Every scalar search on the lines of Moré and Thuente and on random ones, its condition re-evaluated in float64."""

import json
import math

import numpy as np
import pytest
from _lines import FIRSTS, LINES, METHODS, RECORD, compiled_searches, float_searches, holds, random_line, search
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_lr.line_search import (
    PAL,
    SLS,
    Backtracking,
    GeN,
    Goldstein,
    HagerZhang,
    Line,
    Point,
    Polyak,
    PoNoS,
    SafePolyak,
    SameDecrease,
    Status,
    StrongWolfe,
)


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_the_condition_holds_on_the_lines_of_more_and_thuente(method):
    for function in LINES.values():
        for first in FIRSTS:
            accepted, calls = search(method, function, first)
            assert calls == accepted.evaluations <= method.max_evaluations
            assert accepted.status == Status.ACCEPTED
            assert accepted.alpha > 0
            assert holds(method, function, accepted.alpha)
            assert accepted.value == pytest.approx(function(accepted.alpha)[0], rel=1e-12)


@pytest.mark.parametrize("run", [compiled_searches, float_searches])
@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_every_backend_finds_the_recorded_outcomes(method, run):
    """One file for the three backends: step, loss, evaluations and status agree, compiled or not."""
    recorded = json.loads(RECORD.read_text())[repr(method)]
    found = run(method)
    assert found.keys() == recorded.keys()
    for case, outcome in found.items():
        assert outcome == pytest.approx(recorded[case], rel=1e-6), case


@pytest.mark.parametrize("method", [Goldstein(longest=1.0), StrongWolfe(longest=1.0), PAL(longest=1.0)], ids=repr)
def test_no_step_is_longer_than_the_longest_wherever_it_begins(method):
    line = Line(lambda a: (a - 5.0) ** 2, lambda a: ((a - 5.0) ** 2, 2.0 * (a - 5.0)))
    assert method(line, Point(0.0, 25.0, -10.0), 5.0).alpha == 1.0


numbers = st.tuples(st.floats(1e-3, 1e3), st.floats(1e-2, 1e2), st.floats(0, 1), st.floats(0, 10), st.floats(0.1, 10))


@pytest.mark.parametrize("method", [METHODS[0], METHODS[2], METHODS[3], METHODS[5]], ids=lambda m: type(m).__name__)
@settings(max_examples=1000, deadline=None)
@given(numbers=numbers, first=st.floats(1e-4, 1e3))
def test_alpha_above_zero_means_that_the_condition_holds(method, numbers, first):
    function = random_line(numbers)
    accepted, calls = search(method, function, first)
    f0, s0 = function(0.0)
    if s0 >= 0:
        assert accepted.alpha == 0
        assert accepted.status == Status.NOT_A_DESCENT
        return
    assert calls == accepted.evaluations <= method.max_evaluations
    if accepted.status == Status.ACCEPTED:
        assert holds(method, function, accepted.alpha)
    elif accepted.status == Status.DECREASE_ONLY:
        f, _ = function(accepted.alpha)
        assert accepted.alpha > 0
        assert f <= f0 + method.decrease * accepted.alpha * s0 + 1e-13 * (abs(f0) + abs(f))
    else:
        assert accepted.status == Status.BUDGET_SPENT
        assert accepted.alpha == 0
    if isinstance(method, Backtracking | StrongWolfe):
        assert accepted.status == Status.ACCEPTED


@pytest.mark.parametrize("method", METHODS, ids=repr)
@settings(max_examples=50, deadline=None)
@given(numbers=numbers, factor=st.sampled_from([0.25, 4.0]), shift=st.sampled_from([-8.0, 0.0, 8.0]))
def test_scaling_the_loss_changes_no_step(method, numbers, factor, shift):
    function = random_line(numbers)
    if isinstance(method, HagerZhang):
        shift = 0.0  # its tolerance is relative to the loss

    def scaled(a):
        value, slope = function(a)
        return factor * value + shift, factor * slope

    assert search(method, scaled, 0.5)[0].alpha == pytest.approx(search(method, function, 0.5)[0].alpha, rel=1e-4)


@pytest.mark.parametrize("method", [*METHODS, PAL()], ids=repr)
def test_a_wall_of_nan_is_never_accepted(method):
    def function(a):
        inside = a < 0.01
        return (1.0 - a if inside else np.nan), (-1.0 if inside else np.nan)

    accepted, _ = search(method, function, 1.0)
    assert accepted.alpha < 0.01
    assert np.isfinite(accepted.value)


@pytest.mark.parametrize("method", [*METHODS, PAL()], ids=repr)
@pytest.mark.parametrize(
    ("start", "status"),
    [
        ((1.0, 1.0), Status.NOT_A_DESCENT),
        ((1.0, 0.0), Status.NOT_A_DESCENT),
        ((np.nan, -1.0), Status.NOT_FINITE),
        ((1.0, -np.inf), Status.NOT_FINITE),
    ],
)
def test_no_step_where_the_line_does_not_descend(method, start, status):
    accepted, _ = search(method, lambda a: (start[0] + start[1] * a if a else start[0], start[1]), 1.0)
    assert accepted.alpha == 0
    assert accepted.status == status


def test_pal_is_exact_on_a_parabola_and_capped_and_measures_where_it_is_not_convex():
    accepted, calls = search(PAL(longest=100.0), lambda a: ((a - 7.0) ** 2, 2 * (a - 7.0)), 0.1)
    assert calls == 1
    assert accepted.alpha == pytest.approx(7.0, rel=1e-9)
    assert accepted.value == pytest.approx(0.0, abs=1e-9)
    assert search(PAL(longest=3.0), lambda a: ((a - 7.0) ** 2, 2 * (a - 7.0)), 0.1)[0].alpha == 3.0
    concave, _ = search(PAL(), lambda a: (-a - a * a, -1 - 2 * a), 0.1)
    assert (concave.alpha, concave.status) == (0.1, Status.MEASURED)
    nan, _ = search(PAL(), lambda a: (np.where(a > 0, np.nan, 1.0), -1.0), 0.1)
    assert (nan.alpha, nan.status) == (0.0, Status.NOT_FINITE)


def test_a_failed_backtracking_says_so_and_does_not_move():
    accepted, calls = search(Backtracking(max_evaluations=3), lambda a: (1.0 + a, -1.0), 1.0)
    assert (accepted.alpha, accepted.status, calls) == (0.0, Status.BUDGET_SPENT, 3)
    assert "did not move" in Status(accepted.status).sentence


def test_a_step_that_decreases_only_says_nothing_of_a_slope_that_nobody_asked_for():
    accepted, _ = search(Goldstein(longest=0.5), lambda a: ((a - 5.0) ** 2, 2 * (a - 5.0)), 0.5)
    assert accepted.status == Status.DECREASE_ONLY
    assert "slope" not in Status(accepted.status).sentence


@pytest.mark.parametrize("rule", [Polyak, SafePolyak, PoNoS])
def test_a_loss_that_cannot_fall_below_a_bound_is_not_expected_to(rule):
    start = Point(0.0, 3.0, -100.0)
    bounded, free = rule(lower_bound=2.0), rule()
    assert 3.0 * bounded.first_trial(start, bounded.memory()) == pytest.approx(free.first_trial(start, free.memory()))


def test_a_slope_that_did_not_descend_says_nothing_of_the_next_trial():
    for slope in (0.0, 1.0, math.nan):
        assert SameDecrease()(Point(0.0, 4.0, -4.0), alpha=0.25, slope=slope) == 0.25
    assert SameDecrease()(Point(0.0, 4.0, 0.0), alpha=0.25, slope=-8.0) == 0.25


@pytest.mark.parametrize(("further", "expected"), [(10.0, 2.0), (math.inf, 1.9)], ids=["longest", "no parabola"])
def test_the_step_of_gen_is_bounded_and_stays_where_losses_tell_no_parabola(further, expected):
    losses = {-1.0: 5.0, -2.0: further}
    rule = GeN(every=1, longest=2.0)
    memory = rule.memory()._replace(alpha=1.9, steps=1.0)
    accepted, memory = rule.step(Line(losses.__getitem__, None), Point(0.0, 0.1, -1.0), 1.9, memory)
    assert accepted.alpha == memory.alpha == expected


def test_a_step_that_was_not_made_does_not_bound_the_next_ones():
    rule = Polyak(initial=0.25)
    _, memory = rule.step(None, Point(0.0, 3.0, 0.0), 7.0, rule.memory())  # nowhere to descend
    assert memory == rule.memory()
    _, memory = rule.step(None, Point(0.0, 3.0, -1.0), 0.125, memory)
    assert memory.alpha == 0.125


def test_the_first_trial_of_ponos_is_never_too_small_to_try_and_grows_again_where_none_was_cut():
    rule, start = PoNoS(), Point(0.0, 1e-9, -100.0)
    assert rule.first_trial(start, rule.memory()) == 1e-6
    _, memory = rule.step(Line(lambda alpha: -1.0 - alpha, None), Point(0.0, 0.0, -1.0), 1.0, rule.memory())
    assert memory.cuts == 0.0  # and not below, where a trial would be longer than Polyak's step
    assert rule.first_trial(Point(0.0, 4.0, -1.0), memory) == pytest.approx(10.0)
    assert rule.first_trial(Point(0.0, 0.4, -1.0), memory) == rule.first_trial(Point(0.0, 0.4, -1.0), rule.memory())


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: PoNoS(memory_fraction=2.0), "of at least 0 and at most 1 as memory_fraction"),
        (lambda: SameDecrease(growth=0.5), "of at least 1 as growth"),
    ],
)
def test_a_mean_that_would_grow_and_a_growth_that_would_shrink_are_refused(build, message):
    with pytest.raises(ValueError, match=rf"^\w+ takes a number {message}\. Received: "):
        build()


def test_adaptive_backtracking_needs_fewer_evaluations():
    def function(a):
        return (1e4 * (a - 1e-4) ** 2, 2e4 * (a - 1e-4))

    _, adaptive = search(Backtracking(shrink=0.9, max_evaluations=200), function, 1.0)
    _, fixed = search(Backtracking(shrink=0.9, adaptive=False, max_evaluations=200), function, 1.0)
    assert adaptive <= 5 < 50 < fixed


@pytest.mark.parametrize("growth", [1.0, 1.5, 2.0], ids=["reset option 0", "kernels", "reset option 1"])
def test_the_first_trial_of_sls_grows_by_gamma_in_an_epoch(growth):
    """η ← η γ^(1/n), as the authors' code has it: after n steps that were all accepted at once, γ times the first."""
    rule, downhill = SLS(50, initial=0.1, growth=growth), Line(lambda alpha: -alpha, None)
    start, memory = Point(0.0, 0.0, -1.0), rule.memory()
    for _ in range(1 + 50):
        accepted, memory = rule.step(downhill, start, rule.first_trial(start, memory), memory)
    assert accepted.alpha == pytest.approx(0.1 * growth, rel=1e-12)


def test_a_loss_that_is_not_finite_costs_a_factor_of_ten():
    trials = []

    def phi(alpha):
        trials.append(alpha)
        return math.inf if alpha > 1.0 else (alpha - 0.5) ** 2

    Backtracking()(Line(phi, None), Point(0.0, 0.25, -1.0), 8.0)
    assert trials == pytest.approx([8.0, 0.8])
