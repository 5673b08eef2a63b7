"""Parity with libraries that are not installed here: rates over 12,000 steps, kept by oracles/record_schedules.py."""

import pathlib

import numpy as np
import pytest

from keras_lr import schedules as s

pytestmark = pytest.mark.numpy_only
RECORD = np.load(pathlib.Path(__file__).parents[1] / "oracles" / "schedules_recorded.npz")
STEPS = RECORD["steps"]
BASE, T, W = RECORD["constants"][0], *RECORD["constants"][1:].astype(int)


def warmed(schedule, start=0.05 / BASE, **how):
    return s.WarmUp(schedule, W, start=start, ramp=s.Ramp.FROM_START, **how)


def included(schedule):
    return warmed(schedule, start=0.0, join=s.Join.INCLUDED)


TIMM = {
    "timm cosine": s.Cosine(BASE, T, 0.01),
    "timm cosine_warmup_prefix": warmed(s.Cosine(BASE, T, 0.01)),
    "timm cosine_restarts": s.CosineRestarts(BASE, 1000, 1.5, 0.7),
    "timm k_decay": s.KDecay(BASE, T, 0.01, 1.5),
    "timm tanh": s.Tanh(BASE, T, 0.01),
    "timm poly": s.Polynomial(BASE, T, 0.01, 2.0),
    "timm step": s.Staircase(BASE, 0.3, 1000),
    "timm multistep": s.MultiStep(BASE, (1000, 3000), 0.3),
}
STABLE = {"constant": s.Constant(1.0), "rsqrt": s.Power(1.0, 50, 0.5), "power": s.Power(1.0, 50, 0.8)}
DECAY = {
    "linear": s.shapes.Linear(),
    "1-sqrt": s.shapes.OneMinusPower(0.5),
    "cosine": s.shapes.Cosine(),
    "power": s.shapes.OneMinusPower(1.7),
    "exp": s.shapes.Exponential(0.2),
}


def wsd(steps, end_learning_rate, decay, stable="constant"):
    return s.WSD(
        BASE,
        steps,
        decay_steps=1500,
        end_learning_rate=end_learning_rate,
        shape=DECAY[decay],
        stable=STABLE[stable],
    )


WSD = {f"timm wsd_{stable}_{decay}": warmed(wsd(T, 0.01, decay, stable)) for stable in STABLE for decay in DECAY}
TRANSFORMERS = {
    "transformers constant_with_warmup": warmed(s.Constant(BASE), start=0.0),
    "transformers linear": included(s.Linear(BASE, T)),
    "transformers cosine": included(s.Cosine(BASE, T)),
    "transformers cosine_three_halves": warmed(
        s.Interpolated((1800, 3600, 5400), (BASE, 0.0, BASE, 0.0), s.shapes.Cosine()), start=0.0
    ),
    "transformers cosine_with_restarts": warmed(s.CosineRestarts(BASE, 1800).then(0.0, at_step=T - W), start=0.0),
    "transformers polynomial": included(s.Polynomial(BASE, T, 0.01, 2.0)),
    "transformers inverse_sqrt": warmed(s.Power(BASE, W), start=0.0),
    "transformers cosine_with_min_lr": included(s.Cosine(BASE, T, BASE / 10)),
    "transformers cosine_warmup_with_min_lr": s.WarmUp(s.Cosine(BASE, T - W, BASE / 10), W - 1),
} | {
    f"transformers warmup_stable_decay_{decay}": warmed(wsd(T - W, BASE / 10, decay), start=0.1)
    for decay in ("linear", "cosine", "1-sqrt")
}
OTHERS = {
    "pytorch_optimizer chebyshev": s.Chebyshev(1.0, 20.0, 4096),
    "pytorch_scheduler hyperbolic": s.Hyperbolic(BASE, T, 20_000, 0.01),
    "pytorch_scheduler exp_hyperbolic": s.ExpHyperbolic(BASE, T, 20_000, 0.01),
    "pytorch_scheduler rex": s.REX(BASE, T),
    "pytorch_scheduler flat_cosine": s.FlatCosine(BASE, T, 0.01),
    "pytorch_scheduler k_decay": s.KDecay(BASE, T, 0.01, 1.5),
    "pytorch_scheduler inverse_sqrt": warmed(s.Power(BASE, W), start=0.0),
    "pytorch_scheduler slanted_triangular": s.SlantedTriangular(BASE, T),
    "pytorch_warmup linear": s.WarmUp(1.0, W, ramp=s.Ramp.SHIFTED, join=s.Join.DAMPING),
    "pytorch_warmup exponential": s.ExponentialRise(W),
    "pytorch_warmup untuned_linear": s.WarmUp(1.0, s.untuned_warmup_steps(0.999) - 1, ramp=s.Ramp.SHIFTED),  # 1999.99
    "pytorch_warmup radam": s.Rectification(0.999),
    "fastai one_cycle": s.Interpolated((T // 4, T), (BASE / 25, BASE, BASE / 1e5), s.shapes.Cosine()),
    "fastai flat_cos": s.FlatCosine(BASE, T, BASE / 1e5),
    "LRBench INV": s.InverseTime(BASE, 1e-3, power=0.7),
    "LRBench SIG": s.Logistic(BASE, 3000, 2e-3),
    "LRBench SIN": s.Sine(0.01, BASE, 500),
    "LRBench SIN2": s.Sine2(0.01, BASE, 500),
    "LRBench SINEXP": s.SineExp(0.01, BASE, 500, 0.999),
}
OURS = TIMM | WSD | TRANSFORMERS | OTHERS
SINGLE_PRECISION = {"fastai one_cycle", "fastai flat_cos"}
"""fastai computes the position within a phase in float32."""
CANCELS = {"pytorch_warmup radam": 1e-9}
"""Theirs sums the geometric series of beta^t, ours the formula of the paper: both lose digits to one minus beta^t."""


def compared(name):
    """The steps at which the two are the same schedule, and what theirs says there."""
    steps, expected = STEPS, RECORD[name]
    match name:
        case "timm multistep":  # timm counts a milestone one step early (bisect on t + 1)
            return STEPS + 1, expected
        case "timm tanh":  # after its end timm drops to the floor; the curve itself ends at 0.0025 of the way
            keep = steps < T
        case "pytorch_warmup radam":  # pytorch-warmup leaves out the first four updates, where the factor is 0
            return STEPS + 4, expected
        case "transformers cosine" | "transformers cosine_three_halves" | "transformers cosine_with_min_lr":
            # Transformers' climb again after their end.
            keep = steps <= T
        case "transformers cosine_warmup_with_min_lr":
            keep = steps < T
        case _ if name in WSD:  # timm never lets a falling stable part fall below the floor
            keep = expected > 0.0100001
        case _:
            keep = steps >= 0
    return steps[keep], expected[keep]


@pytest.mark.parametrize("name", OURS)
def test_recorded(name):
    steps, expected = compared(name)
    relative = 2e-6 if name in SINGLE_PRECISION else CANCELS.get(name, 1e-12)
    absolute = 2e-7 * BASE if name in SINGLE_PRECISION else 1e-14
    np.testing.assert_allclose(OURS[name].values(steps), expected, rtol=relative, atol=absolute)


def test_noam_is_the_inverse_square_root_counted_from_one():
    noam = s.Noam(512, W, BASE * (512 * W) ** 0.5)
    later = STEPS[1:]
    np.testing.assert_allclose(noam.values(later - 1), RECORD["pytorch_scheduler inverse_sqrt"][1:], rtol=1e-12)


def test_transformers_constant_part_of_the_inverse_square_root():
    ours = s.InverseSquareRoot(BASE, W)
    after = STEPS >= W
    np.testing.assert_allclose(ours.values(STEPS[after]), RECORD["transformers inverse_sqrt"][after], rtol=1e-12)


def test_everything_that_was_recorded_is_compared():
    assert set(RECORD.files) - {"steps", "constants"} == set(OURS)
