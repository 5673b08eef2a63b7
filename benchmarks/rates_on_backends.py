"""The rates that the race chooses on the eight workloads, on each backend.

    for backend in jax tensorflow torch; do KERAS_BACKEND=$backend python benchmarks/rates_on_backends.py; done

Each call races on its backend, from the same weights and on the same batches, and adds what it found to `--output` (a
CSV file, `rates_on_backends.csv` by default). What the file holds is printed as a table: the rates, and whether the
largest lies within one rung (half a decade) of the smallest.
"""

import argparse
import csv
import math
from pathlib import Path

import keras
import numpy as np
from fit_against_tuned import OPTIMIZERS
from tables import save, table
from workload import Feed
from workloads import WORKLOADS

import keras_lr

RUNG = math.sqrt(10)


def chosen_rate(name: str, optimizer: str) -> float:
    """The peak that the race finds for a workload's whole run."""
    workload = WORKLOADS[name]
    keras.utils.set_random_seed(0)
    model = workload.build()
    start = np.random.default_rng(0)
    model.set_weights([_like(weight, start) for weight in model.get_weights()])
    model.compile(OPTIMIZERS[optimizer](), workload.loss())
    feed = Feed(workload.load(), workload.batch_size, workload.steps, seed=0)
    return keras_lr.race(model, feed, epochs=1).learning_rate


def _like(weight: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """New weights of the same spread: NumPy's draws are the same on each backend, Keras' are not."""
    spread = float(weight.std())
    if weight.ndim < 2 or not spread:
        return weight
    return random.normal(float(weight.mean()), spread, weight.shape).astype(weight.dtype)


def summary(rows: list[dict[str, str]]) -> str:
    """One line a workload and optimizer, and on how many of them the backends agree."""
    backends = sorted({row["backend"] for row in rows})
    found: dict[tuple[str, str], dict[str, float]] = {}
    for row in rows:
        found.setdefault((row["optimizer"], row["workload"]), {})[row["backend"]] = float(row["learning_rate"])
    lines, agree = [], {optimizer: [0, 0] for optimizer, _ in found}
    for (optimizer, name), rates in found.items():
        ratio = max(rates.values()) / min(rates.values())
        agree[optimizer][0] += ratio <= RUNG
        agree[optimizer][1] += 1
        shown = [f"{rates[backend]:.3g}" if backend in rates else "" for backend in backends]
        lines.append([f"{optimizer} {name}", *shown, f"{ratio:.2f}"])
    said = "; ".join(f"{optimizer}: {n} of {total}" for optimizer, (n, total) in agree.items())
    return f"{table(['workload', *backends, 'largest / smallest'], lines)}\nwithin one rung (3.16): {said}"


def main() -> None:
    """Race on this backend, add to the file, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workloads", default=",".join(WORKLOADS))
    parser.add_argument("--output", type=Path, default=Path("rates_on_backends.csv"))
    given = parser.parse_args()
    backend = keras.backend.backend()
    rows: list[dict[str, str]] = []
    if given.output.exists():
        with given.output.open(newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["backend"] != backend]
    for name in given.workloads.split(","):
        for optimizer in WORKLOADS[name].optimizers:
            rate = f"{chosen_rate(name, optimizer):.6g}"
            rows.append({"backend": backend, "workload": name, "optimizer": optimizer, "learning_rate": rate})
            print(f"{name} {optimizer}: {rate}", flush=True)
    save(given.output, rows)
    print(summary(rows))


if __name__ == "__main__":
    main()
