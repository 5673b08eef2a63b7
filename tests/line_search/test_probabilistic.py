import numpy as np
import pytest
from keras import ops
from oracles.compiled import compiled_on_jax
from scipy import integrate, interpolate, stats

from keras_lr.line_search._gaussian_process import posterior
from keras_lr.line_search._noisy_line import (
    NO_LINE,
    Notes,
    Proposal,
    at_origin,
    follow_misfits,
    next_first_step,
    observe,
    propose,
    set_out_line,
)
from keras_lr.line_search._probabilistic import (
    Wolfe,
    expected_improvement,
    minima_between,
    probability_of_wolfe,
    upper_orthant,
)


def tensor(values):
    return ops.convert_to_tensor(np.asarray(values, "float32"))


def test_bivariate_normal_is_scipys():
    random = np.random.default_rng(0)
    x, y = random.normal(scale=2.0, size=(2, 300))
    near_one = np.sign(random.normal(size=150)) * (1 - 10 ** random.uniform(-5, -1.2, 150))
    rho = np.concatenate([random.uniform(-1, 1, 150), near_one])
    y[225:] = x[225:] * np.sign(rho[225:]) + 0.1 * random.normal(size=75)
    expected = [
        stats.multivariate_normal.cdf([-a, -b], cov=[[1, r], [r, 1]]) for a, b, r in zip(x, y, rho, strict=True)
    ]
    found = ops.convert_to_numpy(upper_orthant(tensor(x), tensor(y), tensor(rho)))
    np.testing.assert_allclose(found, expected, atol=3e-5)


def test_expected_improvement_is_the_integral():
    def gain(f, best, mean, std):
        return max(best - f, 0.0) * stats.norm.pdf(f, mean, std)

    for best, mean, std in [(0.0, 0.3, 0.5), (-1.0, -1.5, 0.1), (2.0, 0.0, 3.0)]:
        wanted = integrate.quad(gain, mean - 9 * std, best, args=(best, mean, std))[0]
        found = expected_improvement(tensor(best), tensor(mean), tensor(std**2))
        assert float(ops.convert_to_numpy(found)) == pytest.approx(wanted, rel=1e-4, abs=1e-6)


def line(places, values, slopes, noise, at):
    n = len(places)
    return compiled_on_jax(posterior)(
        tensor(places), tensor(values), tensor(slopes), tensor(np.ones(n)), tensor(noise), tensor(noise), tensor(at)
    )


def test_a_tiny_first_step_keeps_the_measured_noise_in_its_own_unit():
    notes = set_out_line(NO_LINE, tensor(1e-8), tensor(2.0), (tensor(1e-4), tensor(1e-2)), tensor(0.0))
    assert float(ops.convert_to_numpy(notes.value_variance)) == pytest.approx(1e-4 / (1e-8 * 2.0) ** 2, rel=1e-5)
    assert float(ops.convert_to_numpy(notes.slope_variance)) == pytest.approx(1e-2 / 2.0**2, rel=1e-5)
    flat = set_out_line(NO_LINE, tensor(0.0), tensor(0.0), (tensor(1.0), tensor(1.0)), tensor(0.0))
    assert np.isfinite(ops.convert_to_numpy(flat.value_variance))
    assert np.isfinite(ops.convert_to_numpy(flat.slope_variance))


def test_probability_of_wolfe_is_the_share_of_sampled_functions():
    places, at, noise = [0.0, 1.0], np.array([0.6, 1.0, 1.8]), 0.05
    found = line(places, [0.0, -0.4], [-1.0, 0.1], noise, at)
    conditions = Wolfe(decrease=0.1, curvature=0.6)
    probability = ops.convert_to_numpy(
        compiled_on_jax(lambda at, found: probability_of_wolfe(conditions, at, found))(tensor(at), found)
    )
    random = np.random.default_rng(0)
    mean0, cov0 = (ops.convert_to_numpy(v).astype("float64") for v in found.origin)
    parts = {k: ops.convert_to_numpy(v).astype("float64") for k, v in found._asdict().items() if k != "origin"}
    for i, t in enumerate(at):
        mean = [*mean0, parts["mean"][i], parts["slope"][i]]
        c = np.zeros((4, 4))
        c[:2, :2] = cov0
        c[0, 2], c[0, 3] = parts["origin_value"][i], parts["origin_value_slope"][i]
        c[1, 2], c[1, 3] = parts["origin_slope_value"][i], parts["origin_slope_slope"][i]
        c[2, 2], c[3, 3], c[2, 3] = parts["variance"][i], parts["slope_variance"][i], parts["covariance"][i]
        c = np.triu(c) + np.triu(c, 1).T
        f0, s0, f, s = random.multivariate_normal(mean, c, size=200_000, check_valid="ignore").T
        upper = 2 * conditions.curvature * (abs(mean0[1]) + 2 * np.sqrt(cov0[1, 1]))
        b = s - conditions.curvature * s0
        share = np.mean((f0 - f + conditions.decrease * t * s0 >= 0) & (b >= 0) & (b <= upper))
        assert probability[i] == pytest.approx(share, abs=0.01)


def test_minima_are_those_of_the_cubic_spline():
    places = np.array([0.0, 1.0, 2.5, 3.0])
    values, slopes = np.array([0.0, -0.5, -0.2, -0.3]), np.array([-1.0, 0.4, -0.5, 0.3])
    found = line(places, values, slopes, 0.0, places)
    spline = interpolate.CubicHermiteSpline(places, ops.convert_to_numpy(found.mean), ops.convert_to_numpy(found.slope))
    at, exist = minima_between(tensor(places), tensor(np.ones(4)), found)
    at, exist = ops.convert_to_numpy(at), ops.convert_to_numpy(exist)
    roots = spline.derivative().roots(extrapolate=False)
    minima = [r for r in roots if spline.derivative(2)(r) > 0]
    assert exist.sum() == len(minima) >= 2
    np.testing.assert_allclose(at[exist], minima, rtol=1e-3)


def proposal(rows, value_variance, slope_variance):
    """The newest of the rows (t, value, slope) is judged; two rows stay empty."""
    rows = np.array(rows)
    observed = at_origin(len(rows) + 2, "float32")
    notes = NO_LINE._replace(
        value_variance=value_variance, slope_variance=slope_variance, reach=1.0, used=1.0 * len(rows)
    )
    notes = Notes(*map(tensor, notes))
    for i, (t, value, slope) in enumerate(rows[1:], start=1):
        observed = observe(observed, notes._replace(used=tensor(1.0 * i)), tensor(t), tensor(value), tensor(slope))
    found = compiled_on_jax(lambda observed, notes, t: propose(Wolfe(), observed, notes, t))(
        observed, notes, tensor(rows[-1, 0])
    )
    return Proposal(*(float(ops.convert_to_numpy(part)) for part in found))


def test_a_line_that_only_descends_is_followed_beyond_its_farthest_trial():
    found = proposal([(0.0, 0.0, -1.0), (1.0, -1.0, -1.0)], 0.0, 0.0)
    assert (found.accept, found.beyond, found.last) == (False, True, False)
    assert found.place == pytest.approx(2.0)


def test_a_minimum_between_two_trials_is_tried():
    found = proposal([(0.0, 0.0, -1.0), (4.0, 4.0, 3.0)], 0.0, 0.0)
    assert (found.accept, found.beyond, found.last) == (False, False, False)
    assert found.place == pytest.approx(1.0, rel=1e-2)  # t² / 2 - t


def test_a_mean_that_ascends_from_the_origin_on_ends_the_search_with_a_small_step():
    found = proposal([(0.0, 0.0, -1.0), (1.0, 5.0, 5.0)], 0.01, 100.0)
    assert (found.accept, found.last) == (False, True)
    assert found.place == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("step", "expected"), [(1.0, 2.0), (499.0, 998.0), (501.0, 10.0), (0.051, 0.102), (0.049, 10.0)]
)
def test_the_next_line_begins_with_the_mean_step_where_the_accepted_one_is_far_off_it(step, expected):
    """Far off are more than a hundredfold and less than a hundredth: one step by noise does not set the scale."""
    found = next_first_step(Wolfe(expansion=2.0), tensor(step), tensor(10.0))
    assert float(ops.convert_to_numpy(found)) == pytest.approx(expected)


@pytest.mark.parametrize(("used", "misfits"), [(1.0, (0.5 * 4.0**2, 0.5 * 0.5**2)), (2.0, (7.0, 8.0))])
def test_two_batches_are_compared_at_the_first_trial_of_a_line_only(used, misfits):
    """Farther out a misfit is the loss's own curvature, and as noise it would have every step accepted."""
    notes = NO_LINE._replace(steepness=2.0, used=used, value_misfit=7.0, slope_misfit=8.0)
    notes = Notes(*map(tensor, notes))
    # Of a step 1 and slopes -2 and -1 comes a rise of -1.5; 2.5 is 4 more.
    found = follow_misfits(Wolfe(memory=0.0), notes, tensor(1.0), tensor(2.5), tensor(-1.0))
    assert [float(ops.convert_to_numpy(v)) for v in (found.value_misfit, found.slope_misfit)] == pytest.approx(misfits)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"decrease": 0.6}, "decrease"),
        ({"probability": 1.5}, "probability"),
        ({"max_evaluations": 1}, "evaluations"),
        ({"expansion": 0.0}, "expansion"),
        ({"memory": 1.0}, "memory"),
        ({"reset": 1.0}, "reset"),
    ],
)
def test_wrong_constants_are_refused(arguments, word):
    with pytest.raises(ValueError, match=word):
        Wolfe(**arguments)
