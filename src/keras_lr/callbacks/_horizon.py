"""Tell the schedules how long the run is, and say so when a schedule does not fit it."""

import warnings
from typing import Any

import keras

from keras_lr._backends.wrapped_optimizers import accumulated_batches, optimizers_in
from keras_lr.callbacks._plan import resolve, resolve_hyperparameters
from keras_lr.schedules import Schedule, Steerable


class Horizon(keras.callbacks.Callback):
    """Turn epochs and fractions of the run in the optimizer's schedules into steps, when `fit` knows the numbers.

    It also warns of a schedule that ends long before the run, of one that the run does not finish, and of a warm-up
    that takes longer than the run.

    Keras does not say with which epoch a `fit` begins. So updates that were made before count as the beginning of this
    run, as after `initial_epoch` or `BackupAndRestore`, where they are fewer than it has; else this run follows them.

    Attributes:
        messages: what was reported.
        total_steps: the updates of the whole run, those before this `fit` included; None where `fit` does not know.

    Raises:
        ValueError: a length is needed in steps, and `fit` does not know how many batches an epoch has.

    Costs: where a schedule was resolved, the compiled step is made once more, before the first step.

    Example:
    >>> import keras, numpy as np, keras_lr
    >>> from keras_lr import callbacks, schedules
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> cosine = schedules.Cosine(0.1, schedules.Fraction(1))
    >>> schedule = cosine.warmed_up(schedules.Epochs(1), join=schedules.Join.INCLUDED)
    >>> model.compile(keras.optimizers.SGD(schedule), loss="mse")
    >>> x = np.zeros((8, 1))
    >>> history = model.fit(x, x, batch_size=2, epochs=5, verbose=0, callbacks=[callbacks.Horizon()])
    >>> model.optimizer._learning_rate.end_step
    20
    """

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []
        self.total_steps: int | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Resolve the units and compare the lengths."""
        self.messages, self.total_steps = [], None
        optimizer = self.model.optimizer
        params = self.params or {}  # a CallbackList that a user has made gives none
        batches, epochs = params.get("steps"), params.get("epochs") or 1
        changed = False
        for part in optimizers_in(optimizer):
            accumulation = accumulated_batches(part)
            numbers: dict[str, Any] = {}
            if batches is not None:
                made = int(keras.ops.convert_to_numpy(part._iterations))
                run = epochs * batches
                self.total_steps = (run if made < run else made + run) // accumulation
                numbers = {"steps_per_epoch": batches / accumulation, "total_steps": self.total_steps}
            changed |= resolve(part, numbers)
            rate = part._learning_rate
            schedule = rate.schedule if isinstance(rate, Steerable) else rate
            if isinstance(schedule, Schedule) and self.total_steps is not None:
                self.messages += mismatches(schedule, self.total_steps)
        if numbers:
            resolve_hyperparameters(optimizer, numbers)
        if changed and self.model.train_function is not None:
            self.model.make_train_function(force=True)
        for message in self.messages:
            warnings.warn(message, stacklevel=2)


def mismatches(schedule: Schedule, total_steps: int) -> list[str]:
    """Return what does not fit between a schedule and the length of a run, in words."""
    if schedule.ramp_steps >= total_steps:
        return [
            f"The warm-up takes {schedule.ramp_steps:g} steps and the run has {total_steps}: the rate never arrives at "
            "its peak. Shorten the warm-up; a length of Fraction(0.05) would fit itself to the run."
        ]
    end = schedule.end_step
    if not end:
        return []
    last = float(schedule.values(total_steps - 1))
    if end < 0.9 * total_steps:
        return [
            f"The schedule ends at step {end:g} of {total_steps}: the last {1 - end / total_steps:.0%} of the run "
            f"trains at the rate {last:.3g}. Lengthen the schedule, or give its length as Fraction(1)."
        ]
    if end > 1.1 * total_steps:
        return [
            f"The schedule ends at step {end:g} and the run at {total_steps}: its last step is taken at the rate "
            f"{last:.3g} and not at {float(schedule.values(end)):.3g}. Shorten the schedule, or give its length as "
            "Fraction(1)."
        ]
    return []
