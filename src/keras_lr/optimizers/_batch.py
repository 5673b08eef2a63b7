"""The batch at hand: what an optimizer may ask about the loss besides its gradient.

Keras hands an optimizer gradients and nothing else. `keras_lr.attach(model)` makes the training step hand it a `Batch`
as well, which answers for the mini-batch of this very step. Questions are lazy: what is not asked is never computed.
"""

import contextlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import keras

from keras_lr._backends.wrapped_optimizers import innermost
from keras_lr.line_search import Walk

Tensor = Any
Tensors = Sequence[Any]


class Batch(ABC):
    """The loss of one mini-batch as a function of the weights, frozen at the moment of the step.

    Every evaluation sees the same samples, the same dropout masks and the same statistics of normalisation layers,
    and leaves no trace in them or in the metrics. Lists of values follow `model.trainable_variables`.
    """

    loss: Tensor  # the loss at the current weights, before any loss scaling; shape (), float32
    data: tuple[Any, Any, Any]  # the samples themselves: x, y, sample_weight (or None)

    @abstractmethod
    def loss_at(self, values: Tensors) -> Tensor:
        """Return the loss at other weights; shape (), float32. Costs one forward pass."""

    @abstractmethod
    def loss_and_gradient_at(self, values: Tensors) -> tuple[Tensor, list[Tensor]]:
        """Return loss and gradient at other weights. Costs one forward and one backward pass."""

    @abstractmethod
    def hessian_vector_product(self, vectors: Tensors) -> list[Tensor]:
        """Return the Hessian at the current weights times `vectors`. Costs about two gradients."""

    @abstractmethod
    def losses_and_slopes(self, direction: Tensors) -> tuple[Tensor, Tensor]:
        """Return the loss of each sample at the current weights and its slope along `direction`, of shape (batch,).

        The mean of the losses is the loss; what does not belong to a sample (regularisation) is part of each. Costs a
        forward derivative.
        """

    @abstractmethod
    def walk(
        self, variables: Sequence[keras.Variable], direction: Tensors, scale: Tensor, first: Tensor, go: Tensor
    ) -> Walk:
        """Set out along `scale * direction`; `first` is the step evaluated first, and without `go` nothing moves.

        The weights are moved to the first trial and moved on from there, so that no second set of them is needed:
        a step that is taken back is restored up to rounding, one without `go` exactly. A line knows the first trial
        by its identity: pass the very tensor `first` on to `line.phi`.
        """


_scratch = threading.local()  # one thread a replica; nothing traced may live on the model


@contextlib.contextmanager
def hand_over(batch: Any) -> Iterator[None]:
    """Let `batch_at_hand` find this batch while an optimizer applies its gradients."""
    previous = getattr(_scratch, "batch", None)
    _scratch.batch = batch
    try:
        yield
    finally:
        _scratch.batch = previous


def batch_at_hand(optimizer: keras.optimizers.Optimizer) -> Any:
    """Return the `Batch` of the step being taken.

    Raises:
        ValueError: outside an attached training step.
    """
    batch = getattr(_scratch, "batch", None)
    if batch is None:
        raise ValueError(
            f"{_missing(optimizer)} On JAX build or load the model again before: Keras has lost its weights by now."
        )
    return batch


def require_attached(optimizer: keras.optimizers.Optimizer) -> None:
    """Refuse to be built for a model that is not attached: call it at the start of `build`.

    An error inside the first step of `fit` costs a JAX model its weights, since Keras has given them away by then.
    An optimizer that comes from a file is built before anybody can attach its model, and is let through.
    """
    known = getattr(optimizer, "attached", False) or getattr(optimizer, "restored", False)
    if not known and getattr(_scratch, "batch", None) is None:
        raise ValueError(_missing(optimizer))


class NeedsBatch(keras.optimizers.Optimizer):
    """Mixed in front of the class of an optimizer whose rule asks for the batch."""

    needs_batch = True

    def build(self, variables: list[Any]) -> None:
        """Create the state, once the model is known to be attached."""
        if not self.built:
            require_attached(self)
            super().build(variables)

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """Return an optimizer from its configuration; it may be built before its model is attached."""
        made = super().from_config(config, custom_objects)
        made.restored = True
        return made


def needs_batch(optimizer: Any) -> bool:
    """Whether the optimizer, or the one inside a wrapper such as LossScaleOptimizer, asks for the batch."""
    return bool(getattr(innermost(optimizer), "needs_batch", False))


def _missing(optimizer: keras.optimizers.Optimizer) -> str:
    name = type(optimizer).__name__
    return (
        f"{name} needs the loss of the batch at other weights, and received gradients only. "
        f"Call `keras_lr.attach(model)` after `model.compile(optimizer={name}(...), ...)` and before `model.fit`; "
        "call it again after `compile` or `load_model`."
    )
