"""From the losses of a few short lanes to one rate, an interval, and the reason in a sentence: pure."""

from dataclasses import dataclass

import numpy as np

from keras_lr.diagnosis._judgement import share_won
from keras_lr.finder._ladder import RUNG
from keras_lr.finder._parabola import parabola

# Beyond this horizon the best peak falls with the length of the run, for the noise of the gradients adds up.
SHORT_HORIZON_STEPS = 250
HORIZON_EXPONENT = 0.6
LEAST_FACTOR = 0.4
FULL_LENGTH_STEPS = 25  # beyond which steps that keep their length in noise add up to more than a lane saw of them
LEAST_FULL_LENGTH_FACTOR = 0.1
PASSES_EXPONENT = 0.6  # of a task whose loss is won as soon as a lane ends

CERTAIN = 2.0  # standard errors
EXPLODED = 2.5  # times the first loss, that a lane ends above it
LITTLE = 0.2  # of a loss: what the first steps may win by finding the mean of the targets


@dataclass(frozen=True)
class Choice:
    """What the lanes say.

    Attributes:
        rate: the peak at which a schedule as short as a lane does best.
        low, high: the peaks between which the lanes cannot tell.
        scores: the mean loss of each lane, shape `(lanes,)`; infinite where the lane diverged or died.
        best: the index of the best lane.
        near_edge: whether the rung above the best lane diverged or died or, among short lanes, undid half of what the
            best won; or nobody has tried any.
        speeds_up: from 0 to 1, how clearly the loss of the best lane fell faster and faster.
        undecided: whether no lane won anything for certain, so that the rate is the highest that lost nothing.
        level: the highest rate whose lane ends not behind the best for certain, where that has won little; or 0.
        won: the share of the first loss, or of that of a constant answer where it is lower, that the best lane has won
            by its second half, 0 to 1.
    """

    rate: float
    low: float
    high: float
    scores: np.ndarray
    best: int
    near_edge: bool
    speeds_up: float
    undecided: bool = False
    level: float = 0.0
    won: float = 0.0


def choose(
    rates: np.ndarray,
    losses: np.ndarray,
    *,
    short: bool = False,
    bounded: bool = False,
    untouched: np.ndarray | None = None,
    constant: float = np.inf,
) -> Choice:
    """Choose between lanes that saw the same batches.

    A lane's score is the mean of its batch losses, each measured before the update, so on a batch that was not trained
    on; the first, which all lanes share, is left out. The peak is the vertex of the parabola through the best lane and
    its neighbours. The interval holds the peaks whose parabola stays within one standard error of the best, where the
    error is that of the differences between lanes on the same batches.

    With bounded steps, where untouched weights do no worse for certain than any lane, the scores rank nothing but
    noise, which grows with the rate: the loss is on a plateau that a dozen steps do not leave. The rate is then the
    highest that loses nothing for certain, for it leaves the plateau soonest.

    Args:
        rates: the peaks of the lanes, ascending, shape `(lanes,)`.
        losses: the batch losses, shape `(lanes, steps)`.
        short: whether the lanes are too short to see where training is undone, as the loss surface has not yet become
            steep; so a rung above that loses counts as one that diverges.
        bounded: whether a step is no longer than its rate.
        untouched: the losses of untouched weights on the last batches of a lane; None: they were not asked for.
        constant: the loss of a constant answer; what a lane wins by coming down to it, it has not learnt from the
            inputs. Infinity: unknown.
    """
    scores = lane_scores(losses)
    best = int(np.argmin(scores))
    won = share_won(losses[best], constant)
    level = _level(rates, losses, best) if bounded and won < LITTLE else 0.0
    if bounded and untouched is not None:
        harmless = rates[[not _is_behind(lane, untouched) for lane in losses]]
        if len(harmless) and min(lost_for_certain(lane, untouched) for lane in losses) > -CERTAIN:
            rate = float(harmless[-1])
            interval = rate / RUNG, rate * RUNG
            return Choice(rate, *interval, scores, best, False, 0.0, undecided=True, level=level)
    logs = np.log10(rates)
    vertex, curvature = parabola(logs, scores, best)
    error = _error_of_differences(losses, best)
    reach = float(np.clip(np.sqrt(error / curvature), 0.1, 0.5)) if curvature > 0 else 0.5
    near_edge = False
    if best + 1 < len(scores):
        near_edge = not np.isfinite(scores[best + 1]) or (short and _undoes(losses[best + 1], losses[best]))
    interval = 10 ** (vertex - reach), 10 ** (vertex + reach)
    pace = speeds_up(losses[best])
    return Choice(10**vertex, *interval, scores, best, near_edge, pace, level=level, won=won)


def lane_scores(losses: np.ndarray) -> np.ndarray:
    """Return the mean loss of each lane but for the first batch; infinite where a loss is not finite."""
    finite = np.all(np.isfinite(losses), axis=1)
    return np.where(finite, np.mean(np.where(finite[:, None], losses, 0.0)[:, 1:], axis=1), np.inf)


def wins(losses: np.ndarray) -> bool:
    """Return whether a lane has got below its first loss, that of the untouched weights."""
    return bool(np.median(losses[len(losses) // 2 :]) < losses[0])


def explodes(losses: np.ndarray) -> bool:
    """Return whether a lane diverges, or ends above its first loss by more than two and a half times that."""
    late, first = np.median(losses[len(losses) // 2 :]), losses[0]
    return not (np.all(np.isfinite(losses)) and late - first <= EXPLODED * abs(first))


def lost_for_certain(losses: np.ndarray, untouched: np.ndarray) -> float:
    """Return by how many standard errors a lane ends above untouched weights on the same batches; below: negative."""
    lost = losses[-len(untouched) :] - untouched
    if not np.all(np.isfinite(lost)):
        return np.inf
    mean, error = np.mean(lost), np.std(lost, ddof=1) / np.sqrt(len(lost))
    return float(mean / error) if error > 0 else float(np.sign(mean)) * np.inf if mean else 0.0


def wins_much(losses: np.ndarray) -> bool:
    """Return whether a lane ends so far below its first loss that nobody needs to ask what untouched weights do."""
    late = losses[len(losses) // 2 :]
    return bool(losses[0] - np.mean(late) > 3 * np.std(late))


def stagnates(losses: np.ndarray, others: list[np.ndarray]) -> bool:
    """Return whether other lanes win something, and this one not half as much again as the best of them."""
    first, *rest = (float(np.mean(lane[0] - lane[1:])) for lane in (losses, *others))
    best = max((won for won in rest if np.isfinite(won)), default=0.0)
    return best > 0 and first <= 1.5 * best


def speeds_up(losses: np.ndarray) -> float:
    """Return how clearly a loss falls faster and faster, from 0 to 1: by its falls per step, early ones and late ones.

    A fall is counted from the first loss, and averaged over a half of the steps. 0.5 where both are the same, 1 where
    the late one is at least 1.25 times the early one, 0 where it is at most 0.8 times, so that no hair decides between
    rates that lie far apart.

    From the first weights of a deep network without normalisation the loss hardly falls, then falls fast, and the
    surface is steepest after that. A lane that ends before has not met what the run will meet.
    """
    steps, fall = np.arange(len(losses)), losses[0] - losses
    half = len(losses) // 2
    early, late = (np.mean(fall[part]) / np.mean(steps[part]) for part in (slice(1, -half), slice(-half, None)))
    both = abs(early) + abs(late)
    return float(np.clip(0.5 + 4.5 * (late - early) / both, 0.0, 1.0)) if both > 0 else 0.0


def unraced(centre: float) -> Choice:
    """Return the choice for a run with no room for lanes: the centre of the ladder that was not raced."""
    return Choice(centre, centre / RUNG, centre * RUNG, np.empty(0), -1, near_edge=True, speeds_up=0.0)


def run_factor(
    choice: Choice,
    momentum: float,
    lane_steps: int,
    horizon_steps: int,
    passes: float = 1.0,
    full_length: bool = False,
) -> tuple[float, str]:
    """Return by what the peak of the lanes is multiplied for the run, and why; "" where its length is the reason.

    `clip((250 / T)^0.6, 0.4, 1) E^(-0.6 w)`. The first factor is a step back from the edge of divergence, which lanes
    of a few steps see too far away. It saturates: runs of 1,000 and of 20,000 steps have nearly the same best peak in
    `benchmarks/`, where the square root law of convex theory (arXiv 2501.18965) would have them differ by 4.5. The
    second is for rows that are seen again and again. Lanes see only rows that are new to them; a run soon fits its
    rows where a lane wins much, and then a high rate undoes more than it wins, and ends above a lower one on rows that
    are held out. Or so many rungs, at any length, where the lanes have not met what the run will meet; whichever is
    lower.

    With bounded steps, where a dozen of them win little, the loss says little of what a lane has learnt: of a network
    of sigmoids a low rate only finds the mean of the targets, and a higher one first makes the loss rise, but tells the
    rows apart. There the peak goes half way, in the logarithm, to the highest rate that ends level with the best.

    Args:
        choice: what the lanes say; w is `choice.won`.
        momentum: of an optimizer with a velocity, which has built up after `1 / (1 - momentum)` steps; 0 of another.
            Lanes of a dozen steps see that of 0.9 at a third of its size.
        lane_steps: how many steps a lane had.
        horizon_steps: T, the steps of the run.
        passes: E, how often the run sees each row; 1 for SGD without momentum, which a high rate harms less.
        full_length: whether a step of the optimizer has the same length whether its gradients agree or not, as Lion's
            and Muon's. Adam's shrinks where they do not, which is most of a run and little of a lane. Such a peak is
            further multiplied by `clip(25 / T, 0.1, 1)`.
    """
    far = float(np.clip((SHORT_HORIZON_STEPS / horizon_steps) ** HORIZON_EXPONENT, LEAST_FACTOR, 1.0))
    far *= passes ** (-PASSES_EXPONENT * choice.won)
    if full_length:
        far *= float(np.clip(FULL_LENGTH_STEPS / horizon_steps, LEAST_FULL_LENGTH_FACTOR, 1.0))
    if choice.level not in (0.0, choice.rate):
        why = f"Little was won, and the lane at {choice.level:.2g} does not end behind for certain"
        return float(np.sqrt(choice.level / choice.rate)) * far, why
    pace = "That lane fell faster and faster" if choice.speeds_up == 1.0 else "That lane hardly slowed down"
    rungs = [(0.0, "")]
    if choice.best + 1 < len(choice.scores):  # a higher rate did worse
        if momentum:
            rungs.append((1.5 * choice.speeds_up, f"{pace} while momentum had only begun to build up"))
        elif choice.best == 0:
            rungs.append((choice.speeds_up, f"{pace}, so the steepest part may be still to come"))
    if choice.near_edge:
        rungs.append((1.0, "Half a decade higher training is undone"))
    if lane_steps <= 1 / (1 - momentum):
        rungs.append((1.0, "Momentum builds up too slowly for lanes this short to show where training is undone"))
    most, why = max(rungs, key=lambda pair: pair[0])
    factor = RUNG**-most
    return (factor, why) if factor < far else (far, "")


def reason(
    choice: Choice, rates: np.ndarray, factor: float, horizon_steps: int, why: str = "", passes: float = 1.0
) -> str:
    """Return in a sentence or two why this peak; `why` is what `run_factor` says."""
    if not len(rates):
        return (
            f"A run of {horizon_steps} steps has no room for a race; {choice.rate:.2g} moves the weights by a third of "
            f"their length in four steps or by less, and {factor:.2g} of that is a peak that seldom fails."
        )
    if choice.undecided:
        parts = [
            f"Of {len(rates)} rates from {rates[0]:.2g} to {rates[-1]:.2g} none got below untouched weights for "
            f"certain in a short complete schedule; {choice.rate:.2g} is the highest that did no harm."
        ]
        return " ".join(parts + _ending(choice.rate, factor, horizon_steps, why, passes))
    failed = int(np.sum(~np.isfinite(choice.scores)))
    found = (
        f"Of {len(rates)} rates from {rates[0]:.2g} to {rates[-1]:.2g}, {rates[choice.best]:.2g} had the lowest loss "
        f"in a short complete schedule"
    ) + (f" ({failed} diverged or died)" if failed else "")
    if len(rates) == 1:
        parts = [f"There was room for one lane only, at {choice.rate:.2g}."]
    elif choice.best in (0, len(rates) - 1):
        parts = [f"{found}. There was no room for another rung at this end of the ladder; the best may lie beyond it."]
    else:
        parts = [f"{found}, and the parabola through it and its neighbours has its vertex at {choice.rate:.2g}."]
    return " ".join(parts + _ending(choice.rate, factor, horizon_steps, why, passes))


def _ending(rate: float, factor: float, horizon_steps: int, why: str, passes: float) -> list[str]:
    if why:
        return [f"{why}; the peak is {factor:.2g} of {rate:.2g}."]
    length = f"{horizon_steps} steps" + (f", {passes:.2g} times through the data," if passes >= 1.1 else "")
    return [f"For a run of {length} the peak is {factor:.2g} of {rate:.2g}."] if factor < 1 else []


def _level(rates: np.ndarray, losses: np.ndarray, best: int) -> float:
    """Return the highest rate above the best that ends not behind it for certain; 0 if none."""
    late = losses[best, losses.shape[1] // 2 :]
    above = range(best + 1, len(losses))
    return float(max([rates[lane] for lane in above if not _is_behind(losses[lane], late)], default=0.0))


def _is_behind(losses: np.ndarray, others: np.ndarray) -> bool:
    """Return whether a lane ends above others on the same batches, for certain or by more than little.

    Around weights that fit the data well, the losses of a rate that undoes it differ so much that little is certain.
    """
    lost = np.mean(losses[-len(others) :] - others)
    return not (lost_for_certain(losses, others) < CERTAIN and lost < LITTLE * abs(np.mean(others)))


def _undoes(losses: np.ndarray, best: np.ndarray) -> bool:
    """Return whether a lane, over its second half, is behind by half of what the best lane has won by then."""
    late, late_best = (float(np.median(lane[len(lane) // 2 :])) for lane in (losses, best))
    return late - late_best > (float(best[0]) - late_best) / 2


def _error_of_differences(losses: np.ndarray, best: int) -> float:
    neighbours = [i for i in (best - 1, best + 1) if 0 <= i < len(losses) and np.all(np.isfinite(losses[i]))]
    differences = [losses[i, 1:] - losses[best, 1:] for i in neighbours]
    if not differences:
        return 0.0
    return float(np.mean([np.std(d, ddof=1) / np.sqrt(len(d)) for d in differences]))
