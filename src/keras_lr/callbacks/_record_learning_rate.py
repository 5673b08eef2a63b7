"""The rate and the momentum that training used, for the history and for every logger, without asking the device."""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from keras_lr._arguments import check_flags
from keras_lr._backends.wrapped_optimizers import accumulated_batches, innermost, optimizers_in, wrappers_and_core
from keras_lr.callbacks._plan import rate_used, rates_at
from keras_lr.optimizers import Scheduled

_AHEAD = 128
_MOMENTA = ("momentum", "beta_1")


class RecordLearningRate(keras.callbacks.Callback):
    """Put the rate and the momentum of each epoch into the logs, and of each step where asked.

    `History`, `CSVLogger`, TensorBoard and every other logger after it in the list then have ``learning_rate`` and
    ``momentum`` (or ``beta_1``): those that the last update of the epoch used, with schedules and multipliers too. With
    `MultiOptimizer` the names end in the name of each optimizer. Of one that finds its rate, such as `Prodigy`, it
    is the rate that was found. Put it before callbacks that change the rate at the end of an epoch, such as Keras'
    `ReduceLROnPlateau`. Beside a `Guard` the rate in the logs is the guard's.

    Args:
        every_step: whether `steps` and the logs of each batch hold them too. Default False.

    Raises:
        ValueError: at the start of `fit`, with `every_step` beside a `Guard`, which sets the rate inside the step, or
            with an optimizer that finds it there.

    Costs: nothing a step without `every_step`. With it, a look-up in values that were computed ahead on the host; the
        device is not asked, except on TensorFlow and PyTorch for an optimizer whose rate is a plain number, which is
        read.

    Example:
    >>> import keras, numpy as np, keras_lr
    >>> from keras_lr import callbacks, schedules
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(schedules.Linear(1.0, 8)), loss="mse")
    >>> record = callbacks.RecordLearningRate(every_step=True)
    >>> x = np.zeros((2, 1))
    >>> history = model.fit(x, x, batch_size=1, epochs=2, verbose=0, callbacks=[record])
    >>> history.history["learning_rate"]
    [0.875, 0.625]
    >>> record.steps["learning_rate"].tolist()
    [1.0, 0.875, 0.75, 0.625]
    """

    async_safe = True  # a look-up by the batch's number: it may run late and out of order

    def __init__(self, *, every_step: bool = False) -> None:
        super().__init__()
        self.every_step = every_step
        check_flags(self, every_step=self.every_step)
        self._watched: list[_Watched] = []
        self._steps: list[dict[str, float]] = []
        self._of_batch: dict[int, dict[str, float]] = {}
        self._before_test: dict[str, float] | None = None
        if every_step:
            self.on_train_batch_begin = self._before_batch
            self.on_train_batch_end = self._after_batch

    @property
    def steps(self) -> dict[str, npt.NDArray[np.float64]]:
        """The recorded values of each update, by name, and its number under "step"."""
        names = self._steps[0] if self._steps else ()
        return {name: np.array([values[name] for values in self._steps]) for name in names}

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Look at the optimizer."""
        optimizer = self.model.optimizer
        parts = list(optimizers_in(optimizer))
        several = hasattr(innermost(optimizer), "optimizers")
        suffixes = [f"_{part.name}" if several else "" for part in parts]
        scheduled = next((one for one in wrappers_and_core(optimizer) if isinstance(one, Scheduled)), None)
        self._watched = [_Watched(part, scheduled, suffix) for part, suffix in zip(parts, suffixes, strict=True)]
        self._steps = []

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Count from what the optimizer says."""
        found = [watched.name for watched in self._watched if watched.finds_its_rate]
        if self.every_step and found:
            raise ValueError(
                f"RecordLearningRate(every_step=True) cannot see the rates of single steps with {found[0]}, which "
                "finds them inside the step. Leave every_step out: the rate of each epoch's last step is recorded. "
                "The logs of a LineSearch hold alpha."
            )
        if self.every_step and self._beside_a_guard:
            raise ValueError(
                "RecordLearningRate(every_step=True) cannot see the rates of single steps beside a Guard, which "
                "keras_lr.fit brings: they are set inside the step. Leave every_step out; the plan, such as the "
                "schedule of a FitResult, is a function of the step."
            )
        self._of_batch, self._before_test = {}, None
        for watched in self._watched:
            watched.begin_epoch()

    def _before_batch(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        readable = getattr(self._model, "_jax_state_synced", True)
        for ahead in range(self._model.steps_per_execution):
            values: dict[str, float] = {}
            for watched in self._watched:
                values |= watched.at_batch(batch + ahead, readable)
            self._of_batch[batch + ahead] = values
            if not self._steps or self._steps[-1]["step"] != self._watched[0].update_of(batch + ahead):
                self._steps.append({"step": self._watched[0].update_of(batch + ahead), **values})

    def _after_batch(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if logs is not None:
            logs.update(self._of_batch.get(batch, {}))

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Look before the validation, after which `ReduceOnPlateau` may change the rate."""
        self._before_test = self._used_last()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Add what the last update used."""
        made = self._watched[0].updates_made()
        self._steps = [one for one in self._steps if one["step"] < made]  # without one that was announced and not made
        used = self._used_last() if self._before_test is None else self._before_test
        if self._beside_a_guard:
            used.pop("learning_rate", None)  # after a return the optimizer holds another one than was used
        if logs is not None:
            logs.update(used)

    @property
    def _beside_a_guard(self) -> bool:
        return bool(getattr(self._model.train_function, "sets_rate", False))

    def _used_last(self) -> dict[str, float]:
        used: dict[str, float] = {}
        for watched in self._watched:
            used |= watched.at_last()
        return used


class _Watched:
    """One optimizer, whose rate at a step is computed on the host from what steers it."""

    def __init__(self, optimizer: keras.optimizers.Optimizer, scheduled: Scheduled | None, suffix: str) -> None:
        self._optimizer = optimizer
        self._scheduled = scheduled
        self._suffix = suffix
        self._accumulation = accumulated_batches(optimizer)
        self.name, self.finds_its_rate = type(optimizer).__name__, hasattr(optimizer, "effective_rate")
        self.begin_epoch()

    def begin_epoch(self) -> None:
        self._batches_before = int(keras.ops.convert_to_numpy(self._optimizer._iterations))
        self._number: float | None = None
        self._first, self._ahead = 0, np.zeros(0)
        self._seen: Any = None

    def updates_made(self) -> int:
        return int(keras.ops.convert_to_numpy(self._optimizer._iterations)) // self._accumulation

    def update_of(self, batch: int) -> int:
        return (self._batches_before + batch) // self._accumulation

    def at_batch(self, batch: int, readable: bool) -> dict[str, float]:
        """Return the values that a batch of this epoch is trained with; cheap."""
        rate, step = self._optimizer._learning_rate, self.update_of(batch)
        if not isinstance(rate, keras.optimizers.schedules.LearningRateSchedule):
            if readable or self._number is None:
                self._number = float(rates_at(self._optimizer, np.array([step]))[0])
            learning_rate = self._number
        else:
            turned = (rate, getattr(rate, "turns", 0))
            if turned != self._seen or not 0 <= step - self._first < len(self._ahead):
                self._seen, self._first = turned, step
                self._ahead = rates_at(self._optimizer, np.arange(step, step + _AHEAD))
            learning_rate = float(self._ahead[step - self._first])
        return {f"learning_rate{self._suffix}": learning_rate, **self._momentum(step)}

    def at_last(self) -> dict[str, float]:
        """Return the values of the update that was made last."""
        step = max(self.updates_made() - 1, 0)
        learning_rate = rate_used(self._optimizer, float(rates_at(self._optimizer, np.array([step]))[0]))
        return {f"learning_rate{self._suffix}": learning_rate, **self._momentum(step)}

    def _momentum(self, step: int) -> dict[str, float]:
        scheduled = {} if self._scheduled is None else self._scheduled.hyperparameters(step)
        for name in _MOMENTA:
            own = self._optimizer.__dict__.get(name)
            if name not in scheduled and isinstance(own, int | float) and own:
                scheduled[name] = float(own)
        return {f"{name}{self._suffix}": number for name, number in scheduled.items()}
