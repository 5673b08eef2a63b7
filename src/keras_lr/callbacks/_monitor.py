"""Looks closely at some of the steps of a running `fit`, each on its own batch, and says what they tell of the rate."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_lr._arguments import check
from keras_lr._backends.attached_step import refuse
from keras_lr._backends.steps_interface import Steered, unsteered
from keras_lr._backends.watched import watched
from keras_lr._backends.wrapped_optimizers import accumulated_batches
from keras_lr.diagnosis import RunDiagnosis, Steps
from keras_lr.diagnosis._run import judge_run
from keras_lr.diagnosis._signals import Step, reach, update_to_weight
from keras_lr.training._along_step import AlongStep
from keras_lr.training._executed_together import executed_together


class Monitor(keras.callbacks.Callback):
    """Watch how far the steps of a training go, and how large they are beside the weights.

    At every n-th update the loss of the batch and its slope along the step are evaluated before and after it, on the
    same samples and with the same dropout masks. `History`, `CSVLogger` and TensorBoard then have, for each epoch,
    ``reach``, how much of the way to the lowest loss of its batch along it a step goes (0.1: ten times the rate would
    reach it; 1: exactly there; above 2: uphill), and ``update_to_weight``, the length of a step over that of the
    weights; NaN for an epoch in which no step was looked at. The verdict knows the first update of the run as well.
    The training is bit for bit the one without it.

    Args:
        every: how many updates lie between two looks. Default 50.

    Raises:
        ValueError: `every` is below 1; at the start of a training, `steps_per_execution` is above 1 or the training is
            spread over several replicas.

    Costs: at each look, two losses with gradients and a copy of the weights: one and a half to two steps, so that a
        training with the default takes 1.03 to 1.04 times as long. What looks is compiled once a `fit`.

    Example:
    >>> import keras, numpy as np, keras_lr
    >>> x = np.random.default_rng(0).normal(size=(512, 4)).astype("float32")
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(1e-4), loss="mse")
    >>> monitor = keras_lr.callbacks.Monitor(every=8)
    >>> history = model.fit(x, x.sum(1, keepdims=True), epochs=4, verbose=0, callbacks=[monitor])
    >>> history.history["reach"][-1] < 0.01
    True
    >>> monitor.diagnosis().judgement
    <Judgement.TOO_LOW: 'too low'>
    """

    def __init__(self, *, every: int = 50) -> None:
        super().__init__()
        self.every = every
        check(self, "every", least=1, whole=True)
        self._ours: Any = None
        self._forget()

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Forget an earlier training."""
        model = self.model
        refuse(model)
        if executed_together(model) > 1:
            raise ValueError(
                f"Monitor looks at single steps, and this model runs steps_per_execution={model.steps_per_execution} "
                "at once. Compile it with steps_per_execution=1, or use keras_lr.diagnose."
            )
        self._give_back()  # where an exception ended the training before
        self._forget()
        self._accumulation = accumulated_batches(model.optimizer)
        self._next = (self.every - 1) * self._accumulation + 1
        self._along = AlongStep(model)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Take the step of the training, with what other callbacks have put around it."""
        self._first_of_epoch = len(self._seen)
        if self._ours is None:
            self._theirs = self.model.make_train_function() or self.model.train_function
            # Another experiment finds the step itself, also where an interrupted `fit` left it watched.
            watching = watched(self.model, self._theirs, self._wanted, self._look)
            self._ours = Steered(unsteered(self._theirs), watching, getattr(self._theirs, "sets_rate", False))
            self.model.train_function = self._ours

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Add what the steps of the epoch showed."""
        if logs is not None:
            steps = Steps.of(self._seen[self._first_of_epoch :])
            logs["reach"] = reach(steps).value
            logs["update_to_weight"] = update_to_weight(steps).value

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Give the model its own step back."""
        self._give_back()

    def diagnosis(self) -> RunDiagnosis:
        """Say what the steps so far tell of the rate: too high, too low or undecided, and why."""
        return judge_run(np.array(self._at), self._seen, self._first)

    def _give_back(self) -> None:
        if self._ours is not None and self.model.train_function is self._ours:
            self.model.train_function = self._theirs
        self._ours = None

    def _forget(self) -> None:
        self._steps = 0
        self._at: list[int] = []
        self._seen: list[Step] = []
        self._first: Step | None = None
        self._first_of_epoch = 0

    def _wanted(self, made: Callable[[], int]) -> bool:
        self._steps += 1
        if self._first is not None and self._steps < self._next:
            return False
        # An update is made at the last of its batches; a return of a guard or an earlier fit shifts which one that is.
        return self._accumulation == 1 or (made() + 1) % self._accumulation == 0

    def _look(self, batch: Any, before: Any, weights: list[Any]) -> None:
        seen = self._along.ends(batch, before, weights)
        self._first = self._first or seen
        if self._steps >= self._next:
            self._next = self._steps + self.every * self._accumulation
            self._at.append(self._steps - 1)
            self._seen.append(seen)
