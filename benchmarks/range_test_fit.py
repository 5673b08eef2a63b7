"""Fits the constants of the range test's own rule on some tasks, and reports what they reach on others.

    KERAS_BACKEND=jax python benchmarks/range_test_fit.py          # the distances and intervals; seconds, from the file
    KERAS_BACKEND=jax python benchmarks/range_test_fit.py shares   # the shares and the exponents of the noise as well

For each kind of optimizer: the distances of a constant rate and of a peak that lose least, each task counting the same
whatever its seeds. What a rate loses is its excess, and 0.1 more where it is beyond a factor 3 of the best, averaged
over the rate itself and 0.2 decades to both sides, so that no constant stands at a cliff. Beyond either end of the
interval lie 5 % of the best rates.

Cross-fitted: the tasks of each group are dealt in the order of their list to two halves, by task and never by seed; the
constants are fitted on one half and tried on the other, both ways. Only what is fitted here is cross-fitted: the form
of the rule was chosen on the small tasks and the workloads, Adam's share by a fit on all but the unseen workloads, and
the way of fitting with the figures of these and of the other workloads in sight.
"""

import itertools
import math
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np
from other_workloads import OTHER_WORKLOADS
from range_test_study import FILE, USES, Case, load, one_sweep, other_cases, small_cases, workload_cases
from small_tasks import LION_AND_MUON, TASKS
from unseen_workloads import UNSEEN_WORKLOADS
from workloads import WORKLOADS

from keras_lr.finder._own_rule import ADAPTIVE, FULL_LENGTH, HEAVY_BALL, PLAIN, Kind, Observed, log_rate

KINDS = (PLAIN, HEAVY_BALL, ADAPTIVE, FULL_LENGTH)
DISTANCES = np.arange(-10, 51) / 20
BESIDE = (-0.2, 0.0, 0.2)  # decades at which a rate is tried, so that the fit keeps away from cliffs
BEYOND_FACTOR_3 = 0.1  # what a rate loses there, on the scale of the excess
OUTSIDE = 0.05  # of the best rates, on either side of the interval
GROUPS = {
    "small tasks": [task.name for task in TASKS],
    "workloads": list(WORKLOADS),
    "other workloads": list(OTHER_WORKLOADS),
    "unseen workloads": list(UNSEEN_WORKLOADS),
}
LARGEST_EXCESS = "omniglot_dropout"
HALF = {name: i % 2 for names in GROUPS.values() for i, name in enumerate(names)}


def kind_in(case: Case) -> Kind:
    """The kind that the library would take, of those that are fitted."""
    return next(kind for kind in KINDS if kind.name == case.test.kind.name)


@cache
def seen(case: Case) -> Observed:
    """What one sweep shows; there is an answer in every case."""
    return one_sweep(case)._observed(one_sweep(case).sweeps)


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


def forms(kind: Kind) -> Iterator[Kind]:
    """The shares and exponents that are tried: the library's; with `shares`, others too (only SGD with the noise)."""
    if "shares" not in sys.argv:
        yield kind
        return
    for share in range(11):
        for exponent in (0.0,) if kind in (ADAPTIVE, FULL_LENGTH) else (0.0, 0.2, 0.4):
            yield replace(kind, share=share / 10, exponent=exponent)


def fit(cases: list[Case], kind: Kind) -> Kind:
    """Return the constants that lose least in the cases of this kind of optimizer."""
    cases = [case for case in cases if kind_in(case) is kind]
    weights = task_weights(cases)
    found: list[tuple[float, Kind]] = []
    for form in forms(kind):
        form = replace(form, constant=0.0, peak=0.0)
        means = [log_rate(seen(case), form, USES["constant"]) for case in cases]
        total, distances = 0.0, []
        for use in USES:
            losses = weights @ np.array([lost(c, use, m - DISTANCES) for c, m in zip(cases, means, strict=True)])
            total += float(losses.min())
            distances.append(float(DISTANCES[losses.argmin()]))
        found.append((total, replace(form, constant=distances[0], peak=distances[1])))
    best = min(found, key=lambda one: one[0])[1]  # the first of equals, so the smallest share
    return replace(best, **reaches(cases, best))


def kinds_of(cases: list[Case]) -> dict[Kind, Kind]:
    """Fit each kind of optimizer that there is among the cases."""
    return {kind: fit(cases, kind) for kind in KINDS if kind in map(kind_in, cases)}


def reaches(cases: list[Case], kind: Kind) -> dict[str, float]:
    """How far the best rates lie below and above the rule's, in decades, but for the farthest of them."""
    apart = np.array(
        [math.log10(case.best(name)) - log_rate(seen(case), kind, use) for name, use in USES.items() for case in cases]
    )
    order = np.argsort(apart)
    passed = np.cumsum(np.tile(task_weights(cases), len(USES))[order]) / len(USES)
    low, high = (float(apart[order][np.searchsorted(passed, share)]) for share in (OUTSIDE, 1 - OUTSIDE))
    return {"below": math.ceil(-10 * low) / 10, "above": math.ceil(10 * high) / 10}


Fitted = tuple[Case, Kind]


def cross_fitted(cases: list[Case]) -> Iterator[Fitted]:
    """Give each case the constants that were fitted on the half of the tasks which its own is not in."""
    for half in (0, 1):
        kinds = kinds_of([case for case in cases if HALF[case.task] != half])
        yield from ((case, kinds[kind_in(case)]) for case in cases if HALF[case.task] == half)


def row(title: str, fitted: list[Fitted], use: str, weights: np.ndarray) -> None:
    logs = np.array([log_rate(seen(case), kind, USES[use]) for case, kind in fitted])
    error = np.array([case.error(10**log, use) for (case, _), log in zip(fitted, logs, strict=True)])
    excess = np.array([case.excess(10**log, use) for (case, _), log in zip(fitted, logs, strict=True)])
    inside = [-kind.above <= off <= kind.below for (_, kind), off in zip(fitted, error, strict=True)]
    near = np.abs(error) <= math.log10(3)
    print(f"| {title} | {use} | {weights @ near:.0%} | {weights @ excess:.3f} | {weights @ inside:.0%} |")


def table(title: str, fitted: list[Fitted]) -> None:
    print(f"\n### {title}\n")
    print("| tested on | rate | within a factor 3 | mean excess | interval holds the best |")
    print("|---|---|---|---|---|")
    for group, names in GROUPS.items():
        here = [(case, kind) for case, kind in fitted if case.task in names]
        for use in USES:
            if here:
                row(group, here, use, np.full(len(here), 1 / len(here)))
    parts = {"all, each task the same": fitted}
    parts |= {f"all but {LARGEST_EXCESS}": [(case, kind) for case, kind in fitted if case.task != LARGEST_EXCESS]}
    for name in (kind.name for kind in KINDS):
        parts[f"all, {name}"] = of_kind = [(case, kind) for case, kind in fitted if kind.name == name]
        parts[f"unseen workloads, {name}"] = [one for one in of_kind if one[0].task in UNSEEN_WORKLOADS]
    for (part, here), use in itertools.product(parts.items(), USES):
        if here:
            row(part, here, use, task_weights([case for case, _ in here]))


def main() -> None:
    found = load(FILE)
    tuning = [*small_cases(found), *workload_cases(found)]
    more = [*tuning, *other_cases(found)]
    every = [*more, *other_cases(found, UNSEEN_WORKLOADS)]
    for half in (0, 1):
        print(f"half {half + 1}: {', '.join(name for name in HALF if HALF[name] == half)}")
    table("Cross-fitted on small tasks and workloads", list(cross_fitted(tuning)))
    table("Cross-fitted on these and the other workloads", list(cross_fitted(more)))
    table("Cross-fitted on all", list(cross_fitted(every)))
    full_length = list(small_cases(found, LION_AND_MUON))
    print("\nFitted on Lion and Muon:", fit(full_length, FULL_LENGTH), sep="\n")
    table("Cross-fitted on Lion and Muon", list(cross_fitted(full_length)))
    table("As if they were Adam", [(case, ADAPTIVE) for case in full_length])
    table("The library's constants", [(case, kind_in(case)) for case in every])
    for title, cases in (("small tasks and workloads", tuning), ("these and the other workloads", more)):
        kinds = kinds_of(cases)
        print(f"\nFitted on {title}:", *kinds.values(), sep="\n")
        unseen = [case for case in every if case.task in UNSEEN_WORKLOADS]
        table(f"Fitted on {title}, tried on the unseen", [(case, kinds[kind_in(case)]) for case in unseen])


if __name__ == "__main__":
    main()
