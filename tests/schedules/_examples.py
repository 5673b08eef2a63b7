"""One example of every schedule, with what each promises; a schedule without a row fails the build."""

import dataclasses

import keras

from keras_lr import schedules as s


@keras.saving.register_keras_serializable("keras_lr_tests")
def half_power(cycle):
    return 0.5**cycle


@keras.saving.register_keras_serializable("keras_lr_tests")
def inverse(step):
    return 0.1 / (1 + 0.01 * step)


@dataclasses.dataclass(frozen=True)
class Row:
    schedule: s.Schedule
    low: float
    high: float
    continuous: bool = True
    start: float | None = None
    end: tuple[float, float] | None = None


def _row(schedule, low, high, **promises):
    return Row(schedule, low, high, **promises)


EXAMPLES = {
    "Constant": _row(s.Constant(0.3), 0.3, 0.3, start=0.3),
    "TimeBased": _row(s.TimeBased(0.1, 1e-3), 0, 0.1, start=0.1),
    "InverseTime": _row(s.InverseTime(0.1, 1e-3, power=0.7), 0, 0.1, start=0.1),
    "StepBased": _row(s.StepBased(0.1, 0.5, 100), 0, 0.1, continuous=False, start=0.1),
    "Staircase": _row(s.Staircase(0.1, 0.5, 100), 0, 0.1, continuous=False, start=0.1),
    "Exponential": _row(s.Exponential(0.1, 1e-3), 0, 0.1, start=0.1),
    "Piecewise": _row(
        s.Piecewise((100, 300), (0.1, 0.2, 0.05)), 0.05, 0.2, continuous=False, start=0.1, end=(300, 0.05)
    ),
    "MultiStep": _row(s.MultiStep(0.1, (100, 300), 0.3), 0, 0.1, continuous=False, start=0.1),
    "Interpolated": _row(
        s.Interpolated((100, 300), (0.1, 0.2, 0.05), s.shapes.Cosine()), 0.05, 0.2, start=0.1, end=(300, 0.05)
    ),
    "Decay": _row(s.Decay(0.1, 400, 0.01, s.shapes.Sigmoid(8.0)), 0.01, 0.1, start=0.1, end=(400, 0.01)),
    "Linear": _row(s.Linear(0.1, 400, 0.02), 0.02, 0.1, start=0.1, end=(400, 0.02)),
    "Polynomial": _row(s.Polynomial(0.1, 400, 0.02, 2.5), 0.02, 0.1, start=0.1, end=(400, 0.02)),
    "GrowingPolynomial": _row(s.GrowingPolynomial(0.1, 100, 0.02, 2.0), 0.02, 0.1, continuous=False, start=0.1),
    "Cosine": _row(s.Cosine(0.1, 400, 0.01), 0.01, 0.1, start=0.1, end=(400, 0.01)),
    "KDecay": _row(s.KDecay(0.1, 400, 0.01, 1.7), 0.01, 0.1, start=0.1, end=(400, 0.01)),
    "Tanh": _row(s.Tanh(0.1, 400, 0.01), 0.01, 0.1),
    "REX": _row(s.REX(0.1, 400, 0.01), 0.01, 0.1, start=0.1, end=(400, 0.01)),
    "FlatCosine": _row(s.FlatCosine(0.1, 400, 1e-6), 1e-6, 0.1, start=0.1, end=(400, 1e-6)),
    "Power": _row(s.Power(0.1, 50, 0.8), 0, 0.1, start=0.1),
    "InverseSquareRoot": _row(s.InverseSquareRoot(0.1, 40, 90), 0, 0.1),
    "Noam": _row(s.Noam(512, 100), 0, (512 * 100) ** -0.5),
    "CosineRestarts": _row(s.CosineRestarts(0.1, 70, 1.5, 0.8, 0.01), 0.01, 0.1, continuous=False, start=0.1),
    "Triangular": _row(s.Triangular(0.01, 0.1, 40, down_steps=60), 0.01, 0.1, start=0.01),
    "Triangular2": _row(s.Triangular2(0.01, 0.1, 40), 0.01, 0.1, start=0.01),
    "ExpRange": _row(s.ExpRange(0.01, 0.1, 40, 0.999), 0.01, 0.1, start=0.01),
    "Cyclical": _row(s.Cyclical(0.01, 0.1, 40, half_power), 0.01, 0.1, start=0.01),
    "Sine": _row(s.Sine(0.01, 0.1, 40), 0.01, 0.1, start=0.01),
    "Sine2": _row(s.Sine2(0.01, 0.1, 40, down_steps=60), 0.01, 0.1, start=0.01),
    "SineExp": _row(s.SineExp(0.01, 0.1, 40, 0.999), 0.01, 0.1, start=0.01),
    "SlantedTriangular": _row(s.SlantedTriangular(0.1, 400), 0.1 / 32, 0.1, start=0.1 / 32, end=(400, 0.1 / 32)),
    "OneCycle": _row(s.OneCycle(0.1, 400), 0.1 / 25e4, 0.1, start=0.1 / 25, end=(399, 0.1 / 25 / 1e4)),
    "OneCycleThreePhase": _row(
        s.OneCycleThreePhase(0.1, 400), 0.1 / 25e4, 0.1, start=0.1 / 25, end=(399, 0.1 / 25 / 1e4)
    ),
    "WSD": _row(
        s.WSD(0.1, 400, warmup_steps=40, decay_steps=100, end_learning_rate=0.001, stable=s.Power(1.0, 50)),
        0.001,
        0.1,
        end=(400, 0.001),
    ),
    "WSDS": _row(
        s.WSDS(0.1, 100, decay_steps=20, warmup_steps=10, end_learning_rate=0.01), 0.009, 0.1, continuous=False
    ),
    "Infinite": _row(s.Infinite(0.1, 0.02, 20, 100), 0.1 / 21, 0.1),
    "Cooldown": _row(s.Cooldown(s.Power(0.1, 50), 200, 50, 0.001), 0.001, 0.1, start=0.1, end=(250, 0.001)),
    "Hyperbolic": _row(s.Hyperbolic(0.1, 400, 1000, 0.001), 0.001, 0.1, start=0.1),
    "ExpHyperbolic": _row(s.ExpHyperbolic(0.1, 400, 1000, 0.001), 0.001, 0.1, start=0.1),
    "Logistic": _row(s.Logistic(0.1, 200, 0.02), 0, 0.1),
    "Chebyshev": _row(s.Chebyshev(0.01, 0.1, 64), 0.01, 0.1, continuous=False),
    "Noise": _row(s.Noise(s.Cosine(0.1, 400), 0.5, until_step=900), 0, 0.15, continuous=False),
    "Lambda": _row(s.Lambda(inverse), 0, 0.1, start=0.1),
    "Table": _row(s.Table.from_values([0.1, 0.2, 0.15]), 0.1, 0.2, continuous=False, start=0.1, end=(2, 0.15)),
    "WarmUp": _row(
        s.WarmUp(s.Cosine(0.1, 300), 50, shape=s.shapes.Power(2.0), start=0.1, join=s.Join.INCLUDED),
        0,
        0.1,
        end=(300, 0),
    ),
    "ExponentialRise": _row(s.ExponentialRise(100), 0, 1),
    "Rectification": _row(s.Rectification(0.99), 0, 1, continuous=False),
    "Product": _row(s.Cosine(0.1, 400) * s.Staircase(1.0, 0.5, 100), 0, 0.1, continuous=False, start=0.1),
    "Sum": _row(s.Cosine(0.1, 400) + 0.01, 0.01, 0.11, end=(400, 0.01)),
    "Minimum": _row(s.Power(0.1, 50).at_most(0.05), 0, 0.05, start=0.05),
    "Maximum": _row(s.Cosine(0.1, 400).at_least(0.02), 0.02, 0.1, start=0.1, end=(400, 0.02)),
    "Chain": _row(s.Linear(0.1, 100, 0.05).then(s.Cosine(0.05, 200), at_step=100), 0, 0.1, start=0.1, end=(300, 0.0)),
    "Delayed": _row(s.Cosine(0.1, 200).delayed(100), 0, 0.1, start=0.1, end=(300, 0.0)),
    "Repeated": _row(s.Cosine(0.1, 100).repeated(100), 0, 0.1, continuous=False, start=0.1),
    "Slowed": _row(s.Slowed(s.Cosine(0.1, 200), 100, 400), 0, 0.1, start=0.1, end=(400, 0.0)),
}
"""Bounds hold at every step; `continuous` means that one step changes the rate by less than a tenth of its range."""
