"""Is `keras_lr.diagnose` right where a run sees its rows again and again, and held-out rows are what counts?

    KERAS_BACKEND=jax python benchmarks/diagnose_over_epochs.py [--tasks wine,...] [--optimizers adam,momentum,sgd]
        [--epochs 10,30] [--output runs.csv]

Each task is trained at seven constant rates and with seven peaks of the schedule of `fit`, half a decade apart. Where
`diagnose` sends somebody is set against the one of these that has the lowest held-out loss: how far off it is, and the
held-out loss there, between two rates on the line that joins them, over the lowest (a hundredth is added to both).
`once` is the verdict without the rule for rows that are seen again. The tasks are those of `many_epochs.py` and the
networks of `small_tasks.py`, of which a quarter is held out.
"""

import argparse
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import keras
import numpy as np
import small_tasks
from many_epochs import ADDED, DEFAULT, HIGHEST, OPTIMIZERS, TASKS, Task
from tables import save, table
from workload import Data

import keras_lr
from keras_lr._fit_plan import run_schedule
from keras_lr.diagnosis._judgement import NEAR, judge

RATES = 7
FEW_ROWS = ["digits", "digits_standardised", "digits_dropout", "cancer", "wine", "iris", "diabetes"]
MORE_ROWS = ["satellite", "flights", "syllables_lstm"]


@dataclass(frozen=True)
class Result:
    """One verdict: the best rate, and the suggested ones with their held-out losses over the lowest."""

    task: str
    optimizer: str
    use: str
    epochs: int
    best_rate: float
    ours: float
    once: float
    excess: float
    excess_once: float


def held_out(task: small_tasks.SmallTask) -> Data:
    x, y = task.load()
    order = np.random.default_rng(7).permutation(len(y))
    known, other = np.split(order, [len(y) * 3 // 4])
    return Data(x[known], y[known], x[other], y[other])


SMALL = {f"small_{task.name}": Task(partial(held_out, task), task.build, task.loss()) for task in small_tasks.TASKS}
ALL = {name: TASKS[name] for name in FEW_ROWS + MORE_ROWS} | SMALL
Rate = float | keras.optimizers.schedules.LearningRateSchedule


def verdicts(name: str, optimizer: str, epochs: int) -> list[Result]:
    """Judge the default rate as a constant and as a peak, and train at every rate of the grid."""
    task = ALL[name]
    data = task.load()

    def compiled(rate: Rate) -> keras.Model:
        keras.utils.set_random_seed(0)
        model = task.build()
        model.build((None, *data.x.shape[1:]))
        model.compile(OPTIMIZERS[optimizer](rate), task.loss)
        return model

    def trained(rate: Rate) -> float:
        model = compiled(rate)
        model.fit(data.x, data.y, batch_size=task.batch_size, epochs=epochs, verbose=0)
        loss = float(model.evaluate(data.x_validation, data.y_validation, batch_size=500, verbose=0))
        return min(loss, 20.0) if np.isfinite(loss) else 20.0

    rates = HIGHEST[optimizer] * 10.0 ** (-0.5 * np.arange(RATES))[::-1]
    steps = epochs * -(-len(data.y) // task.batch_size)
    uses: dict[str, Callable[[float], Rate]] = {"constant": float, "peak": lambda rate: run_schedule(rate, steps)}
    asked = partial(keras_lr.diagnose, x=data.x, y=data.y, epochs=epochs, batch_size=task.batch_size)
    found = asked(compiled(DEFAULT[optimizer]))
    results = []
    for use, of_rate in uses.items():
        losses = np.array([trained(of_rate(float(rate))) for rate in rates])

        def excess(rate: float, losses: np.ndarray = losses) -> float:
            logs = np.log(losses + ADDED)
            return float(np.exp(np.interp(np.log(rate), np.log(rates), logs) - np.min(logs)))

        lanes = (found.factors, found.losses, found.still)
        suggested = [
            found.learning_rate * (judge(*lanes, stays=use == "constant", passes=passes).factor or 1.0)
            for passes in (epochs, 1)
        ]
        best = float(rates[np.argmin(losses)])
        results.append(Result(name, optimizer, use, epochs, best, *suggested, *map(excess, suggested)))
        print(results[-1], flush=True)
    return results


def summary(results: list[Result]) -> str:
    """A row for every group of tasks, use and optimizer, without the rule and with it; means are geometric."""
    groups = {"few rows": FEW_ROWS, "more rows": MORE_ROWS, "small networks": list(SMALL), "all": list(ALL)}
    header = ["tasks", "use", "optimizer", "cases", "once: within 3", "factor", "excess", "ours: within 3", "factor"]
    rows = []
    for group, names in groups.items():
        for use in ("constant", "peak"):
            for optimizer in OPTIMIZERS:
                some = [r for r in results if r.task in names and (r.use, r.optimizer) == (use, optimizer)]
                if not some:
                    continue
                row = [group, use, optimizer, str(len(some))]
                for kind in ("once", "ours"):
                    off = np.array([getattr(r, kind) / r.best_rate for r in some])
                    excesses = [r.excess if kind == "ours" else r.excess_once for r in some]
                    within = np.mean(np.abs(np.log(off)) < np.log(NEAR))
                    row += [f"{within:.0%}", *(f"{np.exp(np.mean(np.log(one))):.2f}" for one in (off, excesses))]
                rows.append(row)
    return table([*header, "excess"], rows)


def main() -> None:
    """Run what the command line asks for, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", default=",".join(ALL))
    parser.add_argument("--optimizers", default="adam,momentum,sgd")
    parser.add_argument("--epochs", default="10,30")
    parser.add_argument("--output", type=Path, help="a CSV file for the cases")
    given = parser.parse_args()
    results = []
    for name in given.tasks.split(","):
        for optimizer in given.optimizers.split(","):
            for epochs in map(int, given.epochs.split(",")):
                results += verdicts(name, optimizer, epochs)
    print(f"\n{keras.backend.backend()}\n{summary(results)}")
    if given.output:
        save(given.output, [asdict(result) for result in results])


if __name__ == "__main__":
    main()
