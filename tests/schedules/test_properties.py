"""Properties of compositions and units, over drawn examples; refusals; pictures and files."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_lr import schedules as s

STEPS = np.arange(0, 400)
rates = st.floats(1e-4, 1.0)
lengths = st.integers(1, 120)
pieces = st.one_of(
    st.builds(s.Cosine, rates, lengths),
    st.builds(s.Linear, rates, lengths, rates),
    st.builds(s.Exponential, rates, st.floats(0, 0.1)),
    st.builds(s.StepBased, rates, st.floats(0.1, 1), lengths),
    st.builds(s.CosineRestarts, rates, lengths, st.floats(1, 3)),
)


@pytest.mark.numpy_only
@given(pieces, pieces, pieces, lengths, lengths)
def test_chains_are_associative(a, b, c, first, second):
    left = a.then(b, at_step=first).then(c, at_step=first + second)
    right = a.then(b.then(c, at_step=second), at_step=first)
    flat = s.Chain((a, b, c), (first, first + second))
    np.testing.assert_allclose(left.values(STEPS), flat.values(STEPS), rtol=1e-12)
    np.testing.assert_allclose(right.values(STEPS), flat.values(STEPS), rtol=1e-12)


@pytest.mark.numpy_only
@given(pieces, pieces, lengths, st.floats(0.1, 10))
def test_scaling_commutes_with_chaining(a, b, at, factor):
    chained = a.then(b, at_step=at) * factor
    np.testing.assert_allclose(
        chained.values(STEPS), (a * factor).then(b * factor, at_step=at).values(STEPS), rtol=1e-12
    )


@pytest.mark.numpy_only
@given(pieces, lengths, st.floats(0, 1), st.sampled_from(s.Ramp))
def test_a_prefixed_warm_up_rises_to_the_peak_and_then_is_the_schedule(inner, warmup, start, ramp):
    warmed = inner.warmed_up(warmup, start=start, ramp=ramp)
    ramped = warmed.values(np.arange(warmup))
    assert np.all(np.diff(ramped) >= -1e-15)
    assert np.all(ramped <= inner.values(0) * (1 + 1e-15))
    np.testing.assert_array_equal(warmed.values(STEPS + warmup), inner.values(STEPS))


@pytest.mark.numpy_only
@pytest.mark.parametrize(
    "schedule",
    [
        s.GrowingPolynomial(1.0, 13, power=0.5).stretched(1 / 3),
        s.Triangular(0.0, 1.0, 5, down_steps=6).stretched(1 / 3),
        s.Sine(0.0, 1.0, 5, down_steps=6).stretched(1 / 10),
    ],
    ids=lambda schedule: type(schedule).__name__,
)
def test_a_turning_point_between_two_steps_is_rounded_to_no_rate_below_0(schedule):
    assert np.all(schedule.values(range(1000)) >= 0)


@pytest.mark.numpy_only
def test_a_share_of_the_run_that_is_a_whole_number_of_steps_is_not_one_less():
    assert 100 * 0.29 < 29
    assert s.SlantedTriangular(1.0, 100, cut=0.29).values(range(101)).argmax() == 29


@pytest.mark.numpy_only
def test_parts_may_take_the_whole_of_a_run_or_a_period():
    assert s.FlatCosine(1.0, 10, flat=1.0).values([9, 10, 11]).tolist() == [1, 1, 0]
    assert s.WSDS(1.0, 2, decay_steps=2, shape=s.shapes.Linear()).values(range(4)).tolist() == [1, 0.5, 1, 0.5]


@pytest.mark.numpy_only
@pytest.mark.parametrize("join", [s.Join.UNDERNEATH, s.Join.DAMPING])
def test_a_warm_up_ends_after_the_schedule_under_it_where_it_is_longer(join):
    warmed = s.Linear(1.0, 4, 0.5).warmed_up(10, join=join)
    assert warmed.end_step == 10
    assert warmed.values(9) < warmed.values(10) == 0.5


@pytest.mark.numpy_only
@pytest.mark.parametrize(
    ("cycle", "rates"),
    [
        (s.OneCycle(1.0, 5, rise=0.0), [0.04, 0.853554, 0.500002, 0.14645, 4e-6, 4e-6]),
        (s.OneCycle(1.0, 5, rise=1.0), [0.04, 0.180589, 0.52, 0.859411, 4e-6, 4e-6]),
        (s.OneCycleThreePhase(1.0, 3, rise=0.1), [0.04, 0.020002, 4e-6, 4e-6]),
    ],
)
def test_one_cycle_has_its_ends_whatever_the_share_of_the_climb(cycle, rates):
    assert cycle.values(range(len(rates))).tolist() == pytest.approx(rates, rel=1e-4)


@pytest.mark.numpy_only
@given(pieces)
def test_the_configuration_holds_everything(schedule):
    for one in (schedule, schedule.warmed_up(7) * schedule, schedule.delayed(3).repeated(9).at_least(0.1)):
        assert s.from_json(one.to_json()) == one
        assert eval(repr(one), vars(s)) == one


@pytest.mark.numpy_only
@given(st.integers(2, 500), st.floats(0.2, 5))
def test_one_knob_stretches_everything(steps, factor):
    schedule = s.WSD(0.1, 4 * steps, warmup_steps=steps, decay_steps=steps).then(
        s.Cosine(0.1, steps), at_step=4 * steps
    )
    at = np.array([2.0, 4.5, 4.75]) * steps
    np.testing.assert_allclose(
        schedule.stretched(factor).values(at * factor), schedule.values(at), rtol=1e-9, atol=1e-12
    )


@pytest.mark.numpy_only
def test_a_trial_may_have_a_part_of_a_step_and_be_saved():
    trial = s.WSD(0.1, 1000, warmup_steps=5, decay_steps=50).stretched(0.1)
    assert trial.warmup_steps == 0.5
    assert s.from_json(trial.to_json()) == trial
    assert trial.stretched(10) == s.WSD(0.1, 1000, warmup_steps=5, decay_steps=50)
    with pytest.raises(ValueError, match=r"at least one step as warmup_steps.* warmup_steps=0\.5\. .*Fraction\(0\.5\)"):
        s.WSD(0.1, 1000, warmup_steps=0.5)


@pytest.mark.numpy_only
def test_units_become_steps_in_every_part():
    schedule = s.WarmUp(s.Chain((s.Cosine(0.1, s.Fraction(0.5)), 0.01), (s.Epochs(3),)), s.Epochs(0.5))
    assert not schedule.is_resolved()
    expected = s.WarmUp(s.Chain((s.Cosine(0.1, 500), 0.01), (300,)), 50)
    assert schedule.resolved(steps_per_epoch=100, total_steps=1000) == expected
    with pytest.raises(ValueError, match=r"`total_steps`.*None"):
        schedule.resolved(steps_per_epoch=100)
    with pytest.raises(ValueError, match=r"boundaries is Epochs.*`steps_per_epoch`"):
        schedule.resolved(total_steps=100)
    with pytest.raises(ValueError, match=r"resolved\(steps_per_epoch"):
        schedule.values(0)


@pytest.mark.numpy_only
@pytest.mark.parametrize("length", ["end_step", "ramp_steps"])
@pytest.mark.parametrize(
    "schedule",
    [
        s.OneCycle(0.1, s.Fraction(1)),
        s.WSD(0.1, s.Fraction(1), warmup_steps=s.Epochs(1)),
        s.Cosine(0.1, s.Epochs(3)).warmed_up(s.Epochs(1)) * 0.5,
        s.Constant(0.1).then(s.Cosine(0.1, s.Epochs(3)), at_step=10),
    ],
)
def test_a_length_that_nobody_knows_yet_is_refused_as_a_rate_is(schedule, length):
    with pytest.raises(ValueError, match=r"nobody said yet how many steps that is.*`\.resolved\("):
        getattr(schedule, length)
    assert getattr(schedule.resolved(steps_per_epoch=10, total_steps=100), length) >= 0


@pytest.mark.numpy_only
@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        (s.MultiStep(1.0, (s.Fraction(0.3), s.Fraction(0.6)), 0.5), [1, 0.25, 0.25]),
        (s.Piecewise((s.Fraction(0.3), s.Fraction(0.6)), (1.0, 0.5, 0.2)), [1, 0.2, 0.2]),
        (s.Interpolated((s.Fraction(0.3), s.Fraction(0.6)), (1.0, 0.5, 0.2)), [1, 0.2, 0.2]),
        (s.Interpolated((s.Fraction(0.3), s.Fraction(0.6), s.Fraction(1)), (1.0, 0.5, 0.2, 0.1)), [1, 0.2, 0.1]),
        (s.Chain((1.0, 0.5, 0.2), (s.Fraction(0.3), s.Fraction(0.6))), [1, 0.2, 0.2]),
        (s.Noise(1.0, from_step=s.Fraction(0.3), until_step=s.Fraction(0.6)), [1, 1, 1]),
    ],
)
def test_lengths_may_fall_together_in_a_run_too_short_for_them(schedule, rates):
    short = schedule.resolved(total_steps=2)
    assert short.values(range(3)).tolist() == rates
    assert s.from_json(short.to_json()) == short
    assert schedule.resolved(total_steps=100).values(45) != rates[-1] or isinstance(schedule, s.Noise)


@pytest.mark.numpy_only
@given(st.integers(10, 500), st.sampled_from([0.1, 0.25, 0.3, 0.35, 0.5]))
def test_parts_of_a_run_are_together_never_longer_than_it(total_steps, part):
    schedule = s.WSD(0.1, s.Fraction(1), warmup_steps=s.Fraction(part), decay_steps=s.Fraction(1 - part))
    schedule = schedule.resolved(total_steps=total_steps)
    assert total_steps - 1 <= schedule.warmup_steps + schedule.decay_steps <= total_steps


@pytest.mark.numpy_only
def test_a_repetition_that_begins_between_two_steps_begins_at_the_first_rate():
    """187 is 170 times 1.1, in floats as in numbers, but 170 times the float 1.1 is a little more."""
    assert s.Table.from_values([1.0, 0.5, 0.25]).repeated(1.1).values(187) == 1.0


@pytest.mark.numpy_only
def test_a_schedule_is_divided_by_a_number():
    assert (s.Cosine(0.1, 10) / 2).values(range(12)).tolist() == (s.Cosine(0.1, 10) * 0.5).values(range(12)).tolist()


@pytest.mark.numpy_only
@pytest.mark.parametrize(
    ("schedule", "table"), [(s.Table.from_values([0.1] * 9), "table"), (s.Chebyshev(0.1, 1.0, 8), "_table")]
)
def test_a_table_is_made_once_and_is_no_part_of_the_value(schedule, table):
    schedule.values(range(10))
    assert getattr(schedule, table) is getattr(schedule, table)
    assert s.from_json(schedule.to_json()) == schedule
    assert hash(s.from_json(schedule.to_json())) == hash(schedule)


@pytest.mark.numpy_only
def test_half_a_step_goes_down_where_a_product_of_floats_is_above_it():
    assert 0.07 * 50 > 3.5
    assert s.Linear(0.1, s.Fraction(0.07)).resolved(total_steps=50).decay_steps == 3


@pytest.mark.numpy_only
@pytest.mark.parametrize(
    ("schedule", "steps"),
    [
        (s.Linear(1.0, 100).delayed(20), 0),
        (s.Linear(1.0, 100).warmed_up(10).delayed(20), 30),
        (s.Linear(1.0, 100).warmed_up(10) * s.Linear(1.0, 100).warmed_up(30), 30),
        (s.Constant(1.0).then(s.Linear(1.0, 100).warmed_up(10), at_step=50), 0),
        (s.Constant(1.0).warmed_up(10).then(s.Linear(1.0, 100), at_step=50), 10),
    ],
)
def test_how_long_a_rate_is_warmed_up(schedule, steps):
    assert schedule.ramp_steps == steps


@pytest.mark.numpy_only
@pytest.mark.parametrize(
    "schedule",
    [s.Exponential(0.1, 0.02), s.InverseTime(0.1, 0.02, 0.5), s.Logistic(0.1, 50, 0.1), s.Exponential(0.1, 0.02) * 0.5],
)
def test_what_is_given_a_step_is_stretched_too(schedule):
    at = np.arange(0, 200, 5)
    np.testing.assert_allclose(schedule.stretched(2.5).values(at * 2.5), schedule.values(at), rtol=1e-12)


@pytest.mark.numpy_only
@pytest.mark.parametrize(
    "schedule",
    [
        s.TimeBased(0.1, 0.01),
        s.ExpRange(0.1, 1.0, 10, gamma=0.99),
        s.Chebyshev(0.1, 1.0, 8),
        s.Table.from_values([0.3, 0.2, 0.1]),
        s.Lambda(lambda step: 1 / (1 + step)),
        s.Cosine(0.1, 10) * s.Lambda(lambda step: 1 / (1 + step)),
    ],
)
def test_what_cannot_be_stretched_says_so_rather_than_staying_as_it_is(schedule):
    with pytest.raises(ValueError, match=r"cannot be stretched.*new length.*Slowed"):
        schedule.stretched(2)
    assert schedule.resolved() == schedule


@pytest.mark.numpy_only
@pytest.mark.parametrize("schedule", [s.OneCycle(1.0, 100), s.Constant(0.1).then(s.OneCycle(1.0, 100), at_step=50)])
def test_a_replanned_schedule_ends_where_it_was_asked_to(schedule):
    replanned = s.lengthened(schedule, at_step=60, total_steps=300).replanned
    assert replanned.end_step == pytest.approx(300)


class Inverse(s.Schedule):
    def formula(self, step, xp):
        return 1 / (1 + step)


class Parabola(s.shapes.Shape):
    def __call__(self, p, xp):
        return 1 - p**2


@pytest.mark.numpy_only
def test_a_schedule_and_a_shape_of_ones_own_need_no_more_than_their_formula():
    falling = s.Decay(1.0, 2, shape=Parabola())
    assert (Inverse() * falling).values(range(4)).tolist() == [1.0, 0.375, 0.0, 0.0]
    assert falling.stretched(2).values(2) == 0.75
    assert Inverse().is_resolved()
    assert Inverse().get_config() == {}
    assert repr(Inverse()).endswith("Inverse()")
    assert "Parabola()" in repr(falling)


@pytest.mark.numpy_only
def test_lengthening_says_what_it_does():
    short = s.Cosine(1.0, 100).warmed_up(10)
    longer = s.lengthened(short, at_step=60, total_steps=300)
    assert longer.continued.values(60) == longer.rate_before
    assert longer.replanned.values(60) == longer.rate_replanned > longer.rate_before
    assert longer.continued.values(300) == longer.replanned.values(300) == 0
    np.testing.assert_array_equal(
        longer.continued.values(range(60)), s.Cosine(1.0, 100).warmed_up(10).values(range(60))
    )
    assert "60" in str(longer)
    with pytest.raises(ValueError, match=r"a schedule that has an end as schedule.*Exponential\("):
        s.lengthened(s.Exponential(1.0, 0.1), at_step=1, total_steps=2)


BAD = [
    (
        lambda: s.Cosine(-0.1, 10),
        ValueError,
        r"^Cosine takes a number of at least 0 as initial.*: initial_learning_rate=-0\.1\.$",
    ),
    (lambda: s.Cosine(float("nan"), 10), ValueError, "initial_learning_rate=nan"),
    (lambda: s.Cosine(float("inf"), 10), ValueError, "finite number of at least 0 as initial_learning_rate"),
    (lambda: s.Cosine(True, 10), ValueError, "takes a number .*initial_learning_rate=True"),
    (lambda: s.Cosine(0.1, 0), ValueError, "a length of at least one step as decay_steps.*decay_steps=0"),
    (lambda: s.Cosine(0.1, "10ep"), TypeError, r"Epochs\(n\).* as decay_steps.*decay_steps='10ep'"),
    (lambda: s.StepBased(0.1, 1.5, 10), ValueError, r"of at least 0 and at most 1 as drop\. .* drop=1\.5"),
    (lambda: s.TimeBased(0.1, -1), ValueError, "decay=-1"),
    (lambda: s.Piecewise((3, 2), (1, 2, 3)), ValueError, "each above the one before"),
    (lambda: s.Piecewise((3, 3), (1, 2, 3)), ValueError, "each above the one before"),
    (lambda: s.Piecewise((3,), (1, 2, 3)), ValueError, "need 2 learning_rates"),
    (lambda: s.Chain((0.1, 0.2), (1, 2)), ValueError, "need 1 boundaries"),
    (lambda: s.WSD(0.1, 10, warmup_steps=8, decay_steps=8), ValueError, "do not fit"),
    (
        lambda: s.WSDS(0.1, 10, decay_steps=20),
        ValueError,
        r"period_steps=10 or less as decay_steps.*decay_steps=20.*end of each period",
    ),
    (
        lambda: s.WSDS(0.1, 10, decay_steps=s.Fraction(0.5)).resolved(total_steps=40),
        ValueError,
        "Received: decay_steps=20",
    ),
    (
        lambda: s.Slowed(s.Exponential(0.1, 0.1), 5, 10),
        ValueError,
        "a schedule that ends after at_step=5 .* end is None",
    ),
    (lambda: s.Slowed(s.Linear(0.1, 10), 10, 20), ValueError, "ends after at_step=10 .* end is 10"),
    (
        lambda: s.Slowed(s.Linear(0.1, 10), 5, s.Epochs(1)).resolved(steps_per_epoch=5),
        ValueError,
        "total_steps=5.*at_step",
    ),
    (lambda: s.OneCycle(0.1, 2), ValueError, "at least 3 steps as total_steps.*total_steps=2.*Up, down"),
    (lambda: s.OneCycleThreePhase(0.1, 100, rise=0.6), ValueError, r"rise=0\.6.*as long"),
    (lambda: s.CosineRestarts(0.1, 10, 0.5), ValueError, r"cycle_multiplier=0\.5\. Shorter"),
    (lambda: s.Chebyshev(0.1, 1.0, 48), ValueError, "power of two.*period_steps=48.*for example 64"),
    (lambda: s.Chebyshev(1.0, 0.1, 32), ValueError, r"at least 1 as max_learning_rate.*=0\.1\. .*min_learning_rate"),
    (
        lambda: s.Hyperbolic(0.1, 1000, 600),
        ValueError,
        r"decay_steps=1000 or more as far_steps.*far_steps=600.*longest",
    ),
    (lambda: s.ExpHyperbolic(0.1, s.Fraction(1), 300, 0.01).resolved(total_steps=1000), ValueError, "far_steps=300"),
    (lambda: s.Noise(0.1, 1.0), ValueError, r"amplitude=1\.0\. .*negative"),
    (lambda: s.Noise(0.1, from_step=10, until_step=5), ValueError, "above from_step=10 as until_step.*until_step=5"),
    (lambda: s.Noise(0.1, from_step=10, until_step=10), ValueError, "until_step=10"),
    (lambda: s.MultiStep(0.1, (s.Epochs(5), 30)).resolved(steps_per_epoch=10), ValueError, r"=\(50, 30\)\. .*come to"),
    (lambda: s.Cosine(0.1, 10) / 0, ValueError, r"^Cosine takes a number above 0 as divisor\. .* divisor=0\.$"),
    (lambda: s.Cosine(0.1, 10) / s.Constant(2.0), ValueError, "a number above 0 as divisor"),
    (lambda: s.Cosine(0.1, 10).plot(steps="3"), ValueError, "plot takes a whole number of at least 1 as steps.*='3'"),
    (lambda: s.WSD(0.1, 10, 2), TypeError, "positional"),
    (lambda: s.WSDS(0.1, 10, 2), TypeError, "positional"),
    (lambda: s.Rectification(1.0), ValueError, r"above 0\.6 and below 1 as beta_2\. Received: beta_2=1\.0"),
    (lambda: s.Rectification(0.6), ValueError, r"beta_2=0\.6"),
    (lambda: s.Decay(0.1, 10, shape=s.shapes.Cosine), TypeError, r"shapes\.Cosine\(\).* shape=<class"),
    (lambda: s.shapes.Exponential(1.0), ValueError, r"ratio=1\.0.*Linear\(\)"),
    (
        lambda: s.WarmUp(s.Exponential(0.1, 1), 5, join=s.Join.INCLUDED),
        ValueError,
        r"ends after warmup_steps=5 .* end is None.*Join\.INCLUDED",
    ),
    (lambda: s.WarmUp(s.Linear(0.1, 5), 5, join=s.Join.INCLUDED), ValueError, "ends after warmup_steps=5 .* end is 5"),
    (lambda: s.Lambda(0.1), TypeError, r"function of the step .* function=0\.1"),
    (lambda: s.Lambda(lambda t: t).get_config(), ValueError, "lambda, which cannot be saved"),
    (
        lambda: s.Table.from_values([0.1, -1]),
        ValueError,
        r"^Table.from_values takes .* of at least 0, .* as learning_rates.*-1",
    ),
    *(
        (
            lambda given=given: s.Table.from_values(given),
            ValueError,
            r"(?s)^Table\.from_values takes one or more .* in one dimension, as learning_rates\. Received: ",
        )
        for given in ([], None, "abc", "0.5", [[0.1, 0.2], [0.3, 0.4]], [[0.1], [0.2, 0.3]], [float("nan")], [True])
    ),
    (lambda: s.Cyclical(0.1, 1.0, 3, height=0.5), TypeError, r"function of the cycle .* height=0\.5"),
    (lambda: s.from_optax(lambda t: t, total_steps=0), ValueError, "from_optax takes .* total_steps=0"),
    (lambda: s.linear_batch_rule(0.1, 0, 1), ValueError, "linear_batch_rule takes .* batch_size=0"),
]


@pytest.mark.parametrize(("make", "error", "says"), BAD)
def test_bad_arguments_are_refused_with_name_value_and_remedy(make, error, says):
    with pytest.raises(error, match=says):
        make()


@pytest.mark.numpy_only
def test_picture_with_the_momentum_beside_it():
    pytest.importorskip("matplotlib").use("Agg")
    import matplotlib.pyplot as plt

    cycle = s.OneCycle(0.1, 100)
    axes = cycle.plot(momentum=cycle.momentum())
    steps, drawn = axes.lines[0].get_data()
    np.testing.assert_array_equal(drawn, cycle.values(steps))
    assert (cycle.end_step, steps[-1]) == (99, 108)
    beside = axes.figure.axes[1]
    np.testing.assert_array_equal(beside.lines[0].get_ydata(), cycle.momentum().values(steps))
    plt.close("all")


@pytest.mark.numpy_only
def test_csv_holds_every_digit():
    schedule = s.Exponential(0.1, 0.3)
    lines = schedule.to_csv(range(4)).splitlines()
    assert lines[0] == "step,learning_rate"
    assert [float(line.split(",")[1]) for line in lines[1:]] == schedule.values(range(4)).tolist()


@pytest.mark.numpy_only
@pytest.mark.parametrize("decay", [1e-5, 1e-3, 0.07, 0.1, 3.0])
def test_the_first_two_rates_of_a_time_based_decay_are_the_initial_one_to_the_last_bit(decay):
    assert s.TimeBased(0.1, decay).values([0, 1]).tolist() == [0.1, 0.1]


@pytest.mark.numpy_only
def test_what_is_made_of_schedules_ends_where_the_last_of_them_does():
    short, long = s.Linear(1.0, 4), s.Linear(1.0, 8)
    assert [made.end_step for made in (short * long, short + long, short.at_most(long))] == [8, 8, 8]
    assert (short * s.Power(1.0, 4)).end_step is None


@pytest.mark.numpy_only
def test_a_table_behind_another_schedule_is_not_asked_for_steps_before_its_own():
    chained = s.Constant(1.0).then(s.Table.from_values([0.5, 0.25]), at_step=10)
    assert chained.values([0, 9, 10, 11, 12]).tolist() == [1.0, 1.0, 0.5, 0.25, 0.25]
