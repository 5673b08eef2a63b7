"""A guard beside `fit`: it sees divergence, goes back to the last good state, lowers the rate and goes on."""

from typing import Any

import keras

from keras_lr._arguments import Argument, check_flags, number
from keras_lr._backends.wrapped_optimizers import innermost
from keras_lr.callbacks._at_exit import close_at_exit
from keras_lr.callbacks._event import Event
from keras_lr.callbacks._guarded_run import GuardedRun
from keras_lr.callbacks._plan import plan
from keras_lr.training._borrow import refuse_overwritten_weights


class Guarding(keras.callbacks.Callback):
    """Tells a guarded run what `fit` reports."""

    def __init__(self, run: GuardedRun) -> None:
        super().__init__()
        self._run = run

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Take the model's compiled step in hand."""
        self.set_params(self.params or {})  # a CallbackList that a user has made gives none
        if self.params.setdefault("guard", self) is not self:  # Keras hands one dictionary to all callbacks of a fit
            raise ValueError("Two guards in one fit would both steer its rate and its weights. Give only one.")
        refuse_overwritten_weights(innermost(self.model.optimizer))
        close_at_exit(self._run)
        self._run.begin(self.model, self.params)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Begin a new mean of the loss."""
        self._run.begin_epoch(epoch, self.params.get("steps"))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Report the rate of the epoch's last step as `learning_rate`."""
        self._run.report({} if logs is None else logs)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """See that the model ends with finite weights, and give it its own step and rate back."""
        self._run.end()
        self.params.pop("guard", None)  # `History` goes on showing this dictionary


class Guard(Guarding):
    """Guard a training against divergence: go back to the last good state, lower the rate, go on.

    The losses of the batches are read in windows. A window whose losses grow until they are not finite, rise far above
    where training began, or lose half of what training had won is answered by a return to the last good weights and
    optimizer state (those from which the last window but one began that had lost no more than a quarter), a lower rate,
    and ten steps over which the rate comes back. A bad batch, whose loss is not finite in a calm stretch, is stepped
    over and the rate is kept: at up to two without a good window in between, at six where the loss has come down
    before. It halves the windows, down to 4 losses, and each good one makes them one longer again: of a window with a
    bad batch all steps are lost, and bad rows come again every epoch. A network that has died, as far as a few steps on
    one batch tell, which are taken back, is answered like a loss that grew: it keeps the loss of the best constant
    prediction, which does not rise.

    A rate that is far too high need not diverge. So the rate is on probation twice, at the start and halfway through
    the run: one window of steps at the rate, one from the same weights at a tenth of it. Where the tenth ends lower, it
    is tried again and stays. At the start that means that the rate is too high, because short trials favour high rates;
    later it takes out the noise that a high rate leaves in the weights. The better window's steps are kept. The
    rate's own window is made again, up to twice, where a loss in it is not finite: it may be a bad batch. Where the run
    ends before a trial would, there is none, and none halfway with windows of fewer than 8 losses: in runs of fewer
    than 160 steps it gains nothing, and takes a tenth of a right rate in one of thirty.

    Args:
        learning_rate: the plan: a number, a `LearningRateSchedule`, a function of the step, or a sequence of one rate a
            step (its last rate holds). Default `None`: the optimizer's own number or schedule. What another callback
            sets, such as `ReduceLROnPlateau` or `LearningRateScheduler`, has no effect beside it, and `events` says so.
        window_steps: how many losses are judged together. Default `None`: a twentieth of the run, 4 to 50 steps.
        probation: whether the rate is tried against a tenth of it. Switch it off where a schedule lowers the rate.
            Without it, losses that jump in the very first step and stay there, among noise as large as they are, go
            unseen (a rate of 100 and more for Adam): of the noise before such a jump nothing is known.
        verbose: whether events are printed as they happen.

    Attributes:
        events: what happened, a list of `Event`.
        factor: what the planned rate is multiplied by now; 1 in a run without trouble.
        step: how many steps the run has made.

    Raises:
        ValueError: `window_steps` is below 4, or `learning_rate` is no plan of rates; in `fit`, there is another guard,
            the optimizer puts an average over the weights in mid-training, or a rate of the plan is negative or not
            finite.

    Costs: two copies of the weights and the optimizer's slots (four during probation), one window of steps for each
        probation, one wait for the device a window. Where the losses do not get lower, up to 8 times a copy and two
        steps, which on TensorFlow may compile the step once more.

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
        if window_steps is not None:
            number(least=4, whole=True)(window_steps, Argument("Guard", "window_steps"))
        if learning_rate is not None:
            plan(learning_rate)
        check_flags(self, probation=probation, verbose=verbose)
        super().__init__(GuardedRun(learning_rate, window_steps=window_steps, probation=probation, verbose=verbose))

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Say so where another callback has set the rate since the last epoch."""
        if batch == 0:
            self._run.note_other_rate()

    def close(self) -> None:
        """Give the model its own step and rate back after an error or Ctrl-C, which else the next `fit` does."""
        self._run.close()

    @property
    def events(self) -> list[Event]:
        """What happened."""
        return self._run.events

    @property
    def factor(self) -> float:
        """What the planned rate is multiplied by now."""
        return self._run.factor

    @property
    def step(self) -> int:
        """How many steps the run has made."""
        return self._run.step
