"""`keras-lr sweep SCRIPT.py`: whole trainings at several rates and seeds, and the U-curve that they make."""

from typing import Annotated

import typer

import keras_lr
from keras_lr.cli._files import ReportPath, check_report, show
from keras_lr.cli._progress import Watched
from keras_lr.cli._refusal import Refusal
from keras_lr.cli._script import Epochs, Script, task_of

Seeds = Annotated[
    int, typer.Option(min=1, help="How many trainings of each kind: other weights, other order of the data.")
]
Storage = Annotated[
    str | None,
    typer.Option(help="Keep the trials in this SQLite file (or database URL); the same command goes on from it."),
]
Jobs = Annotated[int | None, typer.Option(help="How many trainings run side by side, each in a process of its own.")]


def sweep(
    script: Script,
    rates: Annotated[
        str | None, typer.Option(help="The rates, such as 1e-4,1e-3,1e-2. Default: five around what a race finds.")
    ] = None,
    seeds: Seeds = 3,
    epochs: Epochs = None,
    storage: Storage = None,
    report: ReportPath = None,
    jobs: Jobs = None,
) -> None:
    """Train the model of SCRIPT at several rates and seeds, each time from the beginning."""
    check_report(report)
    chosen = None if rates is None else _numbers(rates)
    task = task_of(script, epochs)
    with Watched() as watched:
        result = keras_lr.sweep(task, chosen, seeds=seeds, storage=storage, n_jobs=jobs, progress=watched.trials)
    show(result, report)


def _numbers(rates: str) -> list[float]:
    try:
        return [float(rate) for rate in rates.split(",")]
    except ValueError:
        raise Refusal(f"--rates {rates}: give numbers with commas between them, such as 1e-4,1e-3,1e-2.") from None
