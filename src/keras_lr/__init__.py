"""keras-lr finds, schedules, steers and explains the learning rate of any Keras 3 model."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from keras_lr._registered import register

if TYPE_CHECKING:
    from keras_lr import callbacks as callbacks
    from keras_lr import diagnosis as diagnosis
    from keras_lr import finder as finder
    from keras_lr import line_search as line_search
    from keras_lr import optimizers as optimizers
    from keras_lr import report as report
    from keras_lr import schedules as schedules
    from keras_lr import training as training
    from keras_lr import trials as trials
    from keras_lr._diagnose import diagnose as diagnose
    from keras_lr._fit import fit as fit
    from keras_lr._fit_result import FitResult as FitResult
    from keras_lr.diagnosis import Diagnosis as Diagnosis
    from keras_lr.finder import RaceResult as RaceResult
    from keras_lr.finder import RangeTestResult as RangeTestResult
    from keras_lr.finder import race as race
    from keras_lr.finder import range_test as range_test
    from keras_lr.task import Task as Task
    from keras_lr.training import attach as attach
    from keras_lr.training import scale_learning_rate as scale_learning_rate
    from keras_lr.training import set_learning_rate as set_learning_rate
    from keras_lr.trials import CompareResult as CompareResult
    from keras_lr.trials import SweepResult as SweepResult
    from keras_lr.trials import compare as compare
    from keras_lr.trials import sweep as sweep

__version__ = "0.1.0"

# Where each public name lives. It is imported when it is first used, so that `import keras_lr` costs next to nothing.
_HOMES = {
    "callbacks": "keras_lr.callbacks",
    "diagnosis": "keras_lr.diagnosis",
    "finder": "keras_lr.finder",
    "line_search": "keras_lr.line_search",
    "optimizers": "keras_lr.optimizers",
    "report": "keras_lr.report",
    "schedules": "keras_lr.schedules",
    "training": "keras_lr.training",
    "trials": "keras_lr.trials",
    "diagnose": "keras_lr._diagnose",
    "Diagnosis": "keras_lr.diagnosis",
    "fit": "keras_lr._fit",
    "FitResult": "keras_lr._fit_result",
    "RaceResult": "keras_lr.finder",
    "RangeTestResult": "keras_lr.finder",
    "race": "keras_lr.finder",
    "range_test": "keras_lr.finder",
    "Task": "keras_lr.task",
    "attach": "keras_lr.training",
    "scale_learning_rate": "keras_lr.training",
    "set_learning_rate": "keras_lr.training",
    "CompareResult": "keras_lr.trials",
    "SweepResult": "keras_lr.trials",
    "compare": "keras_lr.trials",
    "sweep": "keras_lr.trials",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(
            f"module 'keras_lr' has no attribute {name!r}; it has {', '.join(sorted(_HOMES, key=str.lower))}"
        )
    home = import_module(_HOMES[name])
    value = home if _HOMES[name] == f"keras_lr.{name}" else getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*_HOMES, "__version__"]


register()
