"""A run under guard: losses by the window, returns to good weights, probations, and the rate of every step."""

import math
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any

import keras
import numpy as np

from keras_lr._backends.steps import TrainingSteps
from keras_lr._backends.steps_interface import loss_of
from keras_lr._backends.wrapped_optimizers import accumulated_batches, innermost
from keras_lr.callbacks._divergence import LossWatch, Trouble, usual_window_steps
from keras_lr.callbacks._event import Event
from keras_lr.callbacks._loss_window import SHORTEST, LossWindow
from keras_lr.callbacks._plan import own_plan, plan, rate_used
from keras_lr.callbacks._probation import Probation, ends_lower
from keras_lr.callbacks._rate_in_hand import RateInHand
from keras_lr.callbacks._velocity import velocity
from keras_lr.training._between_steps import told_of_another_fit, told_of_reset_metrics
from keras_lr.training._borrow import steerable
from keras_lr.training._dead_network import Life, life_of
from keras_lr.training._executed_together import Epoch, executed_together

WARMUP_STEPS = 10
LEAST_LATE_LOSSES = 8  # fewer tell too little of a trained model for a trial halfway
MOST_CHECKS = 8  # that find the network alive, by three to six steps each; fewer in short runs
MOST_RETURNS = 12  # without a good window between them
MOST_KEPT = 6  # of these that are laid to bad batches, where the loss, or that of a trial, has come down at the rate
MOST_LOST = 4  # a loss that stays high whatever the rate has another cause, such as data in an order


@dataclass(frozen=True)
class _Copy:
    """A state of the training that can be gone back to, and the lowest loss of a window by then."""

    step: int
    best_loss: float
    values: Any


class GuardedRun:
    """Watches over the steps of one `fit`; between `begin` and `close` the compiled step and its rate are in its hands.

    Args:
        learning_rate, window_steps, probation, verbose: see `Guard`.
        trial_loss: what a short trial from the same weights has reached. It counts as won until the first return: a
            rate that kills the network in its first steps leaves no gain of the run's own to measure a loss by.
        trial_steps: how many steps the run needs to go as far as the trial has; in these nothing counts as lost.

    Attributes:
        events, factor, step: see `Guard`.
    """

    def __init__(
        self,
        learning_rate: Any = None,
        *,
        window_steps: int | None = None,
        probation: bool = True,
        verbose: bool = False,
        trial_loss: float = np.inf,
        trial_steps: int = 0,
    ) -> None:
        self._learning_rate, self._window_steps = learning_rate, window_steps
        self._wants_probation, self._verbose = probation, verbose
        self._trial_loss, self._trial_steps = trial_loss, trial_steps
        self.events: list[Event] = []
        self.factor, self.step = 1.0, 0
        self._stack: ExitStack | None = None

    def begin(self, model: keras.Model, params: dict[str, Any]) -> None:
        """Take the compiled step of a model in hand; `params` are those that Keras gives to callbacks."""
        self._model, self._stride = model, executed_together(model)
        given, optimizer = self._learning_rate, innermost(model.optimizer)
        self._plan = own_plan(optimizer) if given is None else plan(given, accumulated_batches(optimizer))
        with ExitStack() as stack:  # closed at once where the model is refused
            stack.enter_context(told_of_another_fit(model, self.close))
            stack.enter_context(told_of_reset_metrics(model, lambda: setattr(self, "_metrics_taken", True)))
            stack.enter_context(steerable(model))
            self._steps = TrainingSteps(model)
            stack.callback(self._steps.release)
            self._stack = stack.pop_all()
        own_step = type(model).train_step is not keras.Model.train_step
        length = max(SHORTEST, (self._window_steps or usual_window_steps()) // self._stride)
        self._window = LossWindow(length, self._steps.means if own_step else None)
        patience = max(2, math.ceil(self._trial_steps / (length * self._stride)))
        self._watch = LossWatch(trial=self._trial_loss, patience=patience)
        self.events, self.factor, self.step = [], 1.0, 0
        self._returned_at, self._returns, self._draws_a_bar = -WARMUP_STEPS, 0, params.get("verbose") in ("auto", 1)
        self._checks_left = min(MOST_CHECKS, length // 2) if self._steps.takes_one_batch and not own_step else 0
        self._good = self._recent = self._copied()
        self._epochs: int = params.get("epochs") or 1
        self._probation: Probation | None = None
        self._late_probation = range(0)  # the steps at which it may begin
        self._epoch = Epoch(model, params.get("steps"), self._steps.counted)
        self._rate_in_hand = RateInHand(model.optimizer, self._steps)
        self._rate_in_hand.set(self._coming_rate())  # for those who read it before the first step
        self._steps.steer(self._before, self._after)

    def begin_epoch(self, epoch: int, steps: int | None) -> None:
        """Follow Keras, which begins a new mean of the loss; `steps` are those of the epoch, if they are known."""
        run_steps = (self._epochs - epoch) * steps if steps else None  # Keras says only now with which epoch it begins
        if self.step == 0 and run_steps is not None and self._window_steps is None:
            self._window.limit(usual_window_steps(run_steps) // self._stride)
            self._checks_left = min(self._checks_left, self._window.length // 2)
        if self.step == 0 and self._wants_probation:
            self._put_on_probation(run_steps)
        self._window.begin_mean()
        self._metrics_taken = False
        self._rate_in_hand.begin_epoch()
        self._epoch = Epoch(self._model, steps, self._steps.counted)

    def note_other_rate(self) -> None:
        """Say so, once, where another callback has set the rate since the last step."""
        if said := self._rate_in_hand.said_of_another():
            self._note(said)

    def report(self, logs: dict[str, Any]) -> None:
        """Add the rate of the epoch's last step to what Keras reports of the epoch."""
        if self._window.count == 0:  # a return at the epoch's last step: Keras' 0 would be the best loss ever seen
            logs.update({name: math.nan for name in logs if not name.startswith("val_")})
        logs["learning_rate"] = rate_used(innermost(self._model.optimizer), self._rate)

    def end(self) -> None:
        """See that the model ends with finite weights, and close."""
        if not (np.all(np.isfinite(self._window.read())) and self._steps.finite()):
            self._answer(Trouble.BAD_BATCH)
        self.close()

    def close(self) -> None:
        """Give the model its own step and rate back, and good weights if an exception left it without."""
        if self._stack is None:
            return  # the training never began, or is closed
        stack, self._stack = self._stack, None
        with stack:  # closed whatever happens
            if not self._steps.whole():
                self._steps.put(self._good.values)
        del self._good, self._recent  # a model keeps the callbacks of its last fit, and with them the copies
        self._probation = None

    def values(self) -> Any:
        """Return a copy of all values that decide the next step."""
        return self._steps.copy()

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return what a run that goes on from the end of an epoch has to know: facts, and copies of values by name."""
        facts = {
            "step": self.step,
            "factor": self.factor,
            "events": [asdict(event) for event in self.events],
            "watch": asdict(self._watch),
            "returned_at": self._returned_at,
            "returns": self._returns,
            "checks_left": self._checks_left,
            "window": self._window.state(),
            "copies": [[copy.step, copy.best_loss] for copy in (self._good, self._recent)],
        }
        return facts, {"now": self.values(), "good": self._good.values, "recent": self._recent.values}

    def go_on(self, facts: dict[str, Any], values: dict[str, Any]) -> None:
        """Go on from what `state` returned, as if nothing had been in between."""
        self.step, self.factor, self._checks_left = facts["step"], facts["factor"], facts["checks_left"]
        self.events = [Event(**event) for event in facts["events"]]
        self._watch = LossWatch(**facts["watch"])
        self._returned_at, self._returns = facts["returned_at"], facts["returns"]
        self._window.go_on(facts["window"])
        (good, good_best), (recent, recent_best) = facts["copies"]
        self._good = _Copy(good, good_best, values["good"])
        self._recent = _Copy(recent, recent_best, values["recent"])
        self._steps.put(values["now"])

    def _before(self) -> None:
        if self._metrics_taken:  # by an evaluation within the epoch, which leaves its own means in them
            self._reset_metrics()
            self._metrics_taken = False
        self._epoch.begin_call()
        self._rate = self._coming_rate()
        self._rate_in_hand.set(self._rate)

    def _coming_rate(self) -> float:
        step = self.step + self._epoch.middle  # of those that Keras executes together, which share one rate
        return self._plan(step) * self.factor * min(1.0, (step - self._returned_at) / WARMUP_STEPS)

    def _after(self, logs: dict[str, Any]) -> None:
        self._window.add(loss_of(logs))
        self.step += self._epoch.call()
        if self._epoch.is_over:
            self._window.read()  # before a validation would see weights that are no good
        if not self._window.is_full():
            return
        losses, finite = self._window.take(), self._steps.finite()
        if self._probation is not None:
            self._on_probation(self._probation, losses if finite else np.append(losses[:-1], np.nan))
        else:
            self._judged(losses, finite)

    def _judged(self, losses: np.ndarray, weights_are_finite: bool) -> None:
        """Answer a window with trouble; keep the weights at the end of one without."""
        trouble = self._watch.judge(losses, weights_are_finite)
        self._window.start_loss = losses[0]
        if trouble is None and not self._watch.gained and self._checks_left:
            if self._steps.kept_batch is None:
                self._steps.keep_batch()
                return  # what may be dead is not good
            life = life_of(self._steps, self._good.values)
            self._checks_left -= life is not Life.DEAD
            if life is Life.DOUBTFUL:
                return
            trouble = Trouble.DEAD if life is Life.DEAD else None
        if trouble is None and self.step in self._late_probation and self._window.length >= LEAST_LATE_LOSSES:
            self._probation, self._late_probation = Probation(self._late_probation.stop - 1), range(0)
            self._good = self._recent = self._copied()
            return
        if trouble is None or (trouble is Trouble.LOST and self._returns >= MOST_LOST):
            self._returns = 0 if trouble is None else self._returns
            self._window.lengthen()
            if self._watch.near_best or trouble is not None:
                self._good, self._recent = self._recent, self._copied()
        else:
            self._answer(trouble)

    def _put_on_probation(self, run_steps: int | None) -> None:
        """Plan the trials, one at the start, one halfway where a window says enough, each where its two have room."""
        last_start = math.inf if run_steps is None else run_steps - 2 * self._window.length * self._stride
        if last_start >= 0:
            self._probation = Probation(last_start)
        if run_steps is not None and self._window.length >= LEAST_LATE_LOSSES:
            self._late_probation = range(round(run_steps / 2), int(last_start) + 1)

    def _on_probation(self, probation: Probation, losses: np.ndarray) -> None:
        """Keep the better of two windows of steps from the same weights; a tenth that won is tried again."""
        if probation.losses is not None and not ends_lower(losses, probation.losses):
            self._probation = None
            self.factor *= 10.0
            if trouble := self._watch.judge(probation.losses):
                self._answer(trouble)
            else:
                self._put(probation.values)
                if not np.all(np.isfinite(losses)):  # else what Keras reports would stay NaN until the epoch ends
                    self._reset_metrics()
                self._recent = self._copied()
            return
        if probation.begins_anew(losses, self.step):
            self._window.shorten()
            self._go_back()
            return
        if probation.losses is not None:
            self._note(f"{self.factor:.1g} of the planned rate did better from the same weights and is kept")
        probation.losses, probation.values = losses, self._steps.copy()
        self._go_back()
        self.factor /= 10.0

    def _answer(self, trouble: Trouble) -> None:
        """Go back; lower the rate unless batches were bad in a calm stretch."""
        self._returns += 1
        won = self._watch.has_won or self._trial_loss < np.inf
        keep_rate = trouble is Trouble.BAD_BATCH and self._returns <= (MOST_KEPT if won else 2)
        if trouble is Trouble.BAD_BATCH and np.isfinite(self._window.start_loss):
            self._good = self._recent  # its first loss was finite, so its weights were
        step = self._go_back()
        if keep_rate:
            self._window.shorten()
        else:
            self.factor *= 0.5 if step > 0 else 0.25
            self._steps.zero(velocity(innermost(self._model.optimizer)))
        self._recent, self._returned_at = self._good, self.step - 1
        # Weights from before a gain need not have it at once.
        self._watch.best, self._watch.trial = self._good.best_loss, np.inf
        self._note(
            f"{trouble.value}; back to the weights of step {step}; "
            + ("the rate is kept" if keep_rate else f"from here on the planned rate is multiplied by {self.factor:.3g}")
        )
        if self._returns >= MOST_RETURNS:
            self._note(f"training is stopped at the weights of step {step}: {MOST_RETURNS} returns did not help")
            self._model.stop_training = True

    def _go_back(self) -> int:
        """Put the last good weights and optimizer state into the model; returns the step that they are of."""
        self._put(self._good.values)
        self._reset_metrics()
        return self._good.step

    def _reset_metrics(self) -> None:
        self._steps.reset_metrics()
        self._window.begin_mean()

    def _put(self, values: Any) -> None:
        self._steps.put(values)
        self._rate_in_hand.forget()

    def _copied(self) -> _Copy:
        return _Copy(self.step, self._watch.best, self._steps.copy())

    def _note(self, text: str) -> None:
        self.events.append(Event(self.step, text, self.factor))
        if self._verbose:
            print(f"\n{self.events[-1]}" if self._draws_a_bar else self.events[-1])
