"""The tuned grid that `fit_against_tuned.py` compares with, by plain Keras: `train_on_batch` at a given rate.

    KERAS_BACKEND=tensorflow python benchmarks/tuned_runs.py [--workloads fashion_vit,...] [--smoke] [--output runs.csv]

Per everyday workload, optimizer and schedule (constant; 5 % of warm-up, then a cosine to zero): eight rates half a
decade apart, and more while the best of them is at an end; two seeds. First weights and batches are those of ours. What
is missing from the file, `baseline.csv` by default, is run and added to it; what it holds was measured on TensorFlow,
whose first weights of a seed are not those of JAX. `--smoke` cuts every run to 60 steps and the ladder to one rate: it
shows that everything runs, and nothing else.
"""

import argparse
import csv
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
from everyday_workloads import EVERYDAY_WORKLOADS
from fit_against_tuned import OPTIMIZERS, PARTS, SMOKE_STEPS
from score import BASELINE
from workload import Data, Workload, batch_order, take

COLUMNS = BASELINE.read_text().splitlines()[0].split(",")
Row = dict[str, str | int | float]
RATES, SEEDS = 8, 2
LOWEST_RUNG = {"sgd": -7}  # in half decades; of the others -9, which is 3.2e-5


def constant(steps: int) -> np.ndarray:
    """A factor of one at every step."""
    return np.ones(steps)


def cosine(steps: int) -> np.ndarray:
    """5 % of linear warm-up, then half a cosine to zero."""
    step, warmup = np.arange(steps), max(1, round(0.05 * steps))
    falling = 0.5 * (1 + np.cos(np.pi * (step - warmup) / (steps - warmup)))
    return np.where(step < warmup, (step + 1) / warmup, falling)


SCHEDULES: dict[str, Callable[[int], np.ndarray]] = {"constant": constant, "cosine": cosine}


class Trainer:
    """Trains a model again and again from the first weights of a seed: one compiled step for all rates and seeds."""

    def __init__(self, workload: Workload, data: Data, optimizer: str) -> None:
        self.workload, self.data = workload, data
        self.model = workload.build()
        self.model.compile(OPTIMIZERS[optimizer](), workload.loss())
        self.model.optimizer.build(self.model.trainable_variables)
        self.slots = [keras.ops.convert_to_numpy(v).copy() for v in self.model.optimizer.variables]

    def train(self, rates: np.ndarray, seed: int) -> list[float]:
        """Return the validation losses after each of `PARTS` parts; infinite from a loss that is not finite."""
        keras.utils.set_random_seed(seed)
        values = [*self.workload.build().variables, *self.slots]
        for variable, value in zip([*self.model.variables, *self.model.optimizer.variables], values, strict=True):
            variable.assign(value)
        losses: list[float] = []
        order = batch_order(len(self.data.y), self.workload.batch_size, self.workload.steps, seed)
        for step, (rate, rows) in enumerate(zip(rates, order, strict=True), 1):
            self.model.optimizer.learning_rate = rate
            self.model.reset_metrics()
            loss = self.model.train_on_batch(take(self.data.x, rows), self.data.y[rows])
            if not np.isfinite(loss):
                break
            if step % (len(rates) // PARTS) == 0:
                held_out = self.data.x_validation, self.data.y_validation
                losses.append(float(self.model.evaluate(*held_out, batch_size=500, verbose=0)))
        losses += [math.inf] * (PARTS - len(losses))
        return [loss if math.isfinite(loss) else math.inf for loss in losses]


def grid(trainer: Trainer, schedule: str, rungs: range, done: dict[tuple[float, int], float]) -> Iterator[Row]:
    """Train at each rate that is not done yet, and beyond an end of the ladder while the best rate is there."""
    steps = trainer.workload.steps
    waiting = list(rungs)
    ladder: dict[int, float] = {}
    while waiting:
        number = waiting.pop(0)
        rate = float(f"{10 ** (number / 2):.6g}")
        for seed in range(SEEDS):
            if (rate, seed) not in done:
                start = time.perf_counter()
                losses = trainer.train(rate * SCHEDULES[schedule](steps), seed)
                seconds = f"{time.perf_counter() - start:.3f}"
                curve = " ".join(f"{(i + 1) * steps // PARTS}:{loss:.5g}" for i, loss in enumerate(losses))
                done[rate, seed] = losses[-1]
                found = {"lr": rate, "seed": seed, "steps": steps, "val_loss": f"{losses[-1]:.6g}"}
                yield found | {"diverged": int(math.isinf(losses[-1])), "seconds": seconds, "val_curve": curve}
        ladder[number] = float(np.mean([done[rate, seed] for seed in range(SEEDS)]))
        if not waiting and len(rungs) > 1:
            best = min(ladder, key=lambda number: ladder[number])
            if best == min(ladder):
                waiting = [best - 1]
            elif best == max(ladder):
                waiting = [best + 1]


def main() -> None:
    """Run what is missing from the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workloads", default=",".join(EVERYDAY_WORKLOADS))
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--output", type=Path, default=BASELINE)
    given = parser.parse_args()
    rows: list[Row] = []
    if given.output.exists():
        with given.output.open(newline="") as file:
            rows = list(csv.DictReader(file))
    for name in given.workloads.split(","):
        workload = EVERYDAY_WORKLOADS[name]
        if given.smoke:
            workload = replace(workload, steps=SMOKE_STEPS)
        data = workload.load()
        for optimizer in workload.optimizers:
            trainer = Trainer(workload, data, optimizer)
            for schedule in SCHEDULES:
                key = {"workload": name, "optimizer": optimizer, "schedule": schedule}
                same = [row for row in rows if key.items() <= row.items()]
                done = {(float(row["lr"]), int(row["seed"])): float(row["val_loss"]) for row in same}
                lowest = LOWEST_RUNG.get(optimizer, -9)
                rungs = range(lowest, lowest + (1 if given.smoke else RATES))
                for found in grid(trainer, schedule, rungs, done):
                    rows.append(key | found)
                    print(*key.values(), found["lr"], found["seed"], found["val_loss"], flush=True)
                    with given.output.open("w", newline="") as file:
                        writer = csv.DictWriter(file, COLUMNS)
                        writer.writeheader()
                        writer.writerows(rows)


if __name__ == "__main__":
    main()
