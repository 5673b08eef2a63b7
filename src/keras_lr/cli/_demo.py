"""`keras-lr demo`: the default Adam beside keras-lr on real handwritten digits."""

from pathlib import Path
from typing import Annotated

import typer

from keras_lr.cli._files import ReportPath, check_report, show
from keras_lr.cli._progress import Watched
from keras_lr.demo import EPOCHS, run


def demo(
    report: ReportPath = Path("report.html"),
    epochs: Annotated[int, typer.Option(min=1, help="How long each training is.")] = EPOCHS,
) -> None:
    """Train a small network on real digits twice: with the default Adam(1e-3), and without giving a rate."""
    check_report(report)
    with Watched() as watched:
        result = run(epochs, watch=lambda name: [watched.training(name)], progress=watched.race)
    show(result, report)
