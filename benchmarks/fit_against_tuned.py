"""`keras_lr.fit` with no rate against sixteen tuned runs and against Keras' default rate.

    KERAS_BACKEND=jax python benchmarks/fit_against_tuned.py [--workloads standard | everyday | fmnist_mlp,...]
        [--optimizers adam,sgd,...] [--seeds 3] [--smoke] [--output runs.csv]

Per workload and each of its optimizers (of the standard ones Adam and SGD with Nesterov momentum 0.9): the best of the
tuned grid in `baseline.csv` (8 rates over 5 decades, of the everyday ones 3.5 and on; constant, and warm-up plus
cosine), the default rate, and ours over the seeds, with the same batches; the gap to the tuned run (see `score.py`; 0 =
as good, negative = better), and what ours cost in steps and
seconds. `--smoke` cuts every run to 60 steps and one seed: it shows that everything runs, and nothing else.
"""

import argparse
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import score
from everyday_workloads import EVERYDAY_WORKLOADS
from tables import save, table
from workload import Data, Feed, Workload, evaluate
from workloads import WORKLOADS

import keras_lr

ALL = WORKLOADS | EVERYDAY_WORKLOADS
PARTS = 5
SMOKE_STEPS = 60
NEAR = 0.05
OPTIMIZERS = {
    "adam": lambda: keras.optimizers.Adam(),
    "sgd": lambda: keras.optimizers.SGD(momentum=0.9, nesterov=True),
    "adamw": lambda: keras.optimizers.AdamW(),
    "rmsprop": lambda: keras.optimizers.RMSprop(),
}


@dataclass(frozen=True)
class Ours:
    """One run of `keras_lr.fit`; the curve's steps include those of the race."""

    workload: str
    optimizer: str
    backend: str
    seed: int
    learning_rate: float
    loss: float
    metric: float
    cost: float
    seconds: float
    events: int
    curve: tuple[tuple[float, float], ...]


def train(workload: Workload, data: Data, optimizer: str, seed: int) -> Ours:
    """Train once with no rate given."""
    keras.utils.set_random_seed(seed)
    model = workload.build()
    model.compile(OPTIMIZERS[optimizer](), workload.loss())
    feed = Feed(data, workload.batch_size, workload.steps, seed)
    start = time.perf_counter()
    result = keras_lr.fit(
        model,
        feed,
        epochs=PARTS,
        steps_per_epoch=workload.steps // PARTS,
        shuffle=False,
        verbose=0,
        validation_data=(data.x_validation, data.y_validation),
        validation_batch_size=500,
    )
    seconds = time.perf_counter() - start
    _, metric = evaluate(model, workload, data)
    loss = result.history["val_loss"][-1]  # as Keras counts it: with what layers add, without what is masked
    before = result.total_steps - workload.steps
    steps = before + np.arange(1, PARTS + 1) * (workload.steps // PARTS)
    return Ours(
        workload.name,
        optimizer,
        keras.backend.backend(),
        seed,
        result.learning_rate,
        loss,
        metric,
        result.total_steps / workload.steps,
        seconds,
        len(result.events),
        tuple(zip(steps.tolist(), result.history["val_loss"], strict=True)),
    )


def gaps_to_tuned(name: str, optimizer: str, losses: list[float], trivial: float) -> list[float]:
    """How far losses are from the tuned runs with the same optimizer."""
    target = float(np.mean([run.loss for run in score.tuned(score.load_runs(), name, optimizer)]))
    return [score.gap(name, loss, target, trivial) for loss in losses]


def summary(optimizer: str, ours: dict[str, list[Ours]], trivial: dict[str, float]) -> str:
    """The table of one optimizer and the figures over its workloads."""
    baseline = score.load_runs()
    rows, gaps, defaults, within, beaten = [], [], [], [], []
    for name, runs in ours.items():
        tuned = score.tuned(baseline, name, optimizer)
        target = float(np.mean([run.loss for run in tuned]))
        default = float(np.mean([run.loss for run in score.default(baseline, name, optimizer)]))
        losses = [run.loss for run in runs]
        found = gaps_to_tuned(name, optimizer, losses, trivial[name])
        mean = float(np.mean(found))
        gaps.append(mean)
        defaults.append(score.gap(name, default, target, trivial[name]))
        within.append(np.mean(losses) <= max(run.loss for run in tuned))
        beaten.append(np.mean(losses) <= default)
        rates = [run.learning_rate for run in runs]
        rows.append(
            [
                name,
                f"{tuned[0].schedule} {tuned[0].learning_rate:.2g}",
                f"{target:.4g}",
                f"{defaults[-1]:.3f}",
                f"{np.mean(losses):.4g}",
                f"{mean:+.3f}",
                f"{max(found):+.3f}",
                f"{min(rates):.2g} to {max(rates):.2g}",
                f"{np.mean([run.cost for run in runs]):.2f}",
                f"{np.mean([run.seconds for run in runs]):.0f}",
                str(sum(run.events for run in runs)),
            ]
        )
    header = ["workload", "tuned", "its loss", "default's gap", "our loss", "our gap", "worst", "rates", "cost"]
    body = table([*header, "seconds", "events"], rows)
    return (
        f"{optimizer}, {keras.backend.backend()}\n{body}\n"
        f"mean gap {np.mean(gaps):+.3f}, median {np.median(gaps):+.3f}, worst workload {max(gaps):+.3f}; "
        f"the default's mean {np.mean(defaults):.3f}, median {np.median(defaults):.3f}; "
        f"no worse than the tuned runs' worse seed on {sum(within)} of {len(within)}, "
        f"than the default on {sum(beaten)} of {len(beaten)}\n"
    )


def time_to_target(ours: dict[tuple[str, str], list[Ours]], trivial: dict[str, float], share: float) -> str:
    """AlgoPerf-style scores for reaching a share of the best tuned run's way from the trivial loss, Adam and SGD."""
    baseline = score.load_runs()
    names = sorted({name for name, _ in ours if ALL[name].optimizers == ("adam", "sgd")})
    kinds = sorted({kind for name, kind in ours if name in names})
    steps: dict[str, dict[str, float]] = {}
    for name in names:
        best = min(float(np.mean([r.loss for r in score.tuned(baseline, name, k)])) for k in ALL[name].optimizers)
        level = trivial[name] - share * (trivial[name] - best)
        for kind in kinds:
            curves = {
                f"{kind}, tuned": score.tuned(baseline, name, kind),
                f"{kind}, default": score.default(baseline, name, kind),
                f"{kind}, ours (race included)": ours.get((name, kind), []),
            }
            for method, runs in curves.items():
                taken = [score.steps_to(run.curve, level) for run in runs]
                steps.setdefault(method, {})[name] = float(np.median(taken)) if taken else float("inf")
    scores = score.profile_scores(steps)
    reached = {method: sum(np.isfinite(list(by.values()))) for method, by in steps.items()}
    rows = [[method, f"{value:.2f}", f"{reached[method]} of {len(names)}"] for method, value in scores.items()]
    return f"steps to {share:.0%} of the way\n{table(['method', 'score', 'reached'], rows)}\n"


def row(run: Ours) -> dict[str, Any]:
    """Return a run as a row of a file, its curve in one cell."""
    return asdict(run) | {"curve": " ".join(f"{k:g}:{v:.5g}" for k, v in run.curve)}


def main() -> None:
    """Run what the command line asks for, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workloads", default="standard")
    parser.add_argument("--optimizers", default=",".join(OPTIMIZERS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--output", type=Path, help="a CSV file for the runs")
    given = parser.parse_args()
    seeds = 1 if given.smoke else given.seeds
    ours: dict[tuple[str, str], list[Ours]] = {}
    trivial: dict[str, float] = {}
    gaps: list[float] = []
    optimizers = given.optimizers.split(",")
    groups = {"standard": list(WORKLOADS), "everyday": list(EVERYDAY_WORKLOADS)}
    for name in groups.get(given.workloads, given.workloads.split(",")):
        workload = ALL[name]
        if given.smoke:
            workload = replace(workload, steps=SMOKE_STEPS)
        data = workload.load()
        trivial[name] = score.trivial_loss(workload, data)
        for optimizer in workload.optimizers:
            if optimizer not in optimizers:
                continue
            for seed in range(seeds):
                run = train(workload, data, optimizer, seed)
                ours.setdefault((name, optimizer), []).append(run)
                gaps += gaps_to_tuned(name, optimizer, [run.loss], trivial[name])
                print(
                    f"{name} {optimizer} seed {seed}: rate {run.learning_rate:.3g}, loss {run.loss:.4g}, "
                    f"gap {gaps[-1]:+.3f}, cost {run.cost:.2f}, {run.seconds:.0f} s",
                    flush=True,
                )
            if given.output:
                save(given.output, [row(run) for runs in ours.values() for run in runs])
    print()
    for optimizer in optimizers:
        if some := {name: runs for (name, kind), runs in ours.items() if kind == optimizer}:
            print(summary(optimizer, some, trivial))
    near = sum(gap <= NEAR for gap in gaps)
    print(f"{len(gaps)} runs: median gap {np.median(gaps):+.3f}, {near} of them at most {NEAR}\n")
    for share in (0.95, 0.99):
        print(time_to_target(ours, trivial, share))


if __name__ == "__main__":
    main()
