"""`keras-lr race SCRIPT.py`: only the rate, its interval and the picture."""

import keras_lr
from keras_lr.cli._files import ReportPath, check_report, show
from keras_lr.cli._progress import Watched
from keras_lr.cli._script import Epochs, Script, task_of


def race(script: Script, epochs: Epochs = None, report: ReportPath = None) -> None:
    """Find the peak learning rate for the model of SCRIPT, without training it."""
    check_report(report)
    task = task_of(script, epochs)
    model = task.model()
    with Watched() as watched:
        result = keras_lr.race(model, **task.race_arguments(), progress=watched.race)
    show(result, report)
