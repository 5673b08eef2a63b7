"""What single steps show, on parabolas where all is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_lr.diagnosis import Steps
from keras_lr.diagnosis._signals import reach, reaches, stability, update_to_weight, uphill

pytestmark = pytest.mark.numpy_only


def steps_on(hessian, rate, count=5):
    """Steps of gradient descent on `w . H w / 2`, as rows of numbers."""
    random, rows = np.random.default_rng(0), []
    for _ in range(count):
        w = random.normal(size=len(hessian))
        gradient = hessian @ w
        step = -rate * gradient
        after = w + step
        slopes = gradient @ step, (hessian @ after) @ step
        rows.append([w @ hessian @ w / 2, slopes[0], after @ hessian @ after / 2, slopes[1], step @ step, w @ w])
    return Steps.of(np.array(rows))


@given(st.floats(0.01, 2.5))
def test_on_a_round_parabola_the_reach_is_the_rate_times_the_curvature(rate):
    signal = reach(steps_on(3.0 * np.eye(4), rate / 3.0))
    assert signal.value == pytest.approx(rate)
    assert signal.low == pytest.approx(rate)
    assert signal.high == pytest.approx(rate)


def test_the_reach_divides_by_the_exact_line_minimiser():
    hessian = np.diag([1.0, 5.0, 20.0])
    steps = steps_on(hessian, 0.03, count=1)
    gradient = hessian @ np.random.default_rng(0).normal(size=3)
    exact = (gradient @ gradient) / (gradient @ hessian @ gradient)  # Cauchy's step
    assert reach(steps).value == pytest.approx(0.03 / exact)
    assert reaches(steps)[0] == pytest.approx(0.03 / exact)


@pytest.mark.parametrize(
    ("rate", "share", "words"),
    [
        (0.01, 0.0, "one part in 100"),
        (0.5, 0.0, "goes 0.5 of"),
        (1.5, 0.0, "past the lowest"),
        (2.1, 1.0, "ends higher"),
    ],
)
def test_what_the_reach_means_is_said(rate, share, words):
    steps = steps_on(np.eye(3), rate)
    assert uphill(steps).value == share
    assert words in reach(steps).meaning


def test_along_a_ridge_there_is_no_lowest_point():
    steps = steps_on(-np.eye(3), 0.1)
    assert reach(steps).value < 0
    assert "bends down" in reach(steps).meaning


def test_steps_uphill_have_no_reach():
    steps = steps_on(np.eye(3), -0.1)
    assert np.isnan(reach(steps).value)
    assert np.all(np.isnan(reaches(steps)))
    assert "do not go downhill" in reach(steps).meaning


def test_the_interval_widens_with_the_scatter():
    random = np.random.default_rng(0)
    one = np.ones(400)

    def of(scatter):
        slope_after = -0.5 + scatter * random.normal(size=400)
        return reach(Steps(one, -one, one, slope_after, one, one))

    calm, wild = of(0.1), of(1.0)
    assert calm.low < 0.5 < calm.high
    # 1.645 standard errors to either side
    assert wild.high - wild.low == pytest.approx(2 * 1.645 / np.sqrt(400), rel=0.1)
    assert calm.high - calm.low == pytest.approx(0.2 * 1.645 / np.sqrt(400), rel=0.1)


@pytest.mark.parametrize(("count", "known"), [(2, False), (3, True)])
def test_an_interval_needs_three_steps(count, known):
    one = np.ones(count)
    signal = reach(Steps(one, -one, one, np.array([-0.5, -0.4, -0.6])[:count], one, one))
    assert (signal.low is not None, signal.high is not None) == (known, known)


def test_there_is_no_interval_where_a_single_step_makes_the_whole_descent():
    one = np.ones(4)
    slope = np.array([-10.0, 1.0, 1.0, 1.0])  # without the first the steps go uphill
    signal = reach(Steps(one, slope, one, slope + 3.5, length=one, weights_length=one))
    assert signal.value == pytest.approx(2.0)
    assert (signal.low, signal.high) == (None, None)


def test_the_update_to_weight_ratio():
    steps = Steps(*(np.ones(3) for _ in range(4)), np.array([0.1, 0.2, 0.4]), np.full(3, 10.0))
    signal = update_to_weight(steps)
    assert (signal.value, signal.low, signal.high) == pytest.approx((0.02, 0.01, 0.04))
    assert "50 steps" in signal.meaning


def test_steps_that_are_not_finite_are_left_out():
    numbers = np.ones((3, 6))
    numbers[1, 2] = np.nan
    assert len(Steps.of(numbers)) == 2
    assert len(Steps.of(np.full((2, 6), np.inf))) == 0
    for signal in (reach, uphill, update_to_weight):
        assert np.isnan(signal(Steps.of(np.empty((0, 6)))).value)


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("nesterov", [False, True])
def test_beyond_the_limit_gradient_descent_diverges_and_below_it_does_not(momentum, nesterov):
    """The largest eigenvalue of Keras' update on a parabola of curvature `sharpness`, as a matrix of (w, v)."""
    sharpness = 7.0

    def growth(rate):
        g, m = rate * sharpness, momentum
        step = np.array([[1 - g * (1 + m), m * m], [-g, m]]) if nesterov else np.array([[1 - g, m], [-g, m]])
        return np.max(np.abs(np.linalg.eigvals(step)))

    at_one = 1.0 / stability(sharpness, 1.0, momentum, nesterov=nesterov).value
    assert growth(0.99 * at_one) < 1 < growth(1.01 * at_one)


@pytest.mark.parametrize(
    ("rate", "words"),
    [(0.1, "stable at 10 times the rate"), (0.69, "stable at 1.4 times"), (0.71, "Beyond 1"), (3.0, "Beyond 1")],
)
def test_what_the_stability_means_is_said(rate, words):
    signal = stability(2.0, rate, 0.0)
    assert signal.value == pytest.approx(rate)  # the limit is 2 / sharpness
    assert words in signal.meaning
