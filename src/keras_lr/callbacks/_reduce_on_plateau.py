"""Lower the rate when a measure stops improving, on top of any schedule; raise it again while it keeps improving."""

import math
import warnings
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_lr._arguments import Argument, check, check_flags, check_kind
from keras_lr._backends.steps_interface import loss_of
from keras_lr._backends.wrapped_optimizers import optimizers_in
from keras_lr.callbacks._loss_window import LossWindow
from keras_lr.schedules import Steerable
from keras_lr.training._between_steps import told_of_another_fit, told_of_reset_metrics
from keras_lr.training._executed_together import executed_together
from keras_lr.training._monitored import MODES, higher_is_better
from keras_lr.training._set_learning_rate import steering_of


@dataclass
class _State:
    """What the rule remembers; six numbers in the optimizer's state."""

    begun: float = 0.0
    best: float = 0.0
    wait: float = 0.0
    cooldown: float = 0.0
    improvements: float = 0.0
    epochs: float = 0.0


class ReduceOnPlateau(keras.callbacks.Callback):
    """Multiply the rate by a factor when a measure has not improved for a while.

    The factor goes on top of whatever the optimizer follows: a number, a schedule, a warm-up. What the rule remembers
    (the best value, how long ago, the cooldown) lies in the optimizer's state: a run that is saved and resumed, by
    `BackupAndRestore`, by weights with optimizer or as a whole model, goes on as if it had not been interrupted. A
    measure of the validation is taken when the validation ends, so it does not matter where in the list of callbacks
    the one that saves stands. A measure of the training is known to callbacks only at the end of the epoch; then
    list this one before one that saves. If it was listed after it, the resumed run says so.

    The rate is lowered at the `patience`-th measurement in a row without improvement, as in Keras (PyTorch waits for
    one more). A measurement is an improvement when it is better than the best by `min_delta` of the best's size, as in
    PyTorch and optax (Keras' default is an absolute 1e-4).

    From its first `fit` on the optimizer holds a `schedules.Steerable` in the place of a number. Then Keras'
    `LearningRateScheduler` and `ReduceLROnPlateau`, and ``model.optimizer.learning_rate = 0.01``, fail with Keras'
    `TypeError` that the optimizer "was created with a `LearningRateSchedule`": give the optimizer a schedule in place
    of the first, leave the second out, and call `keras_lr.set_learning_rate(model, 0.01)` for the third.

    Args:
        monitor: the name of the measure in the logs. Default "val_loss"; ignored when `every_steps` is given.
        factor: by what to multiply, between 0 and 1. Default 0.1.
        patience: how many measurements without improvement to bear, at least 1. Default 10.
        mode: "min", "max", or "auto" (the default): what the metric of that name says.
        min_delta: the least improvement that counts, relative, at least 0. Default 1e-4.
        cooldown: how many measurements to wait after a change before counting again. Default 0.
        min_multiplier: below this the rule does not go. Default 1e-4.
        raise_after: divide by the factor again after so many improvements in a row. Default None: never.
        max_multiplier: above this `raise_after` does not go. Default 1.
        every_steps: measure the mean training loss of so many batches instead, within epochs; where Keras executes
            several together, of as many as make up at least these. Default None: at the end of each epoch.
        verbose: whether changes are printed.

    Attributes:
        changes: what was done: pairs of the measurement's epoch and the new multiplier.

    Raises:
        ValueError: an argument is out of its range; in `fit`, a `Guard` sets the rate, or "auto" cannot know which way
            is better.

    Costs: the compiled step is made once more, before the first step. With `every_steps` the loss of each batch is
        read, which on JAX means waiting for each step.

    Reference: as in Keras, PyTorch and optax; raising after improvements: arXiv 2512.14527 (GreedyLR).

    Example:
    >>> import keras, numpy as np, keras_lr
    >>> from keras_lr import callbacks, schedules
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(schedules.WarmUp(0.0, 5)), loss="mse")  # a rate of 0 never improves anything
    >>> plateau = callbacks.ReduceOnPlateau("loss", patience=2, factor=0.5)
    >>> history = model.fit(np.ones((4, 1)), np.ones((4, 1)), epochs=5, verbose=0, callbacks=[plateau])
    >>> plateau.changes
    [(2, 0.5), (4, 0.25)]
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        *,
        factor: float = 0.1,
        patience: int = 10,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_multiplier: float = 1e-4,
        raise_after: int | None = None,
        max_multiplier: float = 1.0,
        every_steps: int | None = None,
        verbose: bool = False,
    ) -> None:
        super().__init__()
        self.monitor, self.mode, self.min_delta = monitor, mode, min_delta
        self.factor, self.patience, self.cooldown = factor, patience, cooldown
        self.min_multiplier, self.max_multiplier, self.raise_after = min_multiplier, max_multiplier, raise_after
        self.every_steps, self.verbose = every_steps, verbose
        check_kind(self, "monitor", str, "a name such as 'val_loss'")
        check(self, "factor", above=0, below=1)
        check(self, "max_multiplier", above=0, below=None)
        check(self, "min_multiplier", above=0, most=self.max_multiplier)
        check(self, "min_delta", least=0)
        check(self, "patience", least=1, whole=True)
        check(self, "cooldown", least=0, whole=True)
        for name, optional in (("raise_after", raise_after), ("every_steps", every_steps)):
            if optional is not None:
                check(self, name, least=1, whole=True)
        check_flags(self, verbose=verbose)
        if mode not in MODES:
            raise ValueError(Argument("ReduceOnPlateau", "mode").refusal("'auto', 'min' or 'max'", mode))
        self._more_is_better: bool | None = None
        self.changes: list[tuple[int, float]] = []
        self._epoch, self._losses = 0, LossWindow(1)
        self._awaited = self._resuming = self._warned = False
        self._stack, self._metrics_taken = ExitStack(), False
        if every_steps is not None:
            self.on_train_batch_begin = self._before_batch
            self.on_train_batch_end = self._after_batch  # only now, for Keras reads each batch's logs for its sake

    def set_model(self, model: keras.Model) -> None:
        """Put the steering into the optimizer, before any callback loads a state into it."""
        super().set_model(model)
        for optimizer in optimizers_in(model.optimizer):
            steering_of(model, optimizer)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Ask which way is better; expect that a run may have been resumed."""
        metrics = getattr(self.model, "_compile_metrics", None)  # which TensorFlow makes with the first batch
        self._more_is_better = self._asked_for_the_way() if metrics is None or metrics.built else None
        self._resuming, self._warned = self.every_steps is None, False
        if self.every_steps is not None:
            own_step = type(self.model).train_step is not keras.Model.train_step
            calls, left = math.ceil(self.every_steps / executed_together(self.model)), self._losses.take()
            self._losses = LossWindow(calls, self._means if own_step else None)
            self._losses.go_on([calls, math.nan, left])  # where a fit before ended in the middle of a measurement
            self._stack.enter_context(told_of_another_fit(self.model, self._stack.close))
            self._stack.enter_context(told_of_reset_metrics(self.model, self._metrics_were_reset))

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Look at the model no longer."""
        self._stack.close()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Begin a new mean of the loss, as Keras does; see that the rate can be steered."""
        if not all(isinstance(steerable, Steerable) for steerable in self._steerables()):
            raise ValueError(
                "ReduceOnPlateau cannot lower a rate that a Guard, which keras_lr.fit brings, sets at every step. "
                "Leave ReduceOnPlateau out, or train with model.fit and without a Guard."
            )
        self._epoch, self._awaited = epoch, self.every_steps is None
        self._losses.begin_mean()
        self._metrics_taken = False
        if self._resuming:
            self._resuming = False
            self._warn_of_a_lost_epoch(epoch)

    def _warn_of_a_lost_epoch(self, epoch: int) -> None:
        state = self._state()
        if state.begun and epoch == state.epochs + 1 and not self.monitor.startswith("val_"):
            warnings.warn(
                f"ReduceOnPlateau: the run goes on at epoch {epoch + 1}, but the state that was restored has no "
                f"`{self.monitor}` of epoch {epoch}, because it was saved before this callback had measured it. List "
                "ReduceOnPlateau before BackupAndRestore and other callbacks that save.",
                stacklevel=2,
            )

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Measure, if the measure is one of the validation, before any callback saves at the end of the epoch."""
        measured = (logs or {}).get(self.monitor.removeprefix("val_"))
        if self._awaited and self.monitor.startswith("val_") and measured is not None:
            self._awaited = False
            self._measured(float(measured))

    def _metrics_were_reset(self) -> None:
        self._metrics_taken = True

    def _before_batch(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self._metrics_taken:  # by an evaluation within the epoch, which leaves its own means in them
            self.model.reset_metrics()
            self._losses.begin_mean()
            self._metrics_taken = False

    def _after_batch(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._losses.add(loss_of(logs or {}))
        if self._losses.is_full():
            self._measured(float(np.mean(self._losses.take())))

    def _means(self) -> list[float]:
        means = [metric for metric in self.model.metrics if isinstance(metric, keras.metrics.Mean)]
        return [float(keras.ops.convert_to_numpy(metric.result())) for metric in means]

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Measure, unless it has been done."""
        if not self._awaited:
            return
        self._awaited = False
        value = (logs or {}).get(self.monitor)
        if value is not None:
            self._measured(float(value))
        elif not self._warned:
            self._warned = True  # with validation_freq above 1 that is how it should be, most of the time
            warnings.warn(
                f"ReduceOnPlateau: there is no `{self.monitor}` in the logs of epoch {epoch + 1}, only "
                f"{', '.join(sorted(logs or {}))}; name one of them as `monitor`, or give fit validation data.",
                stacklevel=2,
            )

    def _steerables(self) -> list[Steerable]:
        return [optimizer._learning_rate for optimizer in optimizers_in(self.model.optimizer)]

    def _asked_for_the_way(self) -> bool:
        return higher_is_better(self.model, self.monitor if self.every_steps is None else "loss", self.mode)

    def _state(self) -> _State:
        return _State(*map(float, self._steerables()[0].rule_state))

    def _measured(self, value: float) -> None:
        steerables, state = self._steerables(), self._state()
        state.epochs = self._epoch + 1.0
        value = float(np.float32(value))  # as the best is kept
        if self._more_is_better is None:
            self._more_is_better = self._asked_for_the_way()
        change = self._judged(state, -value if self._more_is_better else value)
        before = steerables[0].multiplier
        for steerable in steerables:
            steerable.rule_state = [*vars(state).values()]
            if change != 1:
                steerable.steer(multiplier=self._bounded(steerable.multiplier, change))
        if steerables[0].multiplier != before:
            multiplier = round(steerables[0].multiplier, 7)
            self.changes.append((self._epoch, multiplier))
            if self.verbose:
                print(f"Epoch {self._epoch + 1}: the rate is multiplied by {multiplier:g} from here on.")

    def _bounded(self, multiplier: float, change: float) -> float:
        """Return the changed multiplier; one that stood beyond a bound before is not brought back to it."""
        if change < 1:
            return max(multiplier * change, min(self.min_multiplier, multiplier))
        return min(multiplier * change, max(self.max_multiplier, multiplier))

    def _judged(self, state: _State, value: float) -> float:
        """Take a measurement in, and return by what to multiply the rate."""
        if state.cooldown > 0:
            state.cooldown -= 1
            state.wait = 0
        better = math.isfinite(value) and (not state.begun or value < state.best - self.min_delta * abs(state.best))
        if better:
            state.improvements += state.begun
            state.begun, state.best, state.wait = 1.0, value, 0
        else:
            state.improvements = 0
            state.wait += state.cooldown == 0
        if self.raise_after is not None and state.improvements >= self.raise_after:
            state.improvements = 0
            return 1 / self.factor
        if state.wait >= self.patience:
            state.wait, state.cooldown = 0, self.cooldown
            return self.factor
        return 1.0
