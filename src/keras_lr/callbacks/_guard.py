"""A guard beside `fit`: it sees divergence, goes back to the last good state, lowers the rate and goes on."""

import math
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any

import keras
import numpy as np

from keras_lr._backends.steps import TrainingSteps
from keras_lr._backends.steps_interface import loss_of
from keras_lr._backends.wrapped_optimizers import innermost
from keras_lr.callbacks._batch_losses import BatchLosses
from keras_lr.callbacks._divergence import LossWatch, Trouble, usual_window_steps
from keras_lr.callbacks._event import Event
from keras_lr.callbacks._plan import own_plan, plan
from keras_lr.callbacks._probation import Probation, ends_lower, late_probation_step
from keras_lr.callbacks._velocity import velocity
from keras_lr.training._between_steps import told_of_another_fit, told_of_reset_metrics
from keras_lr.training._borrow import steerable
from keras_lr.training._executed_together import Epoch, executed_together

WARMUP_STEPS = 10
MOST_RETURNS = 12  # without a good window between them
MOST_LOST = 4  # a loss that stays high whatever the rate has another cause, such as data in an order
_NEVER = -(10**9)


@dataclass(frozen=True)
class _Copy:
    """A state of the training that can be gone back to, and the lowest loss of a window by then."""

    step: int
    best_loss: float
    values: Any


class Guard(keras.callbacks.Callback):
    """Guard a training against divergence: go back to the last good state, lower the rate, go on.

    The losses of the batches are read in windows. A window whose losses grow until they are not finite, rise far above
    where training began, or lose half of what training had won is answered by a return to the last good weights and
    optimizer state (those from which the last window but one began that had lost no more than a quarter), a lower rate,
    and ten steps over which the rate comes back. A bad batch, whose loss is not finite in a calm stretch, is stepped
    over, and the rate is kept.

    A rate that is far too high need not diverge. So the rate is on probation twice, at the start and halfway through
    the run: one window of steps at the rate, one from the same weights at a tenth of it. Where the tenth ends lower, it
    is tried again and stays. At the start that means that the rate is too high, because short trials favour high rates;
    later it takes out the noise that a high rate leaves in the weights. The better window's steps are kept.

    Args:
        learning_rate: the plan: a `LearningRateSchedule`, a function of the step, or a sequence of one rate a step (its
            last rate holds). Default `None`: the optimizer's own number or schedule. What another callback sets, such
            as `ReduceLROnPlateau`, has no effect beside it.
        window_steps: how many losses are judged together. Default `None`: a twentieth of the run, 4 to 50 steps.
        probation: whether the rate is tried against a tenth of it. Switch it off where a schedule lowers the rate.
        verbose: whether events are printed as they happen.

    Attributes:
        events: what happened, a list of `Event`.
        factor: what the planned rate is multiplied by now; 1 in a run without trouble.
        step: how many steps the run has made.

    Raises:
        ValueError: `window_steps` is below 4, or there is another guard in the same `fit`.

    Costs: two copies of the weights and the optimizer's slots (four during probation), one window of steps for each
        probation, one wait for the device a window.

    Example:
    >>> import keras, numpy as np, keras_lr
    >>> x = np.linspace(-1, 1, 256, dtype="float32")[:, None]
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile(optimizer=keras.optimizers.SGD(100.0), loss="mse")  # without a guard this ends as NaN
    >>> guard = keras_lr.callbacks.Guard()
    >>> history = model.fit(x, 3 * x, epochs=20, verbose=0, callbacks=[guard])
    >>> history.history["loss"][-1] < 0.5, len(guard.events) > 0
    (True, True)
    """

    def __init__(
        self,
        learning_rate: Any = None,
        *,
        window_steps: int | None = None,
        probation: bool = True,
        verbose: bool = False,
    ) -> None:
        super().__init__()
        if window_steps is not None and window_steps < 4:
            raise ValueError(f"window_steps={window_steps} is too few to judge a loss by; give 4 or more, or None.")
        self.learning_rate, self.window_steps = learning_rate, window_steps
        self.probation, self.verbose = probation, verbose
        self.events: list[Event] = []
        self.factor, self.step = 1.0, 0
        self._expected, self._expected_after = np.inf, 0
        self._stack: ExitStack | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Take the model's compiled step in hand."""
        if self.params.setdefault("guard", self) is not self:  # Keras hands one dictionary to all callbacks of a fit
            raise ValueError("Two guards in one fit would both steer its rate and its weights. Give only one.")
        model = self.model
        given = self.learning_rate
        optimizer = innermost(model.optimizer)
        self._plan = own_plan(optimizer) if given is None else plan(given, optimizer.gradient_accumulation_steps or 1)
        self._stack = ExitStack()
        self._stack.enter_context(told_of_another_fit(model, self.close))
        self._stack.enter_context(told_of_reset_metrics(model, self._metrics_were_reset))
        self._stack.enter_context(steerable(model))
        self._steps = TrainingSteps(model)
        self._stack.callback(self._steps.release)
        self._stride = executed_together(model)
        self._window = max(4, (self.window_steps or usual_window_steps(self.params)) // self._stride)
        patience = max(2, math.ceil(self._expected_after / (self._window * self._stride)))
        self._watch, self._losses = LossWatch(trial=self._expected, patience=patience), BatchLosses()
        self.step, self._returned_at, self._returns, self._window_start_loss = 0, _NEVER, 0, np.nan
        self._window_losses = np.empty(0)
        self._good = self._recent = self._copy()
        self._probation = Probation() if self.probation else None
        self._late_probation = late_probation_step(self.params) if self.probation else None
        self.events, self.factor = [], 1.0
        self._steps.steer(self._before, self._after)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Follow Keras, which begins a new mean of the loss."""
        self._losses.begin_mean()
        self._metrics_taken = False
        self._epoch = Epoch(self._model, self.params.get("steps"))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Report the rate of the epoch's last step as `learning_rate`."""
        logs = {} if logs is None else logs
        if self._losses.mean_is_empty:  # a return at the epoch's last step: Keras' 0 would be the best loss ever seen
            logs.update({name: math.nan for name in logs if not name.startswith("val_")})
        logs["learning_rate"] = self._rate

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """See that the model ends with finite weights, and give it its own step and rate back."""
        self._read()
        if not (np.all(np.isfinite(self._window_losses)) and self._steps.finite()):
            self._answer(Trouble.BAD_BATCH)
        self.close()

    def expect(self, loss: float, after_steps: int) -> None:
        """Count as won, until the first return, the loss that a short trial from the same weights has reached.

        A rate that kills the network in its first steps leaves no gain of the run's own to measure a loss by. Nothing
        counts as lost in the steps that the run needs to go as far as the trial has.
        """
        self._expected, self._expected_after = loss, after_steps

    def close(self) -> None:
        """Give the model its own step and rate back, and good weights if an exception left it without."""
        if self._stack is None:
            return  # the training never began
        if not self._steps.whole():
            self._steps.put(self._good.values)
        self._stack.close()
        self._stack = None

    def values(self) -> Any:
        """Return a copy of all values that decide the next step."""
        return self._steps.copy()

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return what a run that goes on from the end of an epoch has to know: facts, and copies of values by name."""
        self._read()
        facts = {
            "step": self.step,
            "factor": self.factor,
            "events": [asdict(event) for event in self.events],
            "watch": asdict(self._watch),
            "returned_at": self._returned_at,
            "returns": self._returns,
            "window": [self._window_start_loss, list(self._window_losses)],
            "copies": [[copy.step, copy.best_loss] for copy in (self._good, self._recent)],
        }
        return facts, {"now": self.values(), "good": self._good.values, "recent": self._recent.values}

    def go_on(self, facts: dict[str, Any], values: dict[str, Any]) -> None:
        """Go on from what `state` returned, as if nothing had been in between."""
        self.step, self.factor = facts["step"], facts["factor"]
        self.events = [Event(**event) for event in facts["events"]]
        self._watch = LossWatch(**facts["watch"])
        self._returned_at, self._returns = facts["returned_at"], facts["returns"]
        self._window_start_loss, window_losses = facts["window"]
        self._window_losses = np.asarray(window_losses, np.float64)
        (good, good_best), (recent, recent_best) = facts["copies"]
        self._good = _Copy(good, good_best, values["good"])
        self._recent = _Copy(recent, recent_best, values["recent"])
        self._steps.put(values["now"])

    def rate_at(self, step: int) -> float:
        """Return the rate of a step of the run: the plan times what the guard made of it."""
        return self._plan(step) * self.factor * min(1.0, (step - self._returned_at) / WARMUP_STEPS)

    def go_back(self) -> int:
        """Put the last good weights and optimizer state into the model; returns the step that they are of."""
        self._steps.put(self._good.values)
        self._steps.reset_metrics()
        self._losses.begin_mean()
        return self._good.step

    def _copy(self) -> _Copy:
        return _Copy(self.step, self._watch.best, self._steps.copy())

    def _metrics_were_reset(self) -> None:
        self._metrics_taken = True

    def _before(self) -> None:
        if self._metrics_taken:  # by an evaluation within the epoch, which leaves its own means in them
            self._steps.reset_metrics()
            self._losses.begin_mean()
            self._metrics_taken = False
        # Steps that Keras executes together share one rate: that of their middle.
        self._rate = self.rate_at(self.step + (self._stride - 1) // 2)
        self._steps.set_learning_rate(self._rate)

    def _after(self, logs: dict[str, Any]) -> None:
        self._losses.add(loss_of(logs))
        self.step += self._epoch.call()
        if self._epoch.is_over:
            self._read()  # before a validation would see weights that are no good
        if len(self._window_losses) + len(self._losses) < self._window and np.all(np.isfinite(self._window_losses)):
            return
        self._read()
        losses, self._window_losses = self._window_losses, np.empty(0)
        if not self._steps.finite():
            losses[-1] = np.nan  # an activation that turns NaN into 0, as TensorFlow's ReLU does, hides dead weights
        if self._probation is not None:
            self._on_probation(self._probation, losses)
            return
        trouble = self._watch.judge(losses)
        self._window_start_loss = losses[0]
        if trouble is None and self._late_probation is not None and self.step >= self._late_probation:
            self._probation, self._late_probation = Probation(), None
            self._good = self._recent = self._copy()
            return
        if trouble is None or (trouble is Trouble.LOST and self._returns >= MOST_LOST):
            self._returns = 0 if trouble is None else self._returns
            if self._watch.near_best or trouble is not None:
                self._good, self._recent = self._recent, self._copy()
        else:
            self._answer(trouble)

    def _read(self) -> None:
        self._window_losses = np.concatenate([self._window_losses, self._losses.read()])

    def _on_probation(self, probation: Probation, losses: np.ndarray) -> None:
        """Keep the better of two windows of steps from the same weights; a tenth that won is tried again."""
        if probation.losses is not None and not ends_lower(losses, probation.losses):
            self._probation = None
            self.factor *= 10.0
            if trouble := self._watch.judge(probation.losses):
                self._answer(trouble)
            else:
                self._steps.put(probation.values)
                self._recent = self._copy()
            return
        if probation.losses is not None:
            self._note(f"{self.factor:.1g} of the planned rate did better from the same weights and is kept")
        probation.losses, probation.values = losses, self._steps.copy()
        self.go_back()
        self.factor /= 10.0

    def _answer(self, trouble: Trouble) -> None:
        """Go back; lower the rate unless a batch was bad in a calm stretch."""
        self._returns += 1
        keep_rate = trouble is Trouble.BAD_BATCH and self._returns == 1
        if not keep_rate:
            self.factor *= 0.5 if self._good.step > 0 else 0.25
        if trouble is Trouble.BAD_BATCH and np.isfinite(self._window_start_loss):
            self._good = self._recent  # its first loss was finite, so its weights were
        step = self.go_back()
        if not keep_rate:
            self._steps.zero(velocity(innermost(self._model.optimizer)))
        self._recent = self._good
        # Weights from before a gain need not have it at once.
        self._watch.best, self._watch.trial = self._good.best_loss, np.inf
        self._returned_at = self.step - 1
        self._note(
            f"{trouble.value}; back to the weights of step {step}; "
            + ("the rate is kept" if keep_rate else f"from here on the planned rate is multiplied by {self.factor:.3g}")
        )
        if self._returns >= MOST_RETURNS:
            self._note(f"training is stopped at the weights of step {step}: {MOST_RETURNS} returns did not help")
            self._model.stop_training = True

    def _note(self, text: str) -> None:
        self.events.append(Event(self.step, text, self.factor))
        if self.verbose:
            print(self.events[-1])
