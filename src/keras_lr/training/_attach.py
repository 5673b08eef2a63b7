"""`attach(model)`: let an optimizer ask for the loss of the batch elsewhere, with `compile` and `fit` as they are."""

import contextlib
from collections.abc import Callable
from functools import partial, wraps
from types import MethodType
from typing import Any, TypeVar

import keras
from keras.src.trainers.trainer import Trainer

from keras_lr._backends import attached_step
from keras_lr._backends.attached_step_interface import Handed
from keras_lr._backends.wrapped_optimizers import innermost
from keras_lr.optimizers._batch import hand_over, needs_batch
from keras_lr.optimizers._refusals import refuse_accumulation, refuse_overwriting
from keras_lr.training._line import ModelBatch

Model = TypeVar("Model", bound=keras.Model)


def attach(model: Model) -> Model:
    """Give the model's training step to an optimizer that needs the batch: a line search, Polyak steps, L-BFGS.

    Keras hands an optimizer the gradient. An attached model hands it a `Batch` as well: the loss of this mini-batch,
    the same at other weights, other derivatives. With any other optimizer an attached model trains bit for bit as
    it did, since then the step is Keras' own. Nothing is saved with the model: call it again after `load_model`.

    Args:
        model: a compiled model of any kind (Sequential, functional, subclassed with its own `compute_loss`).

    Returns:
        The same model.

    Raises:
        TypeError: `model` is not a Keras model.
        ValueError: the model defines its own `train_step`; it is not compiled; the optimizer accumulates gradients
            (the direction would belong to several batches and the loss to one) or overwrites weights with their
            average (the line would move away under the search); the training is spread over several replicas; a layer
            was frozen or let loose since `LBFGS` measured curvature.

    Costs:
        Nothing; the optimizer's questions cost what their descriptions say.

    Example:
        >>> import keras, keras_lr, numpy as np
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        >>> search = keras_lr.line_search.PAL()
        >>> model.compile(optimizer=keras_lr.optimizers.LineSearch(search), loss="mse")
        >>> model = keras_lr.attach(model)
        >>> history = model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0).history
        >>> sorted(history)
        ['alpha', 'evaluations', 'loss', 'search_status']
    """
    if not isinstance(model, keras.Model):
        raise TypeError(f"attach(model) takes a keras.Model. Received: {model!r} of type {type(model).__name__}.")
    if type(model).train_step is not _keras_trainer(model).train_step:
        raise ValueError(
            f"attach(model) replaces Keras' own train_step, and {type(model).__name__} defines another one, which it "
            "would disable. Move what differs into `compute_loss`, which every evaluation calls."
        )
    if getattr(model, "optimizer", None) is None:
        raise ValueError(
            "attach(model) looks at the optimizer, and the model has none. Call model.compile(...) before."
        )
    check(model)
    make = model.make_train_function  # the model's own, or somebody's who counts the steps
    if getattr(make, "func", None) is not _make_train_function:
        model.make_train_function = partial(_make_train_function, model, make)
    model.train_step = MethodType(_train_step, model)
    model.train_function = None
    return model


def check(model: keras.Model) -> None:
    """Refuse what a batch handed over could not mean, before a step is traced, and tell the optimizer otherwise."""
    if not needs_batch(model.optimizer):
        return
    optimizer = innermost(model.optimizer)
    name = type(optimizer).__name__
    attached_step.refuse(model)
    refuse_accumulation(name, optimizer.gradient_accumulation_steps)
    refuse_overwriting(name, optimizer.ema_overwrite_frequency)
    if optimizer.built and hasattr(optimizer, "refuse_other_weights"):
        optimizer.refuse_other_weights(model.trainable_variables)
    optimizer.attached = True


def _keras_trainer(model: keras.Model) -> Any:
    """The class that holds this backend's `fit`: the one below `Model` that derives from the common trainer."""
    return next(c for c in keras.Model.__mro__ if issubclass(c, Trainer) and "train_step" in vars(c))


def _make_train_function(model: keras.Model, make: Callable[[bool], Any], force: bool = False) -> Any:
    # Before the first step is traced: an error inside it would cost a JAX model its weights.
    check(model)
    made = make(force)
    after = getattr(innermost(model.optimizer), "after_step", None) if needs_batch(model.optimizer) else None
    if after is not None:  # anew for every `fit`: the last step of the one before was looked at when that ended
        step = model.train_function
        model.train_function = _followed(step.__wrapped__ if hasattr(step, "is_followed") else step, after)
    return made


def _followed(train_function: Any, after: Callable[[dict[str, Any]], None]) -> Any:
    """Let the optimizer see the logs of a step before the next one, since by then JAX has put the weights in safety."""
    logs = None

    @wraps(train_function)
    def followed(*arguments: Any) -> Any:
        nonlocal logs
        if logs is not None:
            seen, logs = logs, None
            after(seen)
        outcome = train_function(*arguments)
        logs = outcome[0] if isinstance(outcome, tuple) else outcome
        return outcome

    followed.is_followed = True  # type: ignore[attr-defined]
    return followed


def _train_step(model: keras.Model, *arguments: Any) -> Any:
    if not needs_batch(model.optimizer):
        return type(model).train_step(model, *arguments)

    def give(handed: Handed) -> contextlib.AbstractContextManager[None]:
        return hand_over(ModelBatch(model, handed))

    return attached_step.train_step(model, give, *arguments)
