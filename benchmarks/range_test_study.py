"""How near to the tuned rate does each rule of a range test land? Small tasks, the eight workloads, seven, and six.

    KERAS_BACKEND=jax python benchmarks/range_test_study.py                             # the tables, from the file
    KERAS_BACKEND=jax python benchmarks/range_test_study.py measure FILE [PREFIX ...]   # adds what FILE lacks; hours
    KERAS_BACKEND=jax python benchmarks/range_test_study.py compare FILE                # with range_test_study.npz

Small tasks: 3 optimizers, 5 seeds, and Lion and Muon by themselves; the truth is 500 steps at each of 27 rates,
constant and with 5 % warm-up and linear decay, judged by the loss of all the training data. Workloads: 2 optimizers,
2 seeds; the truth is `baseline.csv` (its "cosine" is a schedule) and the two rates halfway between its best rate and
the neighbours, judged by the mean validation loss. Other and unseen workloads: 3 optimizers, 2 seeds; see
`range_test_others.py`.
Error: log10(suggested / best). Excess: (loss at the suggestion - best) / (untrained - best), linear between the rates
in the logarithm, at most 2.

The form of our rule was chosen on the small tasks and the workloads, which also fitted the constants of gradient
descent; those of Adam were fitted on the other workloads too. The unseen workloads were written and measured before the
rule was final, and fitted nothing. When they were looked at, they made one choice: a fit of all constants on all the
rest had been meant to replace those of gradient descent, and did worse. `range_test_fit.py` has the figures.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
import range_test_measure
import range_test_others
from other_workloads import OTHER_WORKLOADS
from range_test_measure import GRID, SEEDS, SWEEP, WORKLOAD_OPTIMIZERS, Unit
from score import load_runs
from small_tasks import LION_AND_MUON, OPTIMIZERS, TASKS
from unseen_workloads import UNSEEN_WORKLOADS
from workload import Workload
from workloads import WORKLOADS

from keras_lr.finder import RULES, RangeTestResult, Use
from keras_lr.finder._own_rule import kind_of

FILE = Path(__file__).with_name("range_test_study.npz")
Makers = dict[str, Callable[[], keras.optimizers.Optimizer]]
USES = {"constant": Use.CONSTANT, "schedule": Use.PEAK}


@dataclass(frozen=True, eq=False)
class Case:
    """One task, optimizer and seed: our curve, that of the other libraries, and what training at each rate gave."""

    task: str
    optimizer: str
    seed: int
    test: RangeTestResult
    wide: RangeTestResult
    truth: dict[str, tuple[np.ndarray, np.ndarray]]
    untrained: float

    def best(self, use: str) -> float:
        """The rate with the lowest loss of those that were tried."""
        rates, losses = self.truth[use]
        return float(rates[np.argmin(losses)])

    def error(self, rate: float, use: str) -> float:
        """Decades from the best rate."""
        return float(np.log10(rate / self.best(use)))

    def excess(self, rate: float, use: str) -> float:
        """What the rate costs, on the scale from the best run to no training."""
        rates, losses = self.truth[use]
        excess = np.minimum((losses - losses.min()) / (self.untrained - losses.min()), 2)
        return float(np.interp(np.log10(rate), np.log10(rates), excess))


def small_cases(found: dict[str, np.ndarray], optimizers: Makers = OPTIMIZERS) -> Iterator[Case]:
    for task in TASKS:
        for name, optimizer in optimizers.items():
            for seed in SEEDS:
                key = f"{task.name}/{name}/{seed}"
                truth = {use: (GRID, finite(found[f"{key}/{use}"])) for use in USES}
                tests = tests_of(found, key, optimizer())
                yield Case(task.name, name, seed, *tests, truth, float(found[f"{key}/untrained"]))


def workload_cases(found: dict[str, np.ndarray]) -> Iterator[Case]:
    for workload in WORKLOADS:
        for name, optimizer in WORKLOAD_OPTIMIZERS.items():
            truth = {use: workload_truth(found, workload, name, use) for use in USES}
            for seed in (0, 1):
                tests = tests_of(found, f"{workload}/{name}/{seed}", optimizer())
                untrained = float(found[f"{workload}/untrained"])
                yield Case(workload, name, seed, *tests, truth, untrained)


def other_cases(found: dict[str, np.ndarray], workloads: dict[str, Workload] = OTHER_WORKLOADS) -> Iterator[Case]:
    for workload in workloads:
        for name, optimizer in OPTIMIZERS.items():
            truth = {use: other_truth(found, f"{workload}/{name}/{use}") for use in USES}
            for seed in range_test_others.SEEDS:
                tests = tests_of(found, f"{workload}/{name}/{seed}", optimizer())
                yield Case(workload, name, seed, *tests, truth, float(found[f"{workload}/untrained"]))


def other_truth(found: dict[str, np.ndarray], key: str) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(found[f"{key}/rates"])
    return np.float64(found[f"{key}/rates"])[order], finite(found[f"{key}/losses"][order])


def workload_truth(found: dict[str, np.ndarray], workload: str, name: str, use: str) -> tuple[np.ndarray, np.ndarray]:
    kept = {"constant": "constant", "schedule": "cosine"}[use]
    runs: dict[float, list[float]] = {}
    for run in load_runs():
        if (run.workload, run.optimizer, run.schedule) == (workload, name, kept):
            runs.setdefault(run.learning_rate, []).append(run.loss)
    means = {rate: np.mean(losses) for rate, losses in runs.items()}
    key = f"{workload}/{name}/{use}"
    means |= dict(zip(np.float64(found[f"{key}/rates"]), found[f"{key}/losses"], strict=True))
    rates = sorted(means)
    return np.array(rates), finite([means[rate] for rate in rates])


def tests_of(found: dict[str, np.ndarray], key: str, optimizer: object) -> tuple[RangeTestResult, RangeTestResult]:
    """Our default test, one sweep, and the sweep from 1e-6 to 100 that the other libraries' rules see."""
    moving_rate = float(found[f"{key}/moving_rate"])
    own = RangeTestResult(found[f"{key}/rates"], found[f"{key}/sweeps"], kind_of(optimizer), moving_rate)
    return own, RangeTestResult(SWEEP, found[f"{key}/wide"][:1], kind_of(optimizer))


def finite(losses: object) -> np.ndarray:
    losses = np.asarray(losses, np.float64)
    return np.where(np.isfinite(losses), losses, np.inf)


def rules() -> dict[str, Callable[[Case, str], float | None]]:
    peers = {name: (lambda case, use, name=name: case.wide.suggest(name).learning_rate) for name in RULES}
    return {
        "keras-lr": lambda case, use: one_sweep(case).suggest(use=USES[use]).learning_rate,
        "keras-lr, two sweeps": lambda case, use: case.test.suggest(use=USES[use]).learning_rate,
        **peers,
        "default rate": lambda case, use: 1e-2 if case.optimizer in ("sgd", "momentum") else 1e-3,
    }


def one_sweep(case: Case) -> RangeTestResult:
    return replace(case.test, sweeps=case.test.sweeps[:1])


def table(title: str, cases: list[Case], use: str) -> None:
    print(f"\n### {title}, {use}: {len(cases)} cases\n")
    print("| rule | no answer | median error | within a factor 3 | excess to 0.02 | mean excess | max/min of seeds |")
    print("|---|---|---|---|---|---|---|")
    for name, rule in rules().items():
        rates = [(case, rule(case, use)) for case in cases]
        known = [(case, rate) for case, rate in rates if rate is not None]
        errors = np.array([case.error(rate, use) for case, rate in known])
        excess = np.array([case.excess(rate, use) for case, rate in known] + [1.0] * (len(cases) - len(known)))
        print(
            f"| {name} | {len(cases) - len(known)} | {np.median(errors):+.2f} | "
            f"{np.sum(np.abs(errors) <= np.log10(3)) / len(cases):.0%} | {np.mean(excess <= 0.02):.0%} | "
            f"{np.mean(excess):.3f} | {spread(known):.1f} |"
        )
    for name in sorted({case.optimizer for case in cases}):
        inside = [holds_best(case, use) for case in cases if case.optimizer == name]
        print(f"\nWith {name} the best rate lies in our interval in {np.mean(inside):.0%} of the cases.")
    print(f"\nIn all, in {np.mean([holds_best(case, use) for case in cases]):.0%}.")


def holds_best(case: Case, use: str) -> bool:
    found = one_sweep(case).suggest(use=USES[use])
    return found.low is not None and found.high is not None and found.low <= case.best(use) <= found.high


def spread(known: list[tuple[Case, float]]) -> float:
    groups: dict[tuple[str, str], list[float]] = {}
    for case, rate in known:
        groups.setdefault((case.task, case.optimizer), []).append(rate)
    return float(np.median([max(rates) / min(rates) for rates in groups.values()]))


def load(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as file:
        return {key: file[key] for key in file.files}


def measure(units: Iterable[Unit], path: Path, prefixes: list[str]) -> None:
    """Measure what the file lacks, one unit after the other; it is saved after each."""
    found = load(path) if path.exists() else {}
    for name, unit in units:
        wanted = not prefixes or any(name.startswith(prefix) for prefix in prefixes)
        if wanted and not any(key.startswith(name) for key in found):
            found |= {key: np.float32(value) for key, value in unit()}
            np.savez_compressed(path, **found)
            print(f"{name} measured", flush=True)


def compare(path: Path) -> None:
    """Print how far the curves and losses of a file are from the recorded ones, relatively, by what they are."""
    ours, theirs = load(path), load(FILE)
    apart: dict[tuple[str, str], list[np.ndarray]] = {}
    for key in sorted(ours.keys() & theirs.keys()):
        one, other = np.float64(ours[key]), np.float64(theirs[key])
        if one.shape == other.shape:
            both = np.isfinite(one) & np.isfinite(other)
            task, *_, what = key.split("/")
            apart.setdefault((task, what), []).append((np.abs(one - other) / np.maximum(np.abs(other), 1e-9))[both])
    for (task, what), parts in apart.items():
        every = np.concatenate(parts)
        print(f"{task} {what}: {every.size} values, median {np.median(every):.1e}, largest {np.max(every):.1e}")


def main() -> None:
    if sys.argv[1:2] == ["measure"]:
        units = [*range_test_measure.units(), *range_test_others.units()]
        return measure(units, Path(sys.argv[2]), sys.argv[3:])
    if sys.argv[1:2] == ["compare"]:
        return compare(Path(sys.argv[2]))
    found = load(FILE)
    for title, cases in (
        ("Unseen workloads", list(other_cases(found, UNSEEN_WORKLOADS))),
        ("Other workloads", list(other_cases(found))),
        ("Small tasks", list(small_cases(found))),
        ("Lion and Muon on small tasks", list(small_cases(found, LION_AND_MUON))),
        ("Workloads", list(workload_cases(found))),
    ):
        for use in USES:
            table(title, cases, use)
    return None


if __name__ == "__main__":
    main()
