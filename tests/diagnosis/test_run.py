"""What the steps of a run say of its rate."""

import numpy as np
import pytest

from keras_lr.diagnosis import Judgement
from keras_lr.diagnosis._run import LEAST_LOOKS, judge_run
from keras_lr.diagnosis._signals import Step

pytestmark = pytest.mark.numpy_only


def steps_of(reaches):
    numbers = np.ones((len(reaches), 6))
    numbers[:, 1] = -1.0
    numbers[:, 3] = np.asarray(reaches) - 1.0
    return numbers


def run_of(reaches):
    return judge_run(np.arange(len(reaches)) * 10, steps_of(reaches))


@pytest.mark.parametrize(
    ("reach", "judgement"),
    [(0.01, Judgement.TOO_LOW), (-0.1, Judgement.TOO_LOW), (0.5, Judgement.UNDECIDED), (1.5, Judgement.TOO_HIGH)],
)
def test_short_steps_are_too_low_and_long_ones_too_high(reach, judgement):
    diagnosis = run_of([reach] * 20)
    assert diagnosis.judgement is judgement
    assert diagnosis.verdict.factor is None
    assert diagnosis.signals[0].value == pytest.approx(reach)


def test_the_first_tenth_is_not_judged():
    assert run_of([50.0, 50.0] + [0.5] * 18).judgement is Judgement.UNDECIDED


NAN = np.nan
DEAD, BAD_BATCH = [NAN] * 6, [NAN, NAN, NAN, NAN, 1.0, 1.0]
TOO_FAR, BAD_GRADIENT = [1.0, -1.0, np.inf, NAN, 1.0, 1.0], [1.0, NAN, NAN, NAN, NAN, 1.0]


@pytest.mark.parametrize(
    ("reach", "failed", "judgement", "says"),
    [
        (2.5, DEAD, Judgement.TOO_HIGH, "2.5 times as far as to the lowest loss, until it was not finite"),
        (0.5, TOO_FAR, Judgement.TOO_HIGH, "A step led to a loss that was not finite"),
        (1e-5, DEAD, Judgement.UNDECIDED, "look for NaN and infinity in the data"),
        (1e-5, BAD_BATCH, Judgement.UNDECIDED, "look for NaN and infinity in the data"),
        (1e-5, BAD_GRADIENT, Judgement.UNDECIDED, "look for NaN and infinity in the data"),
    ],
)
@pytest.mark.parametrize("goes_on", [False, True], ids=["to the end", "one batch"])
def test_a_loss_that_is_not_finite_is_laid_to_the_rate_where_steps_went_too_far(
    reach, failed, judgement, says, goes_on
):
    numbers = steps_of([reach] * 20)
    numbers[12 : 13 if goes_on else 20] = failed
    diagnosis = judge_run(np.arange(20), numbers)
    assert diagnosis.judgement is judgement
    assert says in diagnosis.verdict.reason
    assert "keras_lr.diagnose tries other rates" in diagnosis.verdict.reason
    assert diagnosis.diverged
    assert len(diagnosis.at) == len(diagnosis.steps) == (19 if goes_on else 12)


@pytest.mark.parametrize(("failed", "says"), [(DEAD, "Lower `every`"), (BAD_BATCH, "look for NaN and infinity")])
def test_a_loss_that_is_not_finite_at_the_first_look_is_undecided(failed, says):
    diagnosis = judge_run(np.arange(3), [failed] * 3)
    assert diagnosis.judgement is Judgement.UNDECIDED
    assert says in diagnosis.verdict.reason


@pytest.mark.parametrize("looks", [0, 1, LEAST_LOOKS - 1])
def test_a_few_steps_say_nothing(looks):
    diagnosis = run_of([0.01] * looks)
    assert diagnosis.judgement is Judgement.UNDECIDED
    assert "lower `every`" in str(diagnosis)


def test_the_chart_pools_a_tenth_of_the_steps():
    reaches = np.linspace(0.0, 5.0, 40)
    chart = run_of(reaches).report().parts[-1]
    (pooled,), (each,) = chart.lines, chart.points
    np.testing.assert_allclose(pooled.x, 10 * np.arange(40).reshape(10, 4).mean(1))
    np.testing.assert_allclose(pooled.y, reaches.reshape(10, 4).mean(1))  # the slopes before the steps are alike
    assert pooled.name == "pooled over 4"
    np.testing.assert_allclose(each.x, 10 * np.arange(40))
    np.testing.assert_allclose(each.y, np.minimum(reaches, 4.0))
    few = run_of(reaches[:9]).report().parts[-1]
    np.testing.assert_allclose(few.lines[0].y, reaches[:9])
    assert few.points == ()


def test_it_prints_plots_and_saves(tmp_path):
    diagnosis = run_of(np.linspace(0.02, 0.08, 100))
    assert "too low" in str(diagnosis)
    for signal in diagnosis.signals:
        assert signal.meaning in " ".join(str(diagnosis).split())
    (axes,) = diagnosis.plot()
    assert axes.get_xlabel() == "step of the run"
    diagnosis.save(tmp_path / "run.html")
    diagnosis.save(tmp_path / "run.json")


def first_step(loss, slope, after):
    return Step(loss, slope, after, slope_after=0.0, squared_length=1.0, squared_weights_length=1.0)


@pytest.mark.parametrize("after", [2.1, 1e9, np.inf, NAN])
@pytest.mark.parametrize("then", [steps_of([0.5] * 20), [DEAD] * 20, np.empty((0, 6))], ids=["calm", "dead", "unseen"])
def test_a_first_step_that_raises_the_loss_of_its_batch_is_too_high_whatever_comes(after, then):
    diagnosis = judge_run(np.arange(len(then)), then, first_step(2.0, -1.0, after))
    assert diagnosis.judgement is Judgement.TOO_HIGH
    assert "from 2 to" in diagnosis.verdict.reason


@pytest.mark.parametrize(
    "first",
    [
        first_step(2.0, -1.0, 1.9),
        first_step(2.0, -1e-9, 2.0 + 1e-6),  # rounding, at a tiny rate
        first_step(-2.0, -1.0, -1.99),
        first_step(NAN, NAN, NAN),
        first_step(2.0, NAN, NAN),  # the gradient, not the step
    ],
)
def test_any_other_first_step_changes_nothing(first):
    numbers = steps_of([0.5] * 20)
    with_it, without = judge_run(np.arange(20), numbers, first), judge_run(np.arange(20), numbers)
    assert with_it.verdict == without.verdict
