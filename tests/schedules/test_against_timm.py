"""Parity with timm's schedulers, whose values were recorded by tests/oracles/record_schedules.py."""

import json
import pathlib

import numpy as np
import pytest

from keras_lr import schedules as s

RECORD = json.loads((pathlib.Path(__file__).parents[1] / "oracles" / "schedules_timm.json").read_text())
BASE, T, W = (RECORD["made_by"][name] for name in ("base", "T", "W"))
STABLE = {"constant": s.Constant(1.0), "rsqrt": s.Power(1.0, 50, 0.5), "power": s.Power(1.0, 50, 0.8)}
DECAY = {
    "linear": s.shapes.Linear(),
    "1-sqrt": s.shapes.OneMinusPower(0.5),
    "cosine": s.shapes.Cosine(),
    "power": s.shapes.OneMinusPower(1.7),
    "exp": s.shapes.Exponential(0.2),
}


def warmed(schedule):
    return s.WarmUp(schedule, W, start=0.05 / BASE, ramp=s.Ramp.FROM_START)


OURS = {
    "cosine": s.Cosine(BASE, T, 0.01),
    "cosine_warmup_prefix": warmed(s.Cosine(BASE, T, 0.01)),
    "k_decay": s.KDecay(BASE, T, 0.01, 1.5),
    "tanh": s.Tanh(BASE, T, 0.01),
    "poly": s.Polynomial(BASE, T, 0.01, 2.0),
    "step": s.Staircase(BASE, 0.3, 100),
    "multistep": s.MultiStep(BASE, (100, 300), 0.3),
} | {
    f"wsd_{stable}_{decay}": warmed(s.WSD(BASE, T, 0, 200, 0.01, DECAY[decay], STABLE[stable]))
    for stable in STABLE
    for decay in DECAY
}


@pytest.mark.parametrize("name", OURS)
def test_timm(name):
    recorded = RECORD["rates"][name]
    steps = np.array([int(step) for step in recorded])
    expected = np.array([*recorded.values()])
    if name == "multistep":  # timm counts a milestone one step early (bisect on t + 1)
        steps = steps + 1
    if name == "tanh":  # after its end timm drops to the floor; the curve itself ends at 0.0025 of the way
        steps, expected = steps[steps < T], expected[steps < T]
    if name.startswith("wsd"):  # timm never lets a falling stable part fall below the floor
        keep = expected > 0.0100001
        steps, expected = steps[keep], expected[keep]
    np.testing.assert_allclose(OURS[name].values(steps), expected, rtol=1e-12, atol=1e-12 * BASE)


def test_timm_restarts_up_to_rounding_at_the_restarts():
    recorded = RECORD["rates"]["cosine_restarts"]
    steps = np.array([int(step) for step in recorded])
    expected = np.array([*recorded.values()])
    # timm lowers the floor with the peak; ours, like Keras' alpha, does not.
    cycle = np.floor(np.log1p(steps / 100 * 0.5) / np.log(1.5))
    ours = s.CosineRestarts(BASE, 100, 1.5, 0.7, 0.0).values(steps)
    fraction = ours / (BASE * 0.7**cycle)
    np.testing.assert_allclose(0.01 + (BASE * 0.7**cycle - 0.01) * fraction, expected, rtol=1e-9)
