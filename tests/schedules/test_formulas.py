"""Formulas of the literature and of libraries that are not installed, written out plainly, in Python's own numbers."""

import math

import numpy as np
import pytest

from keras_lr import schedules as s

pytestmark = pytest.mark.numpy_only
T, W, PEAK = 1000, 100, 0.3
STEPS = range(10_001)


def transformers_cosine(t):
    if t < W:
        return PEAK * t / W
    return PEAK * max(0.0, 0.5 * (1 + math.cos(math.pi * min(1.0, (t - W) / (T - W)))))


def transformers_cosine_warmup_with_min_lr(t):
    if t < W:
        return PEAK * (0.1 + 0.9 * t / (W - 1))
    return PEAK * (0.5 * (1 + math.cos(math.pi * min(1.0, (t - W + 1) / (T - W)))) * 0.9 + 0.1)


def fastai_flat_cos(t):
    return (
        PEAK
        if t < 0.75 * T
        else PEAK / 1e5 + PEAK * (1 - 1e-5) * (1 + math.cos(math.pi * min(1, (t / T - 0.75) * 4))) / 2
    )


def slanted(t):
    cut = math.floor(T * 0.1)
    p = t / cut if t < cut else max(0.0, 1 - (t - cut) / (cut * (1 / 0.1 - 1)))
    return PEAK * (1 + p * 31) / 32


def hyperbolic_f(t, U=4000):
    return math.sqrt((T - t) / U * (2 - (T + t) / U))


def plain_hyperbolic(t):
    return PEAK + (PEAK - 0.01) * (hyperbolic_f(min(t, T)) - hyperbolic_f(0))


def plain_exp_hyperbolic(t):
    return PEAK * math.exp(math.log(PEAK / 0.01) * (hyperbolic_f(min(t, T)) - hyperbolic_f(0)))


def model_garden_underneath(t):
    decay = lambda n: PEAK * (1 - min(n, T) / T)  # noqa: E731
    return decay(W) * t / W if t < W else decay(t)


FORMULAS = {
    "step-based": (s.StepBased(PEAK, 0.5, 7), lambda t: PEAK * 0.5 ** math.floor((1 + t) / 7)),
    "step-based, every step": (s.StepBased(PEAK, 0.99, 1), lambda t: PEAK * 0.99 ** (1 + t)),
    "exponential": (s.Exponential(PEAK, 0.003), lambda t: PEAK * math.exp(-0.003 * t)),
    "Transformers linear": (
        s.WarmUp(s.Linear(PEAK, T), W, ramp=s.Ramp.FROM_START, join=s.Join.INCLUDED),
        lambda t: PEAK * (t / W if t < W else max(0.0, (T - t) / (T - W))),
    ),
    "Transformers cosine": (
        s.WarmUp(s.Cosine(PEAK, T), W, ramp=s.Ramp.FROM_START, join=s.Join.INCLUDED),
        transformers_cosine,
    ),
    "Transformers inverse_sqrt": (
        s.WarmUp(s.Power(PEAK, W, 0.5), W, ramp=s.Ramp.FROM_START),
        lambda t: PEAK * (t / W if t < W else 1 / math.sqrt((t + W - W) / W)),
    ),
    "inverse square root after W": (
        s.InverseSquareRoot(PEAK, W, 250),
        lambda t: PEAK * ((t + 1) / (W + 1) if t < W else math.sqrt(250 / (t - W + 250))),
    ),
    "Noam": (s.Noam(512, W, 2.0), lambda t: 2 * 512**-0.5 * min((t + 1) ** -0.5, (t + 1) * W**-1.5)),
    "REX": (s.REX(PEAK, T), lambda t: PEAK * (1 - min(t / T, 1)) / (0.5 + 0.5 * (1 - min(t / T, 1)))),
    "flat-cosine of fastai": (s.FlatCosine(PEAK, T, PEAK / 1e5), fastai_flat_cos),
    "slanted triangular": (s.SlantedTriangular(PEAK, T), slanted),
    "hyperbolic": (s.Hyperbolic(PEAK, T, 4000, 0.01), plain_hyperbolic),
    "exp-hyperbolic": (s.ExpHyperbolic(PEAK, T, 4000, 0.01), plain_exp_hyperbolic),
    "LRBench SIN2": (
        s.Sine2(0.01, PEAK, 50),
        lambda t: 0.01 + (PEAK - 0.01) * abs(math.sin(math.pi * t / 100)) * 0.5 ** math.floor(t / 100),
    ),
    "LRBench SINEXP": (
        s.SineExp(0.01, PEAK, 50, 0.999),
        lambda t: 0.01 + (PEAK - 0.01) * abs(math.sin(math.pi * t / 100)) * 0.999**t,
    ),
    "LRBench sigmoid": (s.Logistic(PEAK, 400, 0.02), lambda t: PEAK / (1 + math.exp(0.02 * (t - 400)))),
    "Model Garden, warm-up over the decay": (
        s.WarmUp(s.Linear(PEAK, T), W, ramp=s.Ramp.FROM_START, join=s.Join.UNDERNEATH),
        model_garden_underneath,
    ),
    "pytorch-warmup, damping": (
        s.WarmUp(s.Linear(PEAK, T), W, ramp=s.Ramp.SHIFTED, join=s.Join.DAMPING),
        lambda t: PEAK * (1 - min(t, T) / T) * min(1, (t + 1) / W),
    ),
    "pytorch-warmup, exponential": (
        s.Constant(PEAK) * s.ExponentialRise(50),
        lambda t: PEAK * (1 - math.exp(-(t + 1) / 50)),
    ),
    "infinite, annealed": (
        s.Infinite(PEAK, 0.1, W, 300).cooled_down(600, 100, end_learning_rate=0.01, shape=s.shapes.Exponential(0.1)),
        lambda t: (
            PEAK * (t + 1) / (W + 1)
            if t < W
            else 0.1 + (PEAK - 0.1) * (1 + math.cos(math.pi * min(1, (t - W) / 300))) / 2
            if t < 600
            else 0.1 * 0.1 ** min(1, (t - 600) / 100)
        ),
    ),
    "WSD-S": (
        s.WSDS(PEAK, 400, decay_steps=100, warmup_steps=50, end_learning_rate=0.01),
        lambda t: (
            PEAK * (t + 1) / 51 if t < 50 else PEAK - (PEAK - 0.01) * math.sqrt(max(0, (t - 50) % 400 - 300) / 100)
        ),
    ),
    "sum": (
        s.Linear(PEAK, T) + s.Exponential(0.1, 0.01),
        lambda t: PEAK * max(0, 1 - t / T) + 0.1 * math.exp(-0.01 * t),
    ),
    "maximum": (s.Linear(PEAK, T).at_least(0.1), lambda t: max(0.1, PEAK * (1 - t / T))),
    "delayed": (s.Exponential(PEAK, 0.01).delayed(W), lambda t: PEAK * math.exp(-0.01 * max(0, t - W))),
    "repeated": (s.Exponential(PEAK, 0.01).repeated(W), lambda t: PEAK * math.exp(-0.01 * (t % W))),
    "slowed": (
        s.Slowed(s.Linear(PEAK, 500), 250, 1000),
        lambda t: PEAK * (1 - t / 500) if t < 250 else PEAK / 2 * max(0, 1 - (t - 250) / 750),
    ),
    "power scheduler": (s.Power(PEAK, 10, 0.5).at_most(0.05), lambda t: min(0.05, PEAK * (1 + t / 10) ** -0.5)),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_formula(name):
    schedule, plain = FORMULAS[name]
    np.testing.assert_allclose(schedule.values(STEPS), [plain(t) for t in STEPS], rtol=1e-12, atol=1e-12 * PEAK)


def test_triangular2_as_published():
    expected = [0.1, 0.55, 1, 0.55, 0.1, 0.325, 0.55, 0.325, 0.1]
    np.testing.assert_allclose(s.Triangular2(0.1, 1.0, 2).values(range(9)), expected, rtol=1e-14)


def test_linear_then_exponential_as_torch_prints_it():
    chain = s.Chain((s.Linear(0.1, 3, 1.0), s.Exponential(1.0, math.log(2))), (3,))
    np.testing.assert_allclose(chain.values(range(6)), [0.1, 0.4, 0.7, 1, 0.5, 0.25], rtol=1e-14)


def test_the_first_warm_up_step_is_never_wasted_by_default():
    for schedule in (s.WarmUp(0.1, 10), s.WSD(0.1, 100, warmup_steps=10), s.Noam(64, 10), s.InverseSquareRoot(0.1, 10)):
        assert schedule.values(0) > 0


@pytest.mark.parametrize("d", [1e-12, 1e-9, 1e-6, 1e-4, 1e-3, 0.01, 0.09, 0.1, 0.11, 0.3, 1.0, 7.0])
def test_time_based_is_the_product_at_each_of_a_million_steps(d):
    """Against the recursion itself, in extended precision, and against the logarithm of the product, unrounded."""
    n = np.arange(1_000_000, dtype=np.longdouble)
    recursion = np.concatenate([[1], np.cumprod(1 / (1 + np.longdouble(d) * n))])
    normal = recursion > 1e-290
    ours = s.TimeBased(1.0, d).values(np.arange(1_000_001))
    # The product is the exponential of a logarithm of up to -667, whose last digits are its own.
    np.testing.assert_allclose(ours[normal], recursion[normal].astype(np.float64), rtol=2e-12)
    assert np.all(ours[~normal] < 1e-289)
    logs = np.log1p(d * np.arange(1_000_000))
    for step in (10, 1000, int(normal.sum()) - 1):
        assert ours[step] == pytest.approx(math.exp(-math.fsum(logs[:step])), rel=1e-12)


def test_time_based_is_not_inverse_time():
    assert s.TimeBased(1.0, 1e-3).values(100) == pytest.approx(8.283e-3, rel=1e-3)
    assert s.InverseTime(1.0, 1e-3).values(100) == pytest.approx(0.909, rel=1e-3)


def test_chebyshev_steps_solve_a_quadratic():
    """T steps shrink every error by at most 1 / T_T((M + m) / (M - m)), and in this order none grows far midway."""
    m, M, T = 0.01, 1.0, 64
    rates = s.Chebyshev(1 / M, 1 / m, T).values(range(T))
    curvatures = np.linspace(m, M, 501)
    left = np.prod(1 - rates[:, None] * curvatures, axis=0)
    bound = 1 / math.cosh(T * math.acosh((M + m) / (M - m)))
    assert np.abs(left).max() <= bound * (1 + 1e-9)
    on_the_way = np.abs(np.cumprod(1 - rates[:, None] * curvatures, axis=0)).max()
    assert np.any(np.diff(rates) > 0)
    assert np.any(np.diff(rates) < 0)
    assert on_the_way < 1e3  # 1e27 if the largest came first
    assert sorted(rates) == pytest.approx(
        sorted(1 / ((M + m) / 2 - (M - m) / 2 * np.cos((np.arange(T) + 0.5) * np.pi / T)))
    )


def test_rectification_is_radams():
    b = 0.999
    longest = 2 / (1 - b) - 1
    for n in (1, 5, 6, 100, 5000):
        rho = longest - 2 * n * b**n / (1 - b**n)
        plain = 0.0
        if rho > 4:
            plain = math.sqrt((rho - 4) * (rho - 2) * longest / ((longest - 4) * (longest - 2) * rho))
        assert s.Rectification(b).values(n - 1) == pytest.approx(plain, rel=1e-9, abs=1e-12)
    assert s.untuned_warmup_steps(0.999) == 2000


@pytest.mark.parametrize("deviation", [0.0, 0.4])
def test_noise_is_noise(deviation):
    from scipy import stats

    noisy = s.Noise(s.Constant(1.0), 0.5, deviation, seed=7, from_step=10, until_step=20_010)
    noise = noisy.values(range(10, 20_010)) - 1
    assert np.abs(noise).max() <= 0.5
    if deviation:
        inside = noise[np.abs(noise) < 0.4999]
        truncated = stats.truncnorm(-0.5 / deviation, 0.5 / deviation, scale=deviation)
        assert stats.kstest(inside, truncated.cdf).pvalue > 0.01
    else:
        assert stats.kstest(noise, stats.uniform(-0.5, 1).cdf).pvalue > 0.01
    assert abs(np.corrcoef(noise[1:], noise[:-1])[0, 1]) < 0.03
    assert np.all(noisy.values([0, 9, 20_010]) == 1)
    assert not np.any(s.Noise(s.Constant(1.0), 0.5, seed=8).values(range(100)) == 1 + noise[:100])
