import numpy as np
import pytest
from keras import ops
from oracles.compiled import compiled_on_jax

from keras_lr.line_search._gaussian_process import OFFSET, posterior

found_posterior = compiled_on_jax(posterior)


def dense(places, values, slopes, noise, slope_noise, at):
    """The textbook form in float64: one Gram matrix of the offset kernel, inverted as it is."""

    def kernel(s, t):
        s, t = np.asarray(s)[:, None] + OFFSET, np.asarray(t)[None, :] + OFFSET
        m = np.minimum(s, t)
        value = m**3 / 3 + np.abs(s - t) * m**2 / 2
        mixed = np.where(s < t, s**2 / 2, s * t - t**2 / 2)
        slope_first = np.where(t < s, t**2 / 2, s * t - s**2 / 2)
        return np.block([[value, mixed], [slope_first, m]])

    n = len(places)
    gram = kernel(places, places) + np.diag([noise] * n + [slope_noise] * n)
    targets = np.concatenate([[0.0], at])
    cross = kernel(targets, places)
    mean = cross @ np.linalg.solve(gram, np.concatenate([values, slopes]))
    covariance = kernel(targets, targets) - cross @ np.linalg.solve(gram, cross.T)
    return mean, covariance, len(targets)


def call(places, values, slopes, seen, noise, slope_noise, at):
    tensors = (ops.convert_to_tensor(np.asarray(v, "float32")) for v in (places, values, slopes, seen))
    found = found_posterior(
        *tensors,
        ops.convert_to_tensor(noise, "float32"),
        ops.convert_to_tensor(slope_noise, "float32"),
        ops.convert_to_tensor(np.asarray(at, "float32")),
    )
    origin = tuple(ops.convert_to_numpy(v) for v in found.origin)
    return found._replace(**{n: ops.convert_to_numpy(v) for n, v in found._asdict().items() if n != "origin"}), origin


PLACES = np.array([0.0, 1.0, 2.0, 0.4])
VALUES = np.array([0.0, -0.6, -0.5, -0.35])
SLOPES = np.array([-1.0, -0.2, 0.3, -0.7])


@pytest.mark.parametrize(("noise", "slope_noise"), [(1e-3, 1e-2), (0.3, 0.05), (4.0, 9.0), (1e-6, 1e-6)])
def test_posterior_is_that_of_the_dense_form(noise, slope_noise):
    at = np.array([0.2, 0.4, 0.9, 1.5, 2.0, 3.5])
    mean, covariance, n = dense(PLACES, VALUES, SLOPES, noise, slope_noise, at)
    found, (origin_mean, origin_covariance) = call(PLACES, VALUES, SLOPES, np.ones(4), noise, slope_noise, at)
    close = {"rtol": 2e-3, "atol": 2e-5 if noise < 1e-3 else 1e-5}
    np.testing.assert_allclose(found.mean, mean[1:n], **close)
    np.testing.assert_allclose(found.slope, mean[n + 1 :], rtol=2e-3, atol=2e-4)
    np.testing.assert_allclose(origin_mean, mean[[0, n]], **close)
    np.testing.assert_allclose(found.variance, np.diag(covariance)[1:n], **close)
    np.testing.assert_allclose(found.slope_variance, np.diag(covariance)[n + 1 :], **close)
    np.testing.assert_allclose(found.covariance, np.diag(covariance[:n, n:])[1:], **close)
    np.testing.assert_allclose(found.origin_value, covariance[0, 1:n], **close)
    np.testing.assert_allclose(found.origin_value_slope, covariance[0, n + 1 :], **close)
    np.testing.assert_allclose(found.origin_slope_value, covariance[n, 1:n], **close)
    np.testing.assert_allclose(found.origin_slope_slope, covariance[n, n + 1 :], **close)
    np.testing.assert_allclose(origin_covariance, covariance[np.ix_([0, n], [0, n])], **close)


def test_missing_observations_change_nothing():
    at = np.array([0.2, 0.5, 0.9, 1.7, 2.0, 3.5])
    full, _ = call(PLACES, VALUES, SLOPES, np.ones(4), 0.1, 0.1, at)
    padded, _ = call([*PLACES, 1e6, 1e6], [*VALUES, 7.0, 7.0], [*SLOPES, 7.0, 7.0], [1, 1, 1, 1, 0, 0], 0.1, 0.1, at)
    np.testing.assert_allclose(padded.mean, full.mean, rtol=1e-5)
    np.testing.assert_allclose(padded.slope_variance, full.slope_variance, rtol=1e-4, atol=1e-6)


def test_mean_goes_through_data_without_noise():
    found, _ = call(PLACES, VALUES, SLOPES, np.ones(4), 0.0, 0.0, np.tile(PLACES[1:], 2))
    np.testing.assert_allclose(found.mean, np.tile(VALUES[1:], 2), atol=2e-3)
    np.testing.assert_allclose(found.slope, np.tile(SLOPES[1:], 2), atol=2e-3)


def test_more_noise_means_more_variance():
    at = np.array([0.3, 0.7, 1.2, 1.6, 2.5, 3.5])
    variances = [call(PLACES, VALUES, SLOPES, np.ones(4), n, n, at)[0].variance for n in (1e-4, 1e-2, 1.0)]
    assert np.all(variances[0] < variances[1])
    assert np.all(variances[1] < variances[2])
