"""What trials are judged by: a name in the logs of `fit`, and which way is better."""

from dataclasses import dataclass

import keras

from keras_lr.task import Task
from keras_lr.training._monitored import MODES, higher_is_better


@dataclass(frozen=True)
class Measure:
    """What trials are judged by.

    Attributes:
        name: a name in the logs of `fit`.
        higher_is_better: as for an accuracy.
    """

    name: str
    higher_is_better: bool

    @property
    def sign(self) -> float:
        """By what a value is multiplied to become one of which the lowest is the best."""
        return -1.0 if self.higher_is_better else 1.0


def measure_of(task: Task, model: keras.Model, monitor: str | None, mode: str) -> Measure:
    """Return what is monitored, as `monitor` and `mode` of Keras' callbacks say.

    Args:
        task: whether it has validation data chooses the default.
        model: built; it knows its metrics.
        monitor: a name in the logs. Default `None`: "val_loss" with validation data, "loss" without.
        mode: "min", "max", or "auto": what the metric of that name says.

    Raises:
        ValueError: `mode` is none of the three, "auto" cannot know, or there are no validation data to monitor.
    """
    if monitor is not None and not isinstance(monitor, str):
        raise ValueError(f"monitor={monitor!r}: give a name in the logs of fit, such as 'val_loss', or leave it out.")
    has_validation = task.validation_data is not None or task.validation_split > 0
    name = monitor or ("val_loss" if has_validation else "loss")
    if mode not in MODES:
        raise ValueError(f"mode={mode!r}: give 'auto', 'min' or 'max'.")
    if name.startswith("val_") and not has_validation:
        raise ValueError(
            f"monitor={name!r} needs validation data, and the task has none. Give it validation_data=... or "
            f"validation_split=..., or monitor {name.removeprefix('val_')!r}."
        )
    return Measure(name, higher_is_better(model, name, mode))
