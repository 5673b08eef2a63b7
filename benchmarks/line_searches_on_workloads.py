"""Every search with its defaults against tuned SGD and Adam, the starting rate varied over eight decades.

    KERAS_BACKEND=jax python benchmarks/line_searches_on_workloads.py [--workloads fmnist_mlp,...] [--searches PAL,...]
        [--seeds 1] [--starts 9] [--share 1.0] [--output runs.csv]

A search that begins with a rate (`initial`) is started at 1e-4 ... 1e4 times its direction; PAL, SafePolyak and
PoNoS have no such rate, and their own constant (`measure`, `floor`, `scale`) is multiplied by as much. Tuned SGD and
Adam come from `baseline.csv`. Per workload and search the table shows the final validation loss at the default start,
the best and the worst over the starts, evaluations a step, and milliseconds a step.
`--share` cuts the number of steps, to see that everything runs.
"""

import argparse
import csv
import dataclasses
import time

import keras
import numpy as np
import score
from workload import Feed, evaluate
from workloads import WORKLOADS

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


def train(workload, data, search, factor, seed, steps):
    keras.utils.set_random_seed(seed)
    model = workload.build()
    model.compile(SEARCHES[search](factor), workload.loss())
    counter = Evaluations()
    feed = Feed(data, workload.batch_size, steps, seed)
    start = time.perf_counter()
    attach(model).fit(feed, verbose=0, shuffle=False, callbacks=[counter])
    milliseconds = (time.perf_counter() - start) / steps * 1e3
    loss, metric = evaluate(model, workload, data)
    return Run(workload.name, search, factor, seed, loss, metric, counter.total / steps, milliseconds)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workloads", default=",".join(WORKLOADS))
    parser.add_argument("--searches", default=",".join(SEARCHES))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--starts", type=int, default=9, help="odd: starting rates over eight decades")
    parser.add_argument("--share", type=float, default=1.0, help="share of the steps of each workload")
    parser.add_argument("--output", default="line_searches_on_workloads.csv")
    options = parser.parse_args()
    # The middle of the range is the default of each search; a start of 1 has four decades on either side.
    factors = np.logspace(-4, 4, options.starts) if options.starts > 1 else np.ones(1)
    baseline = score.load_runs()
    print("| workload | search | default | best of starts | worst | tuned SGD | tuned Adam | evaluations | ms a step |")
    print("|---|---|---|---|---|---|---|---|---|")
    with open(options.output, "w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in dataclasses.fields(Run)])
        writer.writeheader()
        for name in options.workloads.split(","):
            workload = WORKLOADS[name]
            data, steps = workload.load(), max(int(workload.steps * options.share), 2)
            tuned = [f"{np.mean([r.loss for r in score.tuned(baseline, name, o)]):.4g}" for o in ("sgd", "adam")]
            for search in options.searches.split(","):
                here = []
                for factor in factors:
                    for seed in range(options.seeds):
                        here.append(train(workload, data, search, float(factor), seed, steps))
                        writer.writerow(dataclasses.asdict(here[-1]))
                        file.flush()
                by_start = [np.mean([r.loss for r in here if r.factor == f]) for f in factors]
                at_default = [r for r in here if abs(np.log10(r.factor)) < 1e-9]
                evaluations = np.mean([r.evaluations for r in at_default])
                milliseconds = np.mean([r.milliseconds for r in at_default])
                print(
                    f"| {name} | {search} | {np.mean([r.loss for r in at_default]):.4g} | {min(by_start):.4g} "
                    f"| {max(by_start):.4g} | {tuned[0]} | {tuned[1]} | {evaluations:.2f} | {milliseconds:.1f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
