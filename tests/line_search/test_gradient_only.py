import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops
from oracles.closure_searches import (
    Batches,
    NoMoreBatches,
    back,
    bisection,
    closure_loop,
    inexact,
    maximum,
    noisy_classes,
    secant,
    slope_tracking,
)

from keras_lr.line_search import (
    Back,
    Bisection,
    Enforced,
    Inexact,
    Limits,
    Maximum,
    Quadratic,
    SlopeTracking,
)
from keras_lr.line_search._dynamic import SHRINKING, SearchState, Seen, at_rest, judge, set_out

PATIENT = Limits(max_trials=1000)
PAIRS = [
    (Inexact(), inexact, {}),
    (Inexact(growth=3.0, overshoot=0.5), inexact, {"growth": 3.0, "overshoot": 0.5}),
    (Maximum(), maximum, {}),
    (Back(), back, {}),
    (Bisection(), bisection, {}),
    (Quadratic(), secant, {}),
    (SlopeTracking(gain=0.1), slope_tracking, {"gain": 0.1}),
]


class Machine:
    """The machine with its vectors in NumPy: what the optimizer does with its variables."""

    def __init__(self, rule, x, initial_step=1e-8, max_update_norm=1.0, limits=PATIENT):
        self.rule, self.limits, self.max_update_norm = rule, limits, max_update_norm
        self.x, self.u, self.search = np.array(x, "float64"), np.zeros(len(x)), at_rest(initial_step)

    def see(self, gradient, value=0.0):
        norm = float(np.linalg.norm(gradient))
        decision = judge(self.rule, self.limits, self.search, Seen(-float(gradient @ self.u), norm, value))
        if decision.accept:
            self.u, new = gradient, decision.search
            self.search = set_out(self.limits, new, -norm * norm, norm, self.max_update_norm, value)
            self.x = self.x - self.search.position * self.u
        else:
            self.x = self.x - (decision.search.position - self.search.position) * self.u
            self.search = decision.search
        return decision.accept

    def run(self, gradient):
        steps = []
        try:
            while True:
                before = self.search.accepts
                self.see(gradient(self.x))
                if self.search.accepts > before:
                    steps.append((self.search.accepted_step_size, self.search.accepted_trials))
        except NoMoreBatches:
            return steps


@pytest.mark.parametrize("max_update_norm", [1.0, 0.1])
@pytest.mark.parametrize(("rule", "search", "constants"), PAIRS, ids=lambda v: getattr(v, "__name__", ""))
def test_resumed_machine_is_the_closure_loop(rule, search, constants, max_update_norm):
    x, y = noisy_classes()
    start = np.random.default_rng(1).normal(size=21)
    expected, _ = closure_loop(search, Batches(x, y, 3, 32, 2000), start, max_update_norm=max_update_norm, **constants)
    machine = Machine(rule, start, max_update_norm=max_update_norm)
    steps = machine.run(Batches(x, y, 3, 32, 2000))
    assert len(steps) == len(expected) > 50
    np.testing.assert_allclose(np.array(steps), np.array(expected), rtol=1e-4)


def quadratic(curvatures, x):
    return np.asarray(curvatures) * x


def test_inexact_from_a_tiny_step_doubles_until_the_slope_turns():
    curvatures = np.array([1.0, 4.0])
    machine = Machine(Inexact(), [1.0, 0.2], max_update_norm=1e6)
    trials = 0
    while machine.search.accepts == 0:
        machine.see(quadratic(curvatures, machine.x))
        trials += 1
    g = quadratic(curvatures, np.array([1.0, 0.2]))
    exact = float(g @ g / (g @ (curvatures * g)))
    assert trials - 1 == math.ceil(math.log2(exact / 1e-8)) + 1
    assert exact <= machine.search.accepted_step_size < 2 * exact


def test_only_the_first_search_grows_by_its_own_factor():
    machine = Machine(Inexact(first_growth=10.0), [1.0, 1.0], initial_step=1e-4, max_update_norm=1e6)
    trials = []
    for gradient in (1.0, 1.0, 1.0, -0.1, -0.1, 1.0, -2.0):
        machine.see(np.array([gradient, 0.0]))
        trials.append(machine.search.step_size)
    # It grows to 1e-2, ends there and sets out again; the second search doubles, and ends; the third halves.
    np.testing.assert_allclose(trials, [1e-4, 1e-3, 1e-2, 1e-2, 2e-2, 2e-2, 1e-2], rtol=1e-6)


@pytest.mark.parametrize("rule", [Quadratic(), Bisection(precision=1e-6)])
def test_exact_minimiser_of_a_quadratic(rule):
    curvatures = np.array([1.0, 4.0, 0.5])
    start = np.array([1.0, 0.2, -3.0])
    machine = Machine(rule, start, initial_step=0.1, max_update_norm=1e6)
    while machine.search.accepts == 0:
        machine.see(quadratic(curvatures, machine.x))
    g = quadratic(curvatures, start)
    exact = float(g @ g / (g @ (curvatures * g)))
    assert machine.search.accepted_step_size == pytest.approx(exact, rel=1e-5)


@pytest.mark.parametrize(("trial", "second"), [(4.0, 2.0), (0.25, 0.5)], ids=["back by half", "on to double"])
def test_three_losses_fix_the_parabola_on_whichever_side_the_second_trial_is(trial, second):
    rule, search = Quadratic(Enforced.VALUES), set_out(Limits(), at_rest(trial), -2.0, 1.0, 1e6, 1.0)
    for expected in (second, 1.0):  # the loss is (alpha - 1)²
        alpha = search.step_size
        decision = judge(rule, Limits(), search, Seen(2.0 * (alpha - 1.0), 1.0, (alpha - 1.0) ** 2))
        search = decision.search
        assert not decision.accept
        assert search.step_size == pytest.approx(expected)


@pytest.mark.parametrize(
    ("slope", "factor"),
    [(1e4, 1 / 5), (3.0, 1 / 4), (-0.5, 2.0), (-0.99, 5.0)],
    ids=["far less", "less", "more", "far more"],
)
def test_one_steep_batch_changes_the_trial_by_the_growth_at_the_most(slope, factor):
    """Without the bound a single outlier among the slopes would make all further steps tiny, or huge."""
    search = at_rest(0.3)._replace(position=0.3, cap=1e6, length=1.0, start_slope=-1.0)
    found = judge(Quadratic(growth=5.0), Limits(), search, Seen(slope, 1.0)).search
    assert found.step_size == pytest.approx(0.3 * factor)


def test_largest_tolerated_overshoot_is_nearly_twice_the_exact_step():
    machine = Machine(Maximum(growth=1.01), [2.0], initial_step=0.5, max_update_norm=1e6)
    while machine.search.accepts == 0:
        machine.see(machine.x)
    assert machine.search.accepted_step_size == pytest.approx(1.9, rel=0.011)


def test_zero_gradient_moves_nothing():
    machine = Machine(Inexact(), [1.0], initial_step=0.1)
    machine.see(np.array([1.0]))
    before = machine.search
    assert not machine.see(np.array([0.0]))
    assert machine.search == before


def test_gradients_that_are_not_finite_shrink_the_trial_then_send_it_home():
    machine = Machine(Inexact(), [1.0], initial_step=0.4)
    machine.see(np.array([1.0]))
    assert machine.x[0] == pytest.approx(0.6)
    machine.see(np.array([math.nan]))
    assert machine.x[0] == pytest.approx(1.0 - 0.04)
    machine.see(np.array([math.inf]))
    assert machine.x[0] == pytest.approx(1.0 - 0.004)
    assert machine.search.accepts == 0
    for _ in range(30):
        machine.see(np.array([math.nan]))
    assert machine.x[0] == pytest.approx(1.0, abs=1e-12)
    assert machine.see(np.array([1.0]))
    assert machine.search.non_finite == 0
    assert machine.search.accepts == 0


def test_search_does_not_grow_back_into_the_region_that_was_not_finite():
    machine = Machine(Inexact(), [1.0], initial_step=0.4)
    machine.see(np.array([1.0]))
    machine.see(np.array([math.nan]))
    machine.see(np.array([0.96]))
    assert machine.search.accepts == 1
    assert machine.search.accepted_step_size == pytest.approx(0.04)


def test_trials_are_limited_and_the_first_search_has_twice_as_many():
    machine = Machine(Bisection(precision=1e-9), [1.0], initial_step=1e-8, limits=Limits(max_trials=20))
    counts = []
    for _ in range(200):
        before = machine.search.accepts
        machine.see(machine.x + 1e-3 * np.sin(7 * machine.x))
        if machine.search.accepts > before:
            counts.append(machine.search.accepted_trials)
    assert counts[0] == 40
    assert max(counts[1:]) == 20


@pytest.mark.parametrize("rule", [pair[0] for pair in PAIRS], ids=repr)
def test_cap_is_strict(rule):
    x, y = noisy_classes(seed=3)
    batches = Batches(x, y, 3, 16, 400)
    machine = Machine(rule, np.zeros(21), initial_step=0.3, max_update_norm=0.05)
    for _ in range(300):
        machine.see(batches(machine.x))
        assert machine.search.position * np.linalg.norm(machine.u) <= 0.05 * (1 + 1e-12)


steps = st.floats(2.0**-20, 8.0, width=32)
slopes = st.floats(-10.0, 10.0, width=32)


@given(steps, steps, slopes, slopes, st.sampled_from([0.0, 1.0, 2.0, 3.0]), st.floats(0.5, 50.0, width=32))
def test_floats_and_tensors_decide_alike(step, cap, slope, value, phase, norm):
    search = at_rest(0.0)._replace(
        phase=phase, step_size=step, position=step, cap=max(cap, step), length=1.0, start_slope=-2.0, start_value=1.0
    )
    search = search._replace(lower=step / 2, lower_slope=-1.0, trials=3.0, accepts=2.0)
    for rule in [*(pair[0] for pair in PAIRS), *(Quadratic(kind) for kind in Enforced)]:
        on_host = judge(rule, Limits(), search, Seen(slope, norm, value))
        tensors = SearchState(*(ops.convert_to_tensor(field, "float32") for field in search))
        seen = Seen(*(ops.convert_to_tensor(field, "float32") for field in (slope, norm, value)))
        on_device = judge(rule, Limits(), tensors, seen)
        assert bool(on_host.accept) == bool(ops.convert_to_numpy(on_device.accept))
        np.testing.assert_allclose(
            [float(ops.convert_to_numpy(field)) for field in on_device.search], on_host.search, rtol=1e-3, atol=1e-6
        )


@pytest.mark.parametrize(
    ("build", "word"),
    [
        (lambda: Inexact(growth=1.0), "growth"),
        (lambda: Inexact(first_growth=0.5), "first_growth"),
        (lambda: Maximum(overshoot=-1.5), "overshoot"),
        (lambda: Bisection(precision=0.0), "precision"),
        (lambda: SlopeTracking(gain=-1.0), "gain"),
        (lambda: Quadratic(growth=0.5), "growth"),
        (lambda: Limits(smallest_step=1.0, largest_step=0.1), "largest_step"),
        (lambda: Limits(non_finite_shrink=1.0), "non_finite_shrink"),
    ],
)
def test_wrong_constants_are_refused(build, word):
    with pytest.raises(ValueError, match=rf"^\w+ takes a number .* as {word}\. Received: {word}="):
        build()


@pytest.mark.parametrize("length", [0.0, 1e-30, 1e-3])
def test_the_cap_is_the_largest_step_at_the_most_however_short_a_direction_is(length):
    assert set_out(Limits(largest_step=100.0), at_rest(1.0), -length, length, 1.0, 0.0).cap == 100.0


@pytest.mark.parametrize(("between", "position"), [([], 0.0), ([Seen(0.0, 0.0)], 0.01)], ids=["in a row", "apart"])
def test_gradients_that_are_not_finite_are_counted_in_a_row(between, position):
    search = at_rest(1.0)._replace(position=1.0, length=1.0, start_slope=-1.0)
    lost = Seen(math.nan, math.nan)
    for seen in (lost, *between, lost):
        search = judge(Inexact(), Limits(max_non_finite=2), search, seen).search
    assert search.position == pytest.approx(position)


def test_back_takes_the_smallest_step_whatever_its_slope():
    search = at_rest(1e-8)._replace(phase=SHRINKING, start_slope=-1.0)
    assert Back()(search, Seen(5.0, 5.0), 1e-8).accept
    assert not Back()(search._replace(step_size=1e-7), Seen(5.0, 5.0), 1e-8).accept
