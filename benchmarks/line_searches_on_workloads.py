"""Every search with its defaults against tuned SGD and Adam, the starting rate varied over eight decades.

    KERAS_BACKEND=jax python benchmarks/line_searches_on_workloads.py [--workloads fmnist_mlp,...] [--searches PAL,...]
        [--seeds 1] [--starts 5] [--minutes 30] [--fit] [--output runs.csv]

A search that begins with a rate (`initial`) is started at 1e-4 ... 1e4 times its default; PAL, SafePolyak and
PoNoS have no such rate, and their own constant (`measure`, `floor`, `scale`) is multiplied by as much. Tuned SGD and
Adam come from `baseline.csv`. Per workload and search the table shows the final validation loss at the default start,
the best and the worst over the starts, evaluations a step, and milliseconds a step with compilation.
Runs are appended to `--output` as they end, and those that it holds are not repeated: with `--minutes` of processor
time a study can be made in pieces. The defaults come first, then the starts nearest to them. With `--fit` the runs
are those of `keras_lr.fit`: the step that the search finds, times a warm-up, a hold and a decay to zero.
"""

import argparse
import csv
import dataclasses
import functools
import itertools
import time
from collections.abc import Iterable
from pathlib import Path

import keras
import numpy as np
import score
from workload import Feed, evaluate
from workloads import WORKLOADS

import keras_lr
from keras_lr.line_search import PAL, SLS, EachStep, GeN, Goldstein, Growing, Polyak, PoNoS, SafePolyak, SaLSA
from keras_lr.optimizers import LineSearch
from keras_lr.training import attach


def with_field(rule, name, factor):
    return dataclasses.replace(rule, **{name: getattr(rule, name) * factor})


SEARCHES = {
    "PAL": lambda factor: LineSearch(with_field(PAL(), "measure", factor), keras.optimizers.SGD(1.0, momentum=0.4)),
    "SLS": lambda factor: LineSearch(SLS(initial=factor)),
    "Goldstein": lambda factor: LineSearch(EachStep(Goldstein(), Growing(initial=factor))),
    "PoNoS": lambda factor: LineSearch(with_field(PoNoS(), "scale", factor)),
    "SaLSA with Adam": lambda factor: LineSearch(SaLSA(initial=factor), keras.optimizers.Adam(1e-3)),
    "Polyak": lambda factor: LineSearch(with_field(Polyak(), "initial", factor)),
    "SafePolyak": lambda factor: LineSearch(with_field(SafePolyak(), "floor", factor)),
    "GeN with Adam": lambda factor: LineSearch(GeN(initial=factor), keras.optimizers.Adam(1e-3)),
}


@dataclasses.dataclass(frozen=True)
class Run:
    """One training with one search from one start."""

    workload: str
    search: str
    factor: float
    seed: int
    loss: float
    metric: float
    evaluations: float
    milliseconds: float


class Evaluations(keras.callbacks.Callback):
    """Adds up what every step evaluated."""

    def on_train_begin(self, logs=None):
        self.total = 0.0

    def on_train_batch_end(self, batch, logs=None):
        self.total += float(logs["evaluations"])


def train(name: str, search: str, factor: float, seed: int, by_fit: bool) -> Run:
    workload = WORKLOADS[name]
    data = workload.load()
    keras.utils.set_random_seed(seed)
    model = workload.build()
    model.compile(SEARCHES[search](factor), workload.loss())
    counter = Evaluations()
    feed = Feed(data, workload.batch_size, workload.steps, seed)
    start = time.process_time()
    attach(model)
    train_model = functools.partial(keras_lr.fit, model) if by_fit else model.fit
    train_model(feed, verbose=0, shuffle=False, callbacks=[counter])
    milliseconds = (time.process_time() - start) / workload.steps * 1e3
    loss, metric = evaluate(model, workload, data)
    return Run(name, search, factor, seed, loss, metric, counter.total / workload.steps, milliseconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workloads", default=",".join(WORKLOADS))
    parser.add_argument("--searches", default=",".join(SEARCHES))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--starts", type=int, default=5, help="odd: starting rates over eight decades")
    parser.add_argument("--minutes", type=float, default=np.inf, help="begin no run after so much processor time")
    parser.add_argument("--fit", action="store_true", help="train by keras_lr.fit, which schedules the step")
    parser.add_argument("--output", type=Path, default=Path("line_searches_on_workloads.csv"))
    options = parser.parse_args()
    done = read(options.output)
    known = {(run.workload, run.search, run.factor, run.seed) for run in done}
    names, searches = options.workloads.split(","), options.searches.split(",")
    end = time.process_time() + 60.0 * options.minutes
    for seed, factor, name, search in itertools.product(range(options.seeds), starts(options.starts), names, searches):
        if (name, search, factor, seed) not in known and time.process_time() < end:
            done.append(train(name, search, factor, seed, options.fit))
            keras.backend.clear_session()
            append(options.output, done[-1])
    table(done)


def starts(number: int) -> list[float]:
    """Factors on the start, 1 first: with more than one of them, evenly over eight decades."""
    exponents = np.linspace(-4.0, 4.0, number) if number > 1 else np.zeros(1)
    return [float(10.0**e) for e in sorted(exponents, key=abs)]


def read(path: Path) -> list[Run]:
    if not path.exists():
        return []
    types = [field.type for field in dataclasses.fields(Run)]
    with path.open(newline="") as file:
        return [Run(*(convert(cell) for convert, cell in zip(types, row, strict=True))) for row in csv.reader(file)]


def append(path: Path, run: Run) -> None:
    with path.open("a", newline="") as file:
        csv.writer(file).writerow(dataclasses.astuple(run))


def table(done: list[Run]) -> None:
    baseline = score.load_runs()
    print("| workload | search | default | best of starts | worst | starts | tuned SGD | tuned Adam ", end="")
    print(f"| evaluations | ms a step |\n|{'---|' * 10}")
    for name, search in itertools.product(WORKLOADS, SEARCHES):
        here = [run for run in done if (run.workload, run.search) == (name, search)]
        at_default = [run for run in here if run.factor == 1.0]
        if not at_default:
            continue
        by_start = [mean(r.loss for r in here if r.factor == factor) for factor in {run.factor for run in here}]
        losses = [mean(r.loss for r in at_default), min(by_start), max(by_start)]
        tuned = [mean(run.loss for run in score.tuned(baseline, name, o)) for o in ("sgd", "adam")]
        print(f"| {name} | {search} | {' | '.join(f'{x:.4g}' for x in losses)} | {len(by_start)} ", end="")
        print(f"| {tuned[0]:.4g} | {tuned[1]:.4g} | {mean(r.evaluations for r in at_default):.2f} ", end="")
        print(f"| {mean(r.milliseconds for r in at_default):.1f} |", flush=True)


def mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


if __name__ == "__main__":
    main()
