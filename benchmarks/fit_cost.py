"""The time that `keras_lr.fit` takes over `model.fit` of as many steps, compilation included.

    KERAS_BACKEND=jax python benchmarks/fit_cost.py [--workloads fmnist_mlp,co2_deep_linear] [--rounds 5]

Each round builds a new model for either, in turn, and trains it for the workload's steps with the same optimizer: both
compile their step once. Printed: the median seconds and the median of the rounds' ratios, beside the ratio of steps.
"""

import argparse
import statistics
import time

import keras
from fit_against_tuned import OPTIMIZERS
from tables import table
from workload import Data, Feed, Workload
from workloads import WORKLOADS

import keras_lr


def seconds(workload: Workload, data: Data, optimizer: str, ours: bool) -> tuple[float, int]:
    """Time one training from a new model; also its optimizer steps."""
    keras.utils.set_random_seed(0)
    model = workload.build()
    model.compile(OPTIMIZERS[optimizer](), workload.loss())
    feed = Feed(data, workload.batch_size, workload.steps, seed=0)
    start = time.perf_counter()
    if ours:
        steps = keras_lr.fit(model, feed, epochs=1, shuffle=False, verbose=0).total_steps
    else:
        model.fit(feed, epochs=1, shuffle=False, verbose=0)
        steps = workload.steps
    return time.perf_counter() - start, steps


def main() -> None:
    """Time what the command line asks for, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workloads", default="fmnist_mlp,co2_deep_linear")
    parser.add_argument("--optimizer", default="adam", choices=list(OPTIMIZERS))
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    rows = []
    for name in given.workloads.split(","):
        workload = WORKLOADS[name]
        data = workload.load()
        plain, ours, steps = [], [], 0
        for _ in range(given.rounds):
            plain.append(seconds(workload, data, given.optimizer, ours=False)[0])
            taken, steps = seconds(workload, data, given.optimizer, ours=True)
            ours.append(taken)
        ratios = [b / a for a, b in zip(plain, ours, strict=True)]
        rows.append(
            [
                name,
                str(workload.steps),
                f"{statistics.median(plain):.2f}",
                f"{statistics.median(ours):.2f}",
                f"{statistics.median(ratios):.2f}",
                f"{steps / workload.steps:.2f}",
            ]
        )
    print(f"{given.optimizer}, {keras.backend.backend()}, {given.rounds} rounds")
    print(table(["workload", "steps", "plain, s", "ours, s", "ratio of time", "ratio of steps"], rows))


if __name__ == "__main__":
    main()
