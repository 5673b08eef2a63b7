"""Every scalar search on the lines of Moré and Thuente and on random ones, its condition re-evaluated in float64."""

import contextlib

import keras
import numpy as np
import optax
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize._linesearch import scalar_search_wolfe2

from keras_lr.line_search import PAL, Backtracking, Goldstein, HagerZhang, Line, Point, Status, StrongWolfe

# J. Moré, D. Thuente 1994, Line search algorithms with guaranteed sufficient decrease, section 5: functions 1 to 6.


def more_thuente_1(a, b=2.0):
    return -a / (a * a + b), (a * a - b) / (a * a + b) ** 2


def more_thuente_2(a, b=0.004):
    return (a + b) ** 5 - 2 * (a + b) ** 4, 5 * (a + b) ** 4 - 8 * (a + b) ** 3


def more_thuente_3(a, b=0.01, pieces=39):
    inner = np.where(a <= 1 - b, 1 - a, np.where(a >= 1 + b, a - 1, (a - 1) ** 2 / (2 * b) + b / 2))
    slope = np.where(a <= 1 - b, -1.0, np.where(a >= 1 + b, 1.0, (a - 1) / b))
    wave = pieces * np.pi / 2
    return inner + 2 * (1 - b) / (pieces * np.pi) * np.sin(wave * a), slope + (1 - b) * np.cos(wave * a)


def yanai(b1, b2):
    def gamma(b):
        return np.sqrt(1 + b * b) - b

    def function(a):
        p, q = np.sqrt((1 - a) ** 2 + b2 * b2), np.sqrt(a * a + b1 * b1)
        return gamma(b1) * p + gamma(b2) * q, -gamma(b1) * (1 - a) / p + gamma(b2) * a / q

    return function


LINES = {
    "more_thuente_1": more_thuente_1,
    "more_thuente_2": more_thuente_2,
    "more_thuente_3": more_thuente_3,
    "yanai_4": yanai(0.001, 0.001),
    "yanai_5": yanai(0.01, 0.001),
    "yanai_6": yanai(0.001, 0.01),
}


@contextlib.contextmanager
def double_precision():
    if keras.backend.backend() == "jax":
        import jax

        with jax.enable_x64(True):
            yield
    else:
        yield


class Counted:
    """A line in NumPy's float64, evaluated eagerly by a search, every evaluation counted."""

    def __init__(self, function):
        self.function, self.calls = function, 0

    def line(self):
        return Line(lambda a: self.at(a)[0], self.at)

    def at(self, alpha):
        self.calls += 1
        value, slope = self.function(np.float64(keras.ops.convert_to_numpy(alpha)))
        return tensor(value), tensor(slope)


def tensor(value):
    return keras.ops.convert_to_tensor(np.float64(value), dtype="float64")


def search(method, function, first):
    """Run a search eagerly in float64: the loop is Python's, so that NumPy can evaluate the line."""
    counted = Counted(function)
    with double_precision(), eager_loops():
        value, slope = function(0.0)
        start = Point(tensor(0.0), tensor(value), tensor(slope))
        accepted = method(counted.line(), start, tensor(first))
        numbers = [np.float64(keras.ops.convert_to_numpy(v)) for v in accepted]
    return type(accepted)(*numbers), counted.calls


@contextlib.contextmanager
def eager_loops():
    """`ops.while_loop` in Python, as PyTorch does it anyway."""

    def while_loop(condition, body, loop_vars, maximum_iterations=None):
        state = tuple(loop_vars)
        while bool(keras.ops.convert_to_numpy(condition(*state))):
            state = tuple(body(*state))
        return state

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.ops, "while_loop", while_loop)
        yield


def holds(method, function, alpha):
    """The condition of a search, in NumPy's float64, with a few units of rounding."""
    f0, s0 = function(0.0)
    f, s = function(alpha)
    noise = 1e-13 * (abs(f0) + abs(f)) + 1e-300
    decreases = f <= f0 + method.decrease * alpha * s0 + noise
    if isinstance(method, StrongWolfe):
        return decreases and abs(s) <= method.curvature * abs(s0) * (1 + 1e-12)
    if isinstance(method, Goldstein):
        return decreases and f >= f0 + (1 - method.decrease) * alpha * s0 - noise
    if isinstance(method, HagerZhang):
        nearly = s <= (2 * method.decrease - 1) * s0 * (1 - 1e-12) + 1e-300
        nearly = nearly and f <= f0 + method.tolerance * abs(f0) + noise
        return (decreases or nearly) and s >= method.curvature * s0 * (1 + 1e-12)
    return decreases


METHODS = [
    Backtracking(),
    Backtracking(decrease=1e-4, adaptive=False),
    Goldstein(decrease=0.25, longest=1e4, max_evaluations=60),
    StrongWolfe(max_evaluations=40),
    StrongWolfe(decrease=1e-3, curvature=1e-2, max_evaluations=40),
    HagerZhang(),
]


@pytest.mark.parametrize("first", [1e-3, 1e-1, 1e1, 1e3])
@pytest.mark.parametrize("name", LINES)
@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_the_condition_holds_on_the_lines_of_more_and_thuente(method, name, first):
    accepted, calls = search(method, LINES[name], first)
    assert calls == accepted.evaluations <= method.max_evaluations
    assert accepted.alpha > 0
    assert accepted.status == Status.ACCEPTED
    assert holds(method, LINES[name], accepted.alpha)
    assert accepted.value == pytest.approx(LINES[name](accepted.alpha)[0], rel=1e-12)


@pytest.mark.parametrize("name", LINES)
def test_strong_wolfe_needs_about_as_many_evaluations_as_scipy_and_optax(name):
    function, method = LINES[name], StrongWolfe(decrease=1e-3, curvature=0.1, max_evaluations=40)
    _, ours = search(method, function, 1.0)
    theirs = [0]

    def value(a):
        theirs[0] += 1
        return function(a)[0]

    alpha, *_ = scalar_search_wolfe2(value, lambda a: function(a)[1], c1=1e-3, c2=0.1, maxiter=40)
    assert alpha is not None
    assert ours <= max(2 * theirs[0], theirs[0] + 4)


def _random_line(draw_numbers):
    """A smooth line that goes down at 0 and up far away: a parabola, waves on it, and a kink made round."""
    curvature, slope, amplitude, frequency, kink = draw_numbers

    def function(a):
        root = np.sqrt((a - kink) ** 2 + 1e-2)
        value = 0.5 * curvature * a * a - slope * a + amplitude * np.sin(frequency * a) + 0.1 * root
        return value, curvature * a - slope + amplitude * frequency * np.cos(frequency * a) + 0.1 * (a - kink) / root

    return function


numbers = st.tuples(st.floats(1e-3, 1e3), st.floats(1e-2, 1e2), st.floats(0, 1), st.floats(0, 10), st.floats(0.1, 10))


@pytest.mark.parametrize("method", [METHODS[0], METHODS[2], METHODS[3], METHODS[5]], ids=lambda m: type(m).__name__)
@settings(max_examples=250, deadline=None)
@given(numbers=numbers, first=st.floats(1e-4, 1e3))
def test_alpha_above_zero_means_that_the_condition_holds(method, numbers, first):
    function = _random_line(numbers)
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
@settings(max_examples=20, deadline=None)
@given(numbers=numbers, factor=st.sampled_from([0.25, 4.0]), shift=st.sampled_from([-8.0, 0.0, 8.0]))
def test_scaling_the_loss_changes_no_step(method, numbers, factor, shift):
    function = _random_line(numbers)
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
    [((1.0, 1.0), Status.NOT_A_DESCENT), ((1.0, 0.0), Status.NOT_A_DESCENT), ((np.nan, -1.0), Status.NOT_FINITE)],
)
def test_no_step_where_the_line_does_not_descend(method, start, status):
    accepted, _ = search(method, lambda a: (start[0] + start[1] * a, start[1]), 1.0)
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


def test_the_conditions_are_those_of_scipy_and_optax():
    """What SciPy's and optax' searches accept, our conditions accept."""
    method = StrongWolfe(decrease=1e-4, curvature=0.9)
    for function in LINES.values():
        alpha, *_ = scalar_search_wolfe2(lambda a: function(a)[0], lambda a: function(a)[1], c1=1e-4, c2=0.9)  # noqa: B023
        assert holds(method, function, alpha)


def test_a_failed_backtracking_says_so_and_does_not_move():
    accepted, calls = search(Backtracking(max_evaluations=3), lambda a: (1.0 + a, -1.0), 1.0)
    assert (accepted.alpha, accepted.status, calls) == (0.0, Status.BUDGET_SPENT, 3)
    assert "did not move" in Status(int(accepted.status)).sentence


def test_adaptive_backtracking_needs_fewer_evaluations():
    def function(a):
        return (1e4 * (a - 1e-4) ** 2, 2e4 * (a - 1e-4))

    _, adaptive = search(Backtracking(shrink=0.9, max_evaluations=200), function, 1.0)
    _, fixed = search(Backtracking(shrink=0.9, adaptive=False, max_evaluations=200), function, 1.0)
    assert adaptive <= 5 < 50 < fixed


def test_the_zoom_of_optax_takes_a_step_that_satisfies_our_conditions():
    jax = pytest.importorskip("jax")
    if keras.backend.backend() != "jax":
        pytest.skip("optax runs on JAX")
    zoom = optax.scale_by_zoom_linesearch(20, initial_guess_strategy="one")

    def value(x):
        return 0.5 * 3.0 * x * x - 2.0 * x + jax.numpy.sin(5 * x)

    def function(a):
        return 1.5 * a * a - 2.0 * a + np.sin(5 * a), 3.0 * a - 2.0 + 5 * np.cos(5 * a)

    x = jax.numpy.asarray(2.0)
    gradient = jax.grad(value)(x)
    update, _ = zoom.update(-gradient, zoom.init(x), x, value=value(x), grad=gradient, value_fn=value)

    def along(a):
        value, slope = function(2.0 - a * float(gradient))
        return value, -float(gradient) * slope

    assert holds(StrongWolfe(curvature=0.9), along, float(update / -gradient))


def test_scipy_line_search_agrees_on_rosenbrock():
    x = np.array([-1.2, 1.0])
    direction = -scipy.optimize.rosen_der(x)

    def function(a):
        return scipy.optimize.rosen(x + a * direction), scipy.optimize.rosen_der(x + a * direction) @ direction

    accepted, ours = search(StrongWolfe(), function, 1.0)
    theirs = scipy.optimize.line_search(scipy.optimize.rosen, scipy.optimize.rosen_der, x, direction)
    assert holds(StrongWolfe(), function, accepted.alpha)
    assert ours <= 1.5 * theirs[1]
