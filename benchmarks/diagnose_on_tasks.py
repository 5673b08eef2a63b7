"""How often is the verdict of `keras_lr.diagnose` right, and that of `callbacks.Monitor`? Tasks with a known best rate.

    KERAS_BACKEND=jax python benchmarks/diagnose_on_tasks.py                              # the tables, from the file
    KERAS_BACKEND=jax python benchmarks/diagnose_on_tasks.py measure FILE [PREFIX ...]    # adds what FILE lacks

The tasks are the 29 of `range_test_study.py`, which measured the best rate of each: two seeds, two or three optimizers.
The rates in question are about 1/100, 1/32, ... 1, ... 32, 100 times the best constant rate, each up to a quarter of a
decade beside. A verdict is right if it says too low where the best rate is more than 3 times the one in question, too
high where it is less than a third, and right in between.

Cross-fitted: the constants (the step back from the edge, the ends of the interval) are fitted on one half of the tasks
and tried on the other, both ways. How far from the best lane a rate may be to be good (a tenth of the descent), the
length of a lane and the edge itself were chosen with such figures of all tasks in sight.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import diagnose_measure
import numpy as np
from diagnose_measure import ASKED, BEFORE, RUN_RUNGS, cases, key_of
from range_test_fit import GROUPS, HALF
from range_test_measure import GRID
from range_test_study import USES, Case, load, measure, one_sweep

from keras_lr._diagnose import LANES_TO_EITHER_SIDE, MOST_LANES
from keras_lr.diagnosis import Judgement, Verdict
from keras_lr.diagnosis._judgement import ABOVE, BELOW, NEAR, STEP_BACK, judge, rung_to_try
from keras_lr.diagnosis._run import LONG, RISE, SHORT, judge_run
from keras_lr.diagnosis._signals import Step
from keras_lr.finder._ladder import RUNG

FILE = Path(__file__).with_name("diagnose_on_tasks.npz")


@dataclass(frozen=True, eq=False)
class Asked:
    """One rate in question: where the best one is, and what the lanes say."""

    case: Case
    use: str
    rung: int
    rate: float
    best: float
    verdict: Verdict
    race: float
    reach: float

    @property
    def truth(self) -> Judgement:
        return named(self.best / self.rate)


def named(factor: float) -> Judgement:
    if factor > NEAR:
        return Judgement.TOO_LOW
    return Judgement.TOO_HIGH if factor < 1 / NEAR else Judgement.RIGHT


def verdict_at(
    asked: int, rates: np.ndarray, losses: np.ndarray, still: np.ndarray, *, stays: bool, updates: float = 0
) -> Verdict:
    """Judge one rung of a measured ladder by the lanes that `diagnose` would have run for it."""
    low, high = asked - LANES_TO_EITHER_SIDE, asked + LANES_TO_EITHER_SIDE
    factors = rates / rates[asked]
    while high - low + 1 < MOST_LANES:
        way = rung_to_try(factors[low : high + 1], losses[low : high + 1], still)
        if way == 0 or (way > 0 and high + 1 == len(rates)) or (way < 0 and low == 0):
            break
        low, high = (low, high + 1) if way > 0 else (low - 1, high)
    return judge(factors[low : high + 1], losses[low : high + 1], still, stays=stays, updates=updates)


def asked_new(found: dict[str, np.ndarray], every: list[Case]) -> Iterator[Asked]:
    for case in every:
        key = f"new/{key_of(case)}"
        if f"{key}/losses" not in found:
            continue
        rates, losses, still = (np.float64(found[f"{key}/{name}"]) for name in ("rates", "losses", "still"))
        race = float(found[f"{key}/race"][0])
        for use in USES:
            for rung in ASKED:
                verdict = verdict_at(rung, rates, losses, still, stays=use == "constant")
                seen = float(found[f"{key}/reach"][rung])
                yield Asked(case, use, rung, float(rates[rung]), case.best(use), verdict, race, seen)


Method = Callable[[Asked], tuple[Judgement, float | None]]


def by_range_test(asked: Asked) -> tuple[Judgement, float | None]:
    rate = one_sweep(asked.case).suggest(use=USES[asked.use]).learning_rate
    return (named(rate / asked.rate), rate / asked.rate) if rate else (Judgement.UNDECIDED, None)


def by_reach(asked: Asked) -> tuple[Judgement, float | None]:
    """The alpha gauge alone: the rate at which a step would go exactly to the lowest loss of its batch."""
    if not asked.reach > 0:
        return (Judgement.TOO_LOW, None) if asked.reach <= 0 else (Judgement.UNDECIDED, None)
    return named(1 / asked.reach), 1 / asked.reach


METHODS: dict[str, Method] = {
    "diagnose": lambda asked: (asked.verdict.judgement, asked.verdict.factor),
    "range test": by_range_test,
    "race": lambda asked: (named(asked.race / asked.rate), asked.race / asked.rate),
    "reach of a step alone": by_reach,
}


def scores(every: list[Asked], method: Method) -> str:
    said = [method(asked) for asked in every]
    right = [one is asked.truth for (one, _), asked in zip(said, every, strict=True)]
    opposite = [
        {one, asked.truth} == {Judgement.TOO_HIGH, Judgement.TOO_LOW}
        for (one, _), asked in zip(said, every, strict=True)
    ]
    errors = errors_of(every, [factor for _, factor in said])
    known = errors[np.isfinite(errors)]
    return (
        f"{np.mean(right):.0%} | {np.mean(opposite):.1%} | {10 ** np.median(np.abs(known)):.1f} | "
        f"{np.sum(np.abs(known) <= np.log10(NEAR)) / len(every):.0%}"
    )


def errors_of(every: list[Asked], factors: list[float | None]) -> np.ndarray:
    """Decades from the best rate to the suggested one; NaN where there is none."""
    found = [np.nan if factor is None else factor for factor in factors]
    return np.array([np.log10(f * a.rate / a.best) for f, a in zip(found, every, strict=True)])


def held(every: list[Asked]) -> float:
    inside = [v.low is not None and v.low <= a.best / a.rate <= v.high for a in every for v in (a.verdict,)]
    return float(np.mean(inside))


def new_tables(every: list[Asked]) -> None:
    print("\n### New trainings\n")
    print("| rate | method | verdict right | opposite | median factor of the error | within a factor 3 |")
    print("|---|---|---|---|---|---|")
    for use in USES:
        of_use = [asked for asked in every if asked.use == use]
        for name, method in METHODS.items():
            print(f"| {use} | {name} | {scores(of_use, method)} |")
    print("\n| rate | tasks | verdict right | opposite | median factor | within a factor 3 | interval holds the best |")
    print("|---|---|---|---|---|---|---|")
    for use in USES:
        for name, names in GROUPS.items():
            here = [asked for asked in every if asked.use == use and asked.case.task in names]
            if here:
                print(f"| {use} | {name} | {scores(here, METHODS['diagnose'])} | {held(here):.0%} |")
        for optimizer in ("sgd", "momentum", "adam"):
            here = [a for a in every if a.use == use and a.case.optimizer == optimizer]
            if here:
                print(f"| {use} | with {optimizer} | {scores(here, METHODS['diagnose'])} | {held(here):.0%} |")


def by_rung_table(every: list[Asked]) -> None:
    print(
        "\n| rate over the best constant one | too low | right | too high | undecided | excess at it | after advice |"
    )
    print("|---|---|---|---|---|---|---|")
    for rung in ASKED:
        here = [asked for asked in every if asked.use == "constant" and asked.rung == rung]
        shares = " | ".join(f"{np.mean([a.verdict.judgement is one for a in here]):.0%}" for one in ORDER)
        at, after = (
            np.mean([a.case.excess(a.rate * factor(a), "constant") for a in here]) for factor in (as_it_is, advised)
        )
        print(f"| {RUNG ** (rung - 6):.2g} | {shares} | {at:.2f} | {after:.2f} |")


ORDER = (Judgement.TOO_LOW, Judgement.RIGHT, Judgement.TOO_HIGH, Judgement.UNDECIDED)


def as_it_is(asked: Asked) -> float:
    return 1.0


def advised(asked: Asked) -> float:
    """What the user multiplies the rate by who keeps a rate that is said to be right."""
    if asked.verdict.judgement in (Judgement.RIGHT, Judgement.UNDECIDED):
        return 1.0
    return asked.verdict.factor or 1.0


def cross_fitted(every: list[Asked]) -> None:
    """Fit the distance from the edge and the ends of the interval on one half of the tasks, try them on the other."""
    print("\n### Fitted on one half of the tasks, tried on the other\n")
    print("| rate | step back | interval, decades | verdict right | within a factor 3 | interval holds the best |")
    print("|---|---|---|---|---|---|")
    for use in USES:
        of_use = [a for a in every if a.use == use and a.verdict.factor is not None]
        back = np.log10(STEP_BACK) if use == "constant" else 0.0
        off = np.array(
            [np.log10(a.best / a.rate / a.verdict.factor) + back for a in of_use]
        )  # of the best from the edge
        half = np.array([HALF[a.case.task] for a in of_use])
        right, near, inside, fitted = [], [], [], []
        for tried in (0, 1):
            centre = float(np.median(off[half != tried]))
            low, high = np.quantile(off[half != tried] - centre, [0.08, 0.92])
            here = [a for a, h in zip(of_use, half, strict=True) if h == tried]
            rest = off[half == tried] - centre
            factors = [a.verdict.factor * 10 ** (centre - back) for a in here]
            right += [named(f) is a.truth for f, a in zip(factors, here, strict=True)]
            near += list(np.abs(rest) <= np.log10(NEAR))
            inside += list((low <= rest) & (rest <= high))
            fitted.append((10**centre, low, high))
        print(
            f"| {use} | {fitted[0][0]:.2f} and {fitted[1][0]:.2f} | {fitted[0][1]:+.1f} {fitted[0][2]:+.1f} and "
            f"{fitted[1][1]:+.1f} {fitted[1][2]:+.1f} | {np.mean(right):.0%} | {np.mean(near):.0%} | "
            f"{np.mean(inside):.0%} |"
        )
    print(f"\nThe library: a step back of {STEP_BACK:.2f} and 1, an interval of -{BELOW} +{ABOVE}.")


def under_way_table(found: dict[str, np.ndarray]) -> None:
    print("\n### Trainings under way (small tasks)\n")
    print(
        "| steps made | verdicts | undecided | others right | opposite | within a factor 3 | interval holds the best |"
    )
    print("|---|---|---|---|---|---|---|")
    answers = []
    keys = sorted(key.removesuffix("/truth") for key in found if key.startswith("way/") and key.endswith("/truth"))
    for before in BEFORE:
        of_time = [key for key in keys if key.split("/")[4] == str(before)]
        verdicts = [one for key in of_time for one in under_way(found, key)]
        sure = [one for one in verdicts if one[0].judgement is not Judgement.UNDECIDED]
        if not sure:
            continue
        right = np.mean([verdict.judgement is named(best) for verdict, best in sure])
        opposite = np.mean([{v.judgement, named(best)} == {ORDER[0], ORDER[2]} for v, best in sure])
        near = np.mean([1 / NEAR <= (v.factor or np.inf) / best <= NEAR for v, best in sure])
        inside = np.mean([v.low is not None and v.low <= best <= v.high for v, best in sure])
        print(
            f"| {before} of 500 | {len(verdicts)} | {1 - len(sure) / len(verdicts):.0%} | {right:.0%} | "
            f"{opposite:.1%} | {near:.0%} | {inside:.0%} |"
        )
        share = np.mean([np.isfinite(found[f"{key}/range_test"]) for key in of_time])
        answers.append(f"{share:.0%} of the {len(of_time)} trainings after {before} steps")
    print(f"\nThe range test has an answer in {' and '.join(answers)}.")


def under_way(found: dict[str, np.ndarray], key: str) -> Iterator[tuple[Verdict, float]]:
    """The verdict of each rate in question, and the best rate over it."""
    before = int(key.split("/")[4])
    losses = np.where(np.isfinite(found[f"{key}/truth"]), found[f"{key}/truth"], np.inf)
    rates, lanes, still = (np.float64(found[f"{key}/{name}"]) for name in ("rates", "losses", "still"))
    for rung in ASKED:
        best = float(GRID[np.argmin(losses)] / rates[rung])
        # As if the steps so far had been made at the rate in question: as many as go equally far.
        updates = before * float(found[f"{key}/used"]) / rates[rung]
        yield verdict_at(rung, rates, lanes, still, stays=True, updates=updates), best


def run_table(found: dict[str, np.ndarray], every: list[Case]) -> None:
    print("\n### Monitor, on whole runs at a constant rate\n")
    print(
        f"Too low below a reach of {SHORT}, too high above {LONG}, where a step led to a loss that was not finite, or "
        f"where the first one raised the loss of its batch by more than {RISE:.0%}.\n"
    )
    print("| rate over the best | too low | undecided | too high | median reach | steps uphill | update to weight |")
    print("|---|---|---|---|---|---|---|")
    rows: list[tuple[int, Judgement, Judgement, tuple[float, ...]]] = []
    for case in every:
        key = f"run/{key_of(case)}"
        if f"{key}/looks" not in found:
            continue
        for i, rung in enumerate(RUN_RUNGS):
            numbers, rate = np.float64(found[f"{key}/looks"][i]), float(found[f"{key}/rates"][i])
            first = Step(*found[f"{key}/first"][i].tolist())
            diagnosis = judge_run(np.arange(len(numbers)), numbers, first)
            signals = tuple(signal.value for signal in diagnosis.signals)
            rows.append((int(rung), diagnosis.verdict.judgement, named(case.best("constant") / rate), signals))
    for rung in RUN_RUNGS:
        here = [row for row in rows if row[0] == rung]
        if here:
            shares = " | ".join(
                f"{np.mean([said is one for _, said, _, _ in here]):.0%}" for one in (ORDER[0], ORDER[3], ORDER[2])
            )
            reaches, uphill, updates = (np.nanmedian([row[3][i] for row in here]) for i in range(3))
            print(f"| {RUNG**rung:.2g} | {shares} | {reaches:.2g} | {uphill:.0%} | {updates:.2g} |")
    for said in (Judgement.TOO_LOW, Judgement.TOO_HIGH):
        true = [truth is said for _, one, truth, _ in rows if one is said]
        if true:
            print(f"\nOf {len(true)} runs said to be {said.value}, {np.mean(true):.0%} were.")


def main() -> None:
    if sys.argv[1:2] == ["measure"]:
        return measure(diagnose_measure.units(), Path(sys.argv[2]), sys.argv[3:])
    found = load(Path(sys.argv[1]) if sys.argv[1:] else FILE)
    every = list(cases())
    asked = list(asked_new(found, every))
    if asked:
        new_tables(asked)
        by_rung_table(asked)
    if {HALF[one.case.task] for one in asked} == {0, 1}:
        cross_fitted(asked)
    under_way_table(found)
    run_table(found, every)
    return None


if __name__ == "__main__":
    main()
