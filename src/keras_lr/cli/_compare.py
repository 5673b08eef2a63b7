"""`keras-lr compare SCRIPT.py`: the methods of a script side by side."""

from typing import Annotated, Any

import keras
import typer

import keras_lr
from keras_lr.cli._files import ReportPath, check_report, show
from keras_lr.cli._progress import Watched
from keras_lr.cli._script import Epochs, Script, methods_of, task_of
from keras_lr.cli._sweep import Jobs, Seeds, Storage


def compare(
    script: Script,
    seeds: Seeds = 3,
    epochs: Epochs = None,
    target: Annotated[
        float | None, typer.Option(help="The value that a run is to reach. Default: 95 % of the best way down.")
    ] = None,
    storage: Storage = None,
    report: ReportPath = None,
    jobs: Jobs = None,
) -> None:
    """Train the model of SCRIPT by several methods: those of its methods(), or as compiled and by keras_lr.fit."""
    check_report(report)
    task = task_of(script, epochs)
    methods = methods_of(script)
    if methods is None:
        methods = {"as compiled": _as_compiled, "keras-lr": keras_lr.fit}
    with Watched() as watched:
        result = keras_lr.compare(
            task, methods, seeds=seeds, target=target, storage=storage, n_jobs=jobs, progress=watched.trials
        )
    show(result, report)


def _as_compiled(model: keras.Model, **arguments: Any) -> Any:
    return model.fit(**arguments | {"callbacks": [keras_lr.callbacks.Horizon(), *arguments["callbacks"]]})
