"""Fits the constants of the range test's own rule on some tasks, and reports what they reach on others.

    KERAS_BACKEND=jax python benchmarks/range_test_fit.py     # the tables and the constants, from the file; seconds

For each kind of optimizer: the share of the fall, the exponent of the noise (none for Adam), and the distances of a
constant rate and of a peak that together lose least, each task counting the same whatever its seeds. What a rate loses
is its excess, and 0.1 more where it is beyond a factor 3 of the best, averaged over the rate itself and 0.2 decades to
both sides, so that no constant stands at a cliff. Beyond either end of the interval lie 5 % of the best rates.

Cross-fitted: the tasks of each group are dealt in the order of their list to two halves, by task and never by seed; the
constants are fitted on one half and tried on the other, both ways. The form of the rule was chosen on the small tasks
and the workloads, and the way of fitting with the figures of this table in sight; only the constants are cross-fitted.
"""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from other_workloads import OTHER_WORKLOADS
from range_test_study import FILE, USES, Case, load, one_sweep, other_cases, small_cases, workload_cases
from small_tasks import TASKS
from workloads import WORKLOADS

from keras_lr.finder._own_rule import ADAPTIVE, HEAVY_BALL, PLAIN, Kind, log_rate

SHARES = np.arange(0, 11) / 10
EXPONENTS = {PLAIN: (0.0, 0.2, 0.4), HEAVY_BALL: (0.0, 0.2, 0.4), ADAPTIVE: (0.0,)}
DISTANCES = np.arange(-10, 51) / 20
BESIDE = (-0.2, 0.0, 0.2)  # decades at which a rate is tried, so that the fit keeps away from cliffs
BEYOND_FACTOR_3 = 0.1  # what a rate loses there, on the scale of the excess
OUTSIDE = 0.05  # of the best rates, on either side of the interval
GROUPS = {
    "small tasks": [task.name for task in TASKS],
    "workloads": list(WORKLOADS),
    "other workloads": list(OTHER_WORKLOADS),
}
HALF = {name: i % 2 for names in GROUPS.values() for i, name in enumerate(names)}


def kind_in(case: Case) -> Kind:
    """The kind that the library would take, of the three that are fitted."""
    return next(kind for kind in EXPONENTS if kind.name == case.test.kind.name)


def task_weights(cases: list[Case]) -> np.ndarray:
    """One over the number of cases of the same task, summing to 1."""
    counts = Counter(case.task for case in cases)
    return np.array([1 / (len(counts) * counts[case.task]) for case in cases])


def lost(case: Case, use: str, logs: np.ndarray) -> np.ndarray:
    """What rates lose in one case."""
    rates, losses = case.truth[use]
    excess = np.minimum((losses - losses.min()) / (case.untrained - losses.min()), 2)
    tried = np.add.outer(BESIDE, logs)
    far = np.abs(tried - math.log10(case.best(use))) > math.log10(3)
    return np.mean(np.interp(tried, np.log10(rates), excess) + BEYOND_FACTOR_3 * far, 0)


def fit(cases: list[Case], kind: Kind) -> Kind:
    """Return the constants that lose least in the cases of this kind of optimizer."""
    cases = [case for case in cases if kind_in(case) is kind]
    weights = task_weights(cases)
    seen = [one_sweep(case)._observed(one_sweep(case).sweeps) for case in cases]
    found: list[tuple[float, Kind]] = []
    for share in SHARES:
        for exponent in EXPONENTS[kind]:
            tried = replace(kind, share=float(share), exponent=exponent, constant=0.0, peak=0.0)
            means = [log_rate(each, tried, USES["constant"]) for each in seen]
            total, distances = 0.0, []
            for use in USES:
                losses = weights @ np.array([lost(c, use, m - DISTANCES) for c, m in zip(cases, means, strict=True)])
                total += float(losses.min())
                distances.append(float(DISTANCES[losses.argmin()]))
            found.append((total, replace(tried, constant=distances[0], peak=distances[1])))
    best = min(found, key=lambda one: one[0])[1]  # the first of equals, so the smallest share
    return replace(best, **reaches(cases, seen, best))


def reaches(cases: list[Case], seen: list, kind: Kind) -> dict[str, float]:
    """How far the best rates lie below and above the rule's, in decades, but for the farthest of them."""
    apart = np.array(
        [
            math.log10(case.best(name)) - log_rate(each, kind, use)
            for name, use in USES.items()
            for case, each in zip(cases, seen, strict=True)
        ]
    )
    order = np.argsort(apart)
    passed = np.cumsum(np.tile(task_weights(cases), len(USES))[order]) / len(USES)
    low, high = (float(apart[order][np.searchsorted(passed, share)]) for share in (OUTSIDE, 1 - OUTSIDE))
    return {"below": math.ceil(-10 * low) / 10, "above": math.ceil(10 * high) / 10}


def cross_fitted(cases: list[Case]) -> Iterator[Case]:
    """Give each case the constants that were fitted on the half of the tasks which its own is not in."""
    for half in (0, 1):
        kinds = {kind: fit([case for case in cases if HALF[case.task] != half], kind) for kind in EXPONENTS}
        for case in cases:
            if HALF[case.task] == half:
                yield with_kind(case, kinds[kind_in(case)])


def with_kind(case: Case, kind: Kind) -> Case:
    return replace(case, test=replace(one_sweep(case), kind=kind))


def row(title: str, cases: list[Case], use: str, weights: np.ndarray) -> None:
    found = [case.test.suggest(use=USES[use]) for case in cases]
    both = list(zip(cases, found, strict=True))
    near = [s.rate is not None and abs(case.error(s.rate, use)) <= math.log10(3) for case, s in both]
    excess = [1.0 if s.rate is None else case.excess(s.rate, use) for case, s in both]
    inside = [s.low is not None and s.high is not None and s.low <= case.best(use) <= s.high for case, s in both]
    print(f"| {title} | {use} | {weights @ near:.0%} | {weights @ excess:.3f} | {weights @ inside:.0%} |")


def table(title: str, cases: list[Case]) -> None:
    print(f"\n### {title}\n")
    print("| tested on | rate | within a factor 3 | mean excess | interval holds the best |")
    print("|---|---|---|---|---|")
    for group, names in GROUPS.items():
        here = [case for case in cases if case.task in names]
        for use in USES:
            if here:
                row(group, here, use, np.full(len(here), 1 / len(here)))
    for use in USES:
        row("all, each task the same", cases, use, task_weights(cases))


def main() -> None:
    found = load(FILE)
    tuning = [*small_cases(found), *workload_cases(found)]
    every = [*tuning, *other_cases(found)]
    for half in (0, 1):
        print(f"half {half + 1}: {', '.join(name for name in HALF if HALF[name] == half)}")
    table("Cross-fitted on small tasks and workloads", list(cross_fitted(tuning)))
    table("Cross-fitted on all", list(cross_fitted(every)))
    fitted = {kind: fit(every, kind) for kind in EXPONENTS}
    table("Fitted and tested on all", [with_kind(case, fitted[kind_in(case)]) for case in every])
    table("The constants of the library", [with_kind(case, kind_in(case)) for case in every])
    print("\n### Constants fitted on all\n")
    for kind in fitted.values():
        print(kind)


if __name__ == "__main__":
    main()
