"""The choice between lanes, on losses whose best rate is known."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_lr.finder import _choice, _ladder


def bowl(rates, best, steps=8, noise=0.0, seed=0):
    """Losses of lanes whose mean is a parabola in the logarithm of the rate, with noise that all lanes share."""
    batch = np.random.default_rng(seed).normal(size=steps) * noise
    return (1 + (np.log10(rates) - np.log10(best)) ** 2)[:, None] + batch


@given(st.floats(-0.7, 0.7), st.floats(-6, 3))
def test_the_vertex_is_found(offset, centre):
    rates = _ladder.rungs(10**centre, 5)
    choice = _choice.choose(rates, bowl(rates, 10 ** (centre + offset)))
    assert np.log10(choice.rate) == pytest.approx(centre + offset, abs=1e-3)
    assert choice.low <= choice.rate <= choice.high


@given(st.floats(1e-6, 1e6), st.floats(-10, 10))
def test_a_loss_may_be_scaled_and_shifted(scale, shift):
    rates = _ladder.rungs(0.1, 5)
    losses = bowl(rates, 0.2, noise=0.3)
    one, other = _choice.choose(rates, losses), _choice.choose(rates, scale * (losses + shift))
    assert other.rate == pytest.approx(one.rate, rel=1e-3)
    assert other.low == pytest.approx(one.low, rel=1e-2)


@pytest.mark.parametrize(("noise", "decades"), [(0.0, 0.1), (100.0, 0.5)])
def test_the_interval_is_a_tenth_to_half_a_decade_wide_on_either_side(noise, decades):
    rates = _ladder.rungs(0.1, 5)
    own = noise * np.random.default_rng(0).normal(size=(5, 7))  # of each lane its own
    losses = bowl(rates, 0.1)
    losses[:, 1:] += own - np.mean(own, axis=1, keepdims=True)
    choice = _choice.choose(rates, losses)
    assert choice.rate == pytest.approx(0.1, rel=1e-3)
    assert (choice.low, choice.high) == pytest.approx((choice.rate * 10**-decades, choice.rate * 10**decades))


def test_a_diverged_neighbour_pushes_the_pick_away():
    rates = _ladder.rungs(0.1, 5)
    losses = bowl(rates, 0.1)
    losses[3, 5:] = np.inf
    losses[4, 2:] = np.nan
    choice = _choice.choose(rates, losses)
    # It counts as 3 times as far above the best as the neighbour that did not: a quarter of a rung.
    assert choice.rate == pytest.approx(0.1 * _ladder.RUNG**-0.25)
    assert choice.near_edge
    assert np.isinf(choice.scores[3:]).all()


@pytest.mark.parametrize(("lost", "near"), [(0.2, False), (0.7, True), (np.nan, True)])
def test_short_lanes_keep_their_distance_from_a_rung_that_undoes_the_training(lost, near):
    rates = _ladder.rungs(0.1)
    losses = np.repeat([[2.0, 1.9, 1.8, 1.7, 1.6, 1.5]], 3, axis=0)
    losses[0] += 0.1  # a rung too low
    losses[:, 0] = 2.0
    losses[2, -1] = 2.0 if np.isfinite(lost) else np.nan  # one bad step is no loss
    losses[2, 3:5] += lost * 0.4
    assert _choice.choose(rates, losses, short=True).near_edge == near
    assert _choice.choose(rates, losses).near_edge == (not np.isfinite(lost))


STEPS = np.arange(12)


@pytest.mark.parametrize(
    ("losses", "faster"),
    [
        (2.3 - 1e-3 * STEPS**2.5, 1.0),
        (2.3 - 0.5 * STEPS**0.5, 0.0),
        (2.3 - 0.1 * STEPS, 0.5),
        (2.3 + 0.01 * (STEPS > 0), 1.0),  # has not begun to fall
        (2.3 + 0.01 * STEPS**2, 0.0),  # rises
        (np.full(12, 2.0), 0.0),
        (np.array([2.3, 2.2, 2.08]), 0.5 + 4.5 * 0.1 / 2.1),
        (np.array([2.3, 2.2, 2.0]), 1.0),
        (np.array([2.3, 2.0, 1.9]), 0.0),
        (np.array([2.3, 2.4, 2.5]), 0.5),
        (np.array([2.3, 2.2, 2.4]), 0.0),
        (np.array([2.3, 2.4, 2.2]), 1.0),
    ],
)
@given(st.floats(1e-3, 1e3), st.floats(-10, 10))
def test_a_loss_that_falls_faster_and_faster_is_seen_at_any_scale(losses, faster, scale, shift):
    assert _choice.speeds_up(scale * (losses + shift)) == pytest.approx(faster, abs=1e-6)


@given(st.lists(st.floats(-1, 1), min_size=12, max_size=12))
def test_no_hair_decides_how_far_a_peak_steps_back(losses):
    losses = np.array(losses)
    losses[0] = 2.0  # so that every loss has fallen
    near = _choice.speeds_up(losses * (1 + 1e-6 * STEPS))
    assert near == pytest.approx(_choice.speeds_up(losses), abs=1e-3)


@pytest.mark.parametrize(
    ("best", "power", "momentum", "lane_steps", "rungs"),
    [
        (1, 0.5, 0.0, 12, 0.0),
        (1, 0.5, 0.9, 12, 0.0),
        (1, 0.5, 0.9, 9, 1.0),
        (1, 0.5, 0.5, 9, 0.0),
        (1, 0.5, 0.75, 4, 1.0),  # just as many steps as the velocity takes
        (1, 0.5, 0.75, 5, 0.0),
        (1, 1.0, 0.9, 12, 0.75),
        (1, 1.0, 0.9, 9, 1.0),
        (1, 2.0, 0.0, 12, 0.0),
        (1, 2.0, 0.9, 12, 1.5),
        (1, 2.0, 0.9, 9, 1.5),
        (0, 0.5, 0.0, 12, 0.0),
        (0, 1.0, 0.0, 12, 0.5),
        (0, 2.0, 0.0, 12, 1.0),
        (0, 2.0, 0.9, 12, 1.5),
        (2, 2.0, 0.9, 12, 0.0),
    ],
)
def test_what_the_lanes_have_not_met_takes_rungs_off(best, power, momentum, lane_steps, rungs):
    rates = _ladder.rungs(0.1)
    losses = 2.3 - 1e-3 * STEPS**power + 1e-4 * np.abs(np.arange(3) - best)[:, None] * STEPS**power
    choice = _choice.choose(rates, losses)
    factor, why = _choice.run_factor(choice, momentum, lane_steps, 200)
    assert factor == pytest.approx(_ladder.RUNG**-rungs)
    assert bool(why) == (rungs > 0)
    assert why in _choice.reason(choice, rates, 0.32, 200, why)
    assert ("faster and faster" in why) == (rungs > 0 and power > 1)
    assert ("hardly slowed down" in why) == (rungs in (0.5, 0.75))
    in_a_long_run, why_then = _choice.run_factor(choice, momentum, lane_steps, 1000)
    assert in_a_long_run == pytest.approx(min(factor, 0.4353), rel=1e-3)
    assert why_then == (why if factor < 0.43 else "")


@pytest.mark.parametrize(("speeds_up", "said"), [(0.9, "hardly slowed down"), (1.0, "fell faster and faster")])
def test_what_is_said_of_the_pace(speeds_up, said):
    rates = _ladder.rungs(0.1)
    choice = dataclasses.replace(_choice.choose(rates, bowl(rates, 0.1)), speeds_up=speeds_up)
    assert said in _choice.run_factor(choice, 0.9, 12, 200)[1]


@pytest.mark.parametrize(("best", "shown"), [(0, False), (1, True), (2, False)])
def test_a_vertex_is_said_where_there_is_one(best, shown):
    rates = _ladder.rungs(0.1)
    choice = _choice.choose(rates, bowl(rates, float(rates[best])))
    said = _choice.reason(choice, rates, 0.5, 1000)
    assert ("vertex" in said) == shown
    assert ("the best may lie beyond" in said) == (not shown)
    assert said.endswith(f"the peak is 0.5 of {choice.rate:.2g}.")


def test_at_the_edge_the_peak_is_a_rung_lower_at_any_length():
    rates = _ladder.rungs(0.1)
    losses = bowl(rates, 0.1)
    losses[2, 5:] = np.nan
    for horizon in (20, 250, 30_000):
        for choice in (_choice.unraced(1.0), _choice.choose(rates, losses)):
            assert _choice.run_factor(choice, 0.0, 12, horizon)[0] == pytest.approx(1 / _ladder.RUNG)


def test_the_first_batch_does_not_count():
    rates = _ladder.rungs(0.1, 5)
    losses = bowl(rates, 0.1)
    losses[0, 0] = -100.0
    assert _choice.choose(rates, losses).best == 2


@pytest.mark.parametrize(("horizon", "factor"), [(10, 1.0), (250, 1.0), (500, 0.6598), (1000, 0.4353), (30_000, 0.4)])
def test_long_runs_take_a_lower_peak(horizon, factor):
    choice = _choice.choose(_ladder.rungs(0.1), bowl(_ladder.rungs(0.1), 0.1))
    assert _choice.run_factor(choice, 0.0, 12, horizon) == (pytest.approx(factor, rel=1e-3), "")


@pytest.mark.parametrize(("horizon", "factor"), [(20, 1.0), (50, 0.5), (125, 0.2), (250, 0.1), (30_000, 0.04)])
def test_steps_that_keep_their_length_in_noise_take_a_lower_peak_sooner(horizon, factor):
    choice = _choice.choose(_ladder.rungs(0.1), bowl(_ladder.rungs(0.1), 0.1))
    assert _choice.run_factor(choice, 0.0, 12, horizon, full_length=True) == (pytest.approx(factor, rel=1e-3), "")


@pytest.mark.parametrize(
    ("horizon", "passes", "won", "factor", "said"),
    [
        (200, 1.0, 1.0, 1.0, ""),
        (200, 8.0, 0.0, 1.0, ""),
        (200, 1.04, 1.0, 0.9767, "200 steps the peak"),
        (200, 32.0, 1.0, 0.125, "200 steps, 32 times through the data, the peak"),
        (200, 32.0, 1 / 3, 0.5, "200 steps, 32 times through the data, the peak"),
        (2000, 32.0, 1 / 3, 0.2, "2000 steps, 32 times through the data, the peak"),
    ],
)
def test_runs_that_see_the_same_rows_again_take_a_lower_peak_the_more_a_lane_has_won(
    horizon, passes, won, factor, said
):
    rates = _ladder.rungs(0.1)
    choice = dataclasses.replace(_choice.choose(rates, bowl(rates, 0.1)), won=won)
    found, why = _choice.run_factor(choice, 0.0, 12, horizon, passes)
    assert found == pytest.approx(factor, rel=1e-3)
    assert why == ""
    assert said in _choice.reason(choice, rates, found, horizon, passes=passes)


def test_rungs_that_come_off_make_up_for_the_passes():
    rates = _ladder.rungs(0.1)
    losses = bowl(rates, 0.1)
    losses[2, 5:] = np.nan  # half a decade higher training is undone
    choice = dataclasses.replace(_choice.choose(rates, losses), won=1 / 3)
    assert _choice.run_factor(choice, 0.0, 12, 200, 32.0)[0] == pytest.approx(1 / _ladder.RUNG)
    assert _choice.run_factor(choice, 0.0, 12, 200, 1024.0) == (pytest.approx(0.25), "")


@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize(("ends", "won"), [(1.0, 0.0), (0.25, 0.75), (-1.0, 1.0), (1.5, 0.0)])
def test_what_a_lane_has_won_is_a_share_of_its_first_loss(ends, won, unit):
    rates = _ladder.rungs(0.1)
    lane = np.array([1.0, 1.0, 1.0, ends, ends, ends])
    losses = unit * np.stack([lane + 0.1, lane, lane + 0.1])
    losses[:, 0] = unit
    assert _choice.choose(rates, losses).won == pytest.approx(won)
    assert _choice.choose(rates, 0 * losses).won == 0.0


@pytest.mark.parametrize(("late", "explodes"), [(1.0, False), (3.4, False), (3.6, True), (np.nan, True)])
@pytest.mark.parametrize("unit", [1e-3, 1.0, -1.0])
def test_a_lane_explodes_where_it_ends_far_above_its_first_loss(late, explodes, unit):
    losses = abs(unit) * np.r_[np.sign(unit), np.full(5, np.sign(unit) + late - 1)]
    assert _choice.explodes(losses) is explodes


LANES = ((0.5, 0.0), (0.25, 0.0), (0.26, 0.02))


@pytest.mark.parametrize(("constant", "won"), [(np.inf, 0.75), (2.0, 0.75), (0.5, 0.5), (0.25, 0.0), (0.1, 0.0)])
def test_coming_down_to_a_constant_answer_is_no_gain(constant, won):
    rates = _ladder.rungs(0.1)
    losses = np.stack([np.r_[1.0, low + width * np.array([1, -1, 0, 1, -1])] for low, width in LANES])
    choice = _choice.choose(rates, losses, bounded=True, constant=constant)
    assert choice.won == pytest.approx(won)
    assert choice.level == (rates[2] if won < _choice.LITTLE else 0.0)


@pytest.mark.parametrize("exponent", [-6, -3, 0, 3, 6])
def test_the_centre_follows_the_unit_of_the_rate(exponent):
    assert _ladder.centre(lambda rate: 3.0 * rate / 10.0**exponent) == pytest.approx(10.0**exponent * 10**-0.45 / 3.0)


def test_rates_that_never_move_the_weights_are_an_error():
    with pytest.raises(ValueError, match="gradients are zero"):
        _ladder.centre(lambda rate: 0.0)


@given(st.integers(1, 100_000))
def test_a_race_has_a_budget(horizon):
    assert _ladder.most_steps(horizon) <= (0.1 if horizon >= 1000 else 0.3) * horizon


@pytest.mark.parametrize(
    ("horizon", "length", "lanes"), [(48, 0, 0), (50, 3, 3), (100, 7, 3), (153, 11, 3), (154, 12, 3)]
)
def test_short_runs_have_short_lanes_rather_than_none(horizon, length, lanes):
    room = _ladder.most_steps(horizon) - _ladder.PROBE_STEPS
    assert _ladder.lane_steps(horizon) == length
    assert not length or room // length == lanes


@pytest.mark.parametrize(
    ("won", "others", "stagnates"),
    [
        (1.0, [], False),
        (-1.0, [], False),
        (-2.0, [-1.0], False),
        (2.9, [1.0, 2.0], True),
        (3.1, [2.0, 1.0], False),
        (-1.0, [-5.0, np.inf, 1.0], True),
    ],
)
def test_a_lane_stagnates_where_it_does_not_win_half_as_much_again(won, others, stagnates):
    one, *rest = (7.0 - np.append(0.0, np.full(5, lane)) for lane in (won, *others))
    assert _choice.stagnates(one, rest) is stagnates


@pytest.mark.parametrize(("last", "stagnates"), [(6.0, True), (5.9, False)])
def test_what_a_lane_wins_is_the_mean_from_its_second_loss_on(last, stagnates):
    # The other lane wins 1 and 3, this one 2 and 4: half as much again, and a hair more.
    assert _choice.stagnates(np.array([10.0, 8.0, last]), [np.array([10.0, 9.0, 7.0])]) is stagnates


def test_a_lane_wins_much_by_its_second_half():
    assert _choice.wins_much(np.array([6.0, 9.0, 0.0, 4.9, 5.0, 5.1]))
    assert not _choice.wins_much(np.array([6.0, 5.0, 5.0, 4.5, 5.0, 5.5]))  # within three standard deviations


def test_a_race_of_one_lane_says_so():
    rates = np.array([0.02])
    choice = _choice.choose(rates, bowl(rates, 0.02, noise=0.3))
    assert _choice.reason(choice, rates, 1.0, 60) == "There was room for one lane only, at 0.02."


@pytest.mark.parametrize(("lanes", "vertex"), [(1, 0.1), (3, 1e-3), (3, 10.0)])
def test_beside_a_peak_that_no_two_lanes_surround_half_a_decade_on_either_side_is_unknown(lanes, vertex):
    rates = _ladder.rungs(0.1, lanes)
    choice = _choice.choose(rates, bowl(rates, vertex))
    assert (choice.low, choice.high) == pytest.approx((choice.rate / _ladder.RUNG, choice.rate * _ladder.RUNG))


NOISE = np.random.default_rng(1).normal(size=12)


def on_a_plateau(rates, lost):
    """Losses of lanes that win nothing: the higher the rate, the further they follow the noise, and lose besides."""
    return 2.3 + rates[:, None] * (NOISE - np.mean(NOISE[1:]) + np.asarray(lost)[:, None])


@pytest.mark.parametrize(("lost", "best"), [((0.1, 0.1, 0.1), 2), ((0.1, 0.1, 3.0), 1), ((0.1, np.nan, 0.1), 2)])
@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (1e-3, 7.0)])
def test_where_no_lane_wins_for_certain_the_highest_that_loses_nothing_is_taken(lost, best, scale, shift):
    rates = _ladder.rungs(0.1)
    losses = scale * (on_a_plateau(rates, lost) + shift)
    choice = _choice.choose(rates, losses, bounded=True, untouched=scale * (np.full(11, 2.3) + shift))
    assert choice.undecided
    assert choice.rate == rates[best]
    assert choice.low < choice.rate < choice.high
    factor, why = _choice.run_factor(choice, 0.9, 12, 1000)
    assert (factor, why) == (pytest.approx(0.435, abs=1e-3), "")
    assert "did no harm" in _choice.reason(choice, rates, factor, 1000, why)


@pytest.mark.parametrize("lost", [(-3.0, 0.1, 0.1), (3.0, 3.0, 3.0)])
def test_a_race_in_which_a_lane_wins_or_all_lose_is_decided_by_their_scores(lost):
    rates = _ladder.rungs(0.1)
    losses = on_a_plateau(rates, lost)
    choice = _choice.choose(rates, losses, bounded=True, untouched=np.full(11, 2.3))
    assert not choice.undecided
    assert choice.rate == _choice.choose(rates, losses).rate


@pytest.mark.parametrize(("lost", "errors"), [([0.0] * 4, 0.0), ([1.0] * 4, np.inf), ([-1.0] * 4, -np.inf)])
def test_a_loss_without_noise_is_lost_for_certain_or_not_at_all(lost, errors):
    assert _choice.lost_for_certain(np.array([9.0, *lost]), np.zeros(4)) == errors


def test_what_is_lost_is_counted_in_standard_errors_of_the_last_batches():
    untouched = np.array([1.0, 2.0, 3.0, 4.0])
    losses = np.array([50.0, *(untouched + [1.0, 2.0, 3.0, 4.0])])
    assert _choice.lost_for_certain(losses, untouched) == pytest.approx(2.5 / (np.sqrt(5 / 3) / 2))
    assert _choice.lost_for_certain(np.append(losses[:-1], np.nan), untouched) == np.inf


def test_a_lane_wins_much_beside_its_noise():
    falling = np.linspace(2.3, 1.0, 12)
    assert _choice.wins_much(falling)
    assert not _choice.wins_much(2.3 + 0.01 * NOISE)
    assert not _choice.wins_much(falling[::-1])


WIGGLE = 0.02 * np.resize([1.0, -1.0, 0.5, -0.5, 0.0, 0.0], 12) * (STEPS > 0)


def that_won_little(behind):
    """Losses of lanes that share their noise, have fallen by 0.02 a step, and are behind the second in the end."""
    late = np.asarray(behind)[:, None] * (STEPS >= 6) + np.outer([1, 0, -1, 1], WIGGLE)
    return 2.3 + 0.1 * NOISE * (STEPS > 0) - 0.02 * STEPS + late + 0.05 * np.array([[1], [0], [1], [3]]) * (STEPS == 2)


@pytest.mark.parametrize(
    ("behind", "level"),
    [
        ((0.1, 0.0, 0.01, 0.01), 3),
        ((0.1, 0.0, 0.01, 0.02), 2),
        ((0.1, 0.0, 0.02, 0.01), 3),
        ((0.1, 0.0, 0.01, np.nan), 2),
        ((0.1, 0.0, 0.02, 0.1), None),
        ((0.01, 0.0, 0.1, 0.1), None),
        ((0.3, 0.2, 0.1, 0.0), None),
    ],
    ids=[
        "all above",
        "the highest is behind",
        "one between is behind",
        "diverged",
        "none",
        "lower ones",
        "the best is",
    ],
)
@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (1e-3, 7.0)])
def test_where_the_best_lane_won_little_the_peak_lies_half_way_to_the_highest_that_ends_level(
    behind, level, scale, shift
):
    rates, losses = _ladder.rungs(0.1, 4), scale * (that_won_little(behind) + shift)
    by_loss, choice = _choice.choose(rates, losses), _choice.choose(rates, losses, bounded=True)
    assert by_loss.level == 0.0
    assert (choice.rate, choice.best) == (by_loss.rate, by_loss.best)
    factor, why = _choice.run_factor(choice, 0.0, 12, 1000)
    if level is None:
        assert choice.level == 0.0
        assert (factor, why) == _choice.run_factor(by_loss, 0.0, 12, 1000)
    else:
        assert choice.level == rates[level]
        assert choice.rate * factor == pytest.approx(0.4353 * np.sqrt(by_loss.rate * rates[level]), rel=1e-3)
        said = f"{rates[level]:.2g} does not end behind for certain; the peak"
        assert said in _choice.reason(choice, rates, factor, 1000, why)


@pytest.mark.parametrize("sign", [1, -1])
def test_where_the_best_lane_won_more_its_loss_decides(sign):
    rates, losses = _ladder.rungs(0.1, 4), that_won_little((0.1, 0.0, 0.01, 0.01))
    losses += (sign - 1) * 2.3  # a log-likelihood may be negative
    little = _choice.LITTLE * 2.3 - (losses[1][0] - np.mean(losses[1][6:]))
    for further, level in ((0.9 * little, rates[3]), (1.1 * little, 0.0)):
        assert _choice.choose(rates, losses - further * (STEPS > 0), bounded=True).level == level


def test_half_way_from_the_highest_rate_that_does_no_harm_to_the_highest_that_ends_level():
    rates, losses = _ladder.rungs(0.1, 4), that_won_little((0.1, 0.0, 0.01, 0.1))
    noise = 0.3 * (NOISE[1:] - np.mean(NOISE[1:]))
    choice = _choice.choose(rates, losses, bounded=True, untouched=losses[3, 1:] + noise)
    assert choice.undecided
    assert (choice.rate, choice.level) == (rates[3], rates[2])
    factor, why = _choice.run_factor(choice, 0.0, 12, 100)
    assert choice.rate * factor == pytest.approx(np.sqrt(rates[2] * rates[3]))
    assert "did no harm. Little was won" in _choice.reason(choice, rates, factor, 100, why)


EXPLODING = np.array([0.0, 0.0, 0.1, 0.0, 8.0, 0.2, 0.1, 0.0, 6.0, 0.0, 0.1, 30.0])  # by less than two standard errors


@pytest.mark.parametrize(("lost", "taken"), [(0.9, 2), (1.1, 1)])
def test_what_loses_much_does_harm_though_it_is_not_certain(lost, taken):
    rates, untouched = _ladder.rungs(0.1), np.ones(11)
    exploding = EXPLODING * lost * _choice.LITTLE / np.mean(EXPLODING[1:])
    losses = 1 + np.outer([0.001, 0.002, 0.0], NOISE * (STEPS > 0)) + np.outer([0, 0, 1], exploding)
    assert _choice.lost_for_certain(losses[2], untouched) < _choice.CERTAIN
    assert _choice.choose(rates, losses, bounded=True, untouched=untouched).rate == rates[taken]


@pytest.mark.parametrize("lost", [0.9, 1.1])
def test_what_loses_much_does_not_end_level_though_it_is_not_certain(lost):
    rates, losses = _ladder.rungs(0.1, 4), that_won_little((0.1, 0.0, 0.0, 0.0))
    much = _choice.LITTLE * np.mean(losses[1, 6:])
    losses[3] = losses[1] + EXPLODING * (STEPS >= 6) * lost * much / np.mean(EXPLODING[6:])
    assert _choice.lost_for_certain(losses[3], losses[1, 6:]) < _choice.CERTAIN
    assert _choice.choose(rates, losses, bounded=True).level == rates[3 if lost < 1 else 2]
