"""`keras-lr diagnose SCRIPT.py`: is the rate that the script's model was compiled with too high or too low?"""

import keras_lr
from keras_lr.cli._files import ReportPath, check_report, show
from keras_lr.cli._progress import Watched
from keras_lr.cli._script import Epochs, Script, task_of


def diagnose(script: Script, epochs: Epochs = None, report: ReportPath = None) -> None:
    """Judge the learning rate that the model of SCRIPT was compiled with, without training it."""
    check_report(report)
    task = task_of(script, epochs)
    model = task.model()
    with Watched() as watched:
        result = keras_lr.diagnose(model, **task.race_arguments(), progress=watched.race)
    show(result, report)
