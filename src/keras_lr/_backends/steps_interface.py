"""What a backend offers about the compiled training step of a model.

The step is Keras' own `model.train_function`: a race and a `fit` use one compiled program, and the learning rate
enters it as a value of the optimizer's variable, so that no rate ever compiles anything.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import keras
import numpy as np

Values = Any  # a private copy of all that decides the next step: weights, other variables, optimizer variables
Batch = Any  # one batch as the backend's `fit` would hand it to the compiled step


class Parts(NamedTuple):
    """What a forward pass needs of the values at one moment."""

    weights: list[Any]  # the trainable ones
    others: list[Any]  # the model's other variables: seeds, statistics of normalisation
    draws: Any = None  # the state of the backend's own random generator, where layers draw from it
    metrics: Sequence[Any] = ()  # the metrics' variables, where the model does not hold them


class TrainingSteps(Protocol):
    """The compiled training step of one built and compiled model, steered from outside."""

    skips_overflows: bool  # whether a step whose gradients overflow is left out, and not counted
    takes_one_batch: bool  # whether a step is made of one batch, on one device or where that is the same
    kept_batch: Batch | None  # see `keep_batch`

    def batches(self, iterator_arguments: dict[str, Any], count: int) -> Sequence[Batch]:
        """Take the first `count` batches that `fit` would make of this data, fewer when it ends before."""

    def start(self) -> None:
        """Take the model's values in hand for `step`; the variables of the model may go stale until `finish`."""

    def finish(self) -> None:
        """Put the values in hand back into the model's variables; nothing where none are in hand."""

    def copy(self) -> Values:
        """Copy all values that decide the next step: weights, seeds, statistics, the optimizer's slots and counters."""

    def put(self, values: Values) -> None:
        """Go back to a copy, which stays good for another time; metrics are left alone."""

    def aside(self) -> AbstractContextManager[None]:
        """Return a context for steps beside a `fit`: afterwards all values and all metrics are what they were."""

    def parts(self, values: Values) -> Parts:
        """Return what a forward pass needs of a copy."""

    def zero(self, variables: Sequence[keras.Variable]) -> None:
        """Set some of the optimizer's variables to zero."""

    def whole(self) -> bool:
        """Return whether the model's variables hold values: an exception inside a step can leave them without."""

    def finite(self) -> bool:
        """Return whether all trainable weights are finite; waits for the device."""

    def weights(self) -> list[np.ndarray]:
        """Return all trainable weights as they are now; waits for the device."""

    def moved(self, values: Values) -> tuple[float, float]:
        """Return the distance of all trainable weights from those of a copy, and the length of the copy's."""

    def counted(self) -> int:
        """Return how many steps the optimizer has counted; waits for the device."""

    def reset_metrics(self) -> None:
        """Let the means that the logs report begin anew."""

    def means(self) -> list[float]:
        """Return what the means among the model's metrics have come to; waits for the device."""

    def step(self, batch: Batch, learning_rate: float) -> Any:
        """Train on one batch; returns its loss before the update, a scalar of the backend, not waited for."""

    def set_learning_rate(self, learning_rate: float) -> None:
        """Set the rate of the next step."""

    def steer(self, before: Callable[[], None], after: Callable[[dict[str, Any]], None]) -> None:
        """Have every step of a coming `fit` preceded by `before()` and followed by `after(logs)`."""

    def keep_batch(self) -> None:
        """Keep the batch of the next steered step as `kept_batch`; only where a step takes one."""

    def release(self) -> None:
        """End `steer`."""


@dataclass(frozen=True)
class Steered:
    """A compiled step with something done around it."""

    unsteered: Callable[..., Any]  # the step itself
    steered: Callable[..., Any]  # what is called in its place
    sets_rate: bool = True  # whether the rate of a step is set there, and not only looked at

    def __call__(self, *arguments: Any) -> Any:
        return self.steered(*arguments)


def loss_of(logs: dict[str, Any]) -> Any:
    """Return the loss that a step reports.

    Raises:
        ValueError: a `train_step` of the model's own reports none under that name.
    """
    if "loss" not in logs:
        raise ValueError(
            f"The model's train_step reports {', '.join(map(repr, logs)) or 'nothing'} but no 'loss', by which a "
            "learning rate is judged. Let it return what one optimizer minimises under that name; for a model of "
            "several losses and optimizers, such as a GAN, use model.fit."
        )
    loss = logs["loss"]
    # PyTorch's autograd graph of the batch, which a step of the model's own may hand over with the loss, is let go.
    return loss.detach() if hasattr(loss, "detach") else loss


def unsteered(train_function: Any) -> Any:
    """Return the compiled step itself, also where an interrupted `fit` left it steered."""
    return getattr(train_function, "unsteered", train_function)


def distance_and_length(weights: Sequence[np.ndarray], start: Sequence[np.ndarray]) -> tuple[float, float]:
    """Return `|weights - start|` and `|start|` over all arrays, in float64."""
    pairs = [(np.asarray(w, np.float64), np.asarray(s, np.float64)) for w, s in zip(weights, start, strict=True)]
    distance = sum(float(np.sum((w - s) ** 2)) for w, s in pairs)
    return distance**0.5, sum(float(np.sum(s**2)) for _, s in pairs) ** 0.5
