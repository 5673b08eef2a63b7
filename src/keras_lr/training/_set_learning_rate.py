"""Change the rate of a compiled model at any moment, whatever it was compiled with.

A number goes into the variable that the compiled step reads. Where the optimizer has a schedule, there is no such
variable; then a `schedules.Steerable` takes the schedule's place, once, in the place where Keras keeps a plain rate.
"""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_lr._arguments import Argument, is_number, number
from keras_lr._backends.wrapped_optimizers import optimizers_in
from keras_lr.schedules import Constant, Steerable


def set_learning_rate(model: keras.Model, learning_rate: Any) -> None:
    """Set the rate of a compiled model: to a number, or to a schedule.

    It takes effect with the next step on every backend: between two calls of `fit`, and from a callback, at the end of
    an epoch or of a batch. What was a schedule may become a number and the other way round. A multiplier set before is
    gone.

    Args:
        model: compiled. With `MultiOptimizer` the rate of each of its optimizers is set.
        learning_rate: a number (at least 0), a schedule of keras_lr or Keras, or a function of the step; or a
            `Steerable`, which is turned by the name that it has. Where gradients are accumulated, schedules of
            keras_lr count updates of the weights, and what is not ours batches, as Keras does.

    Raises:
        ValueError: the model is not compiled, its optimizer takes no rate, the rate is negative or not finite, or one
            `Steerable` is given to several optimizers.
        TypeError: what was given is no rate.

    Costs: a number is written into a variable. The step is compiled once more when a schedule is set, and when the
        model was compiled with a schedule and gets its first number; compile with `schedules.steerable(schedule)` to
        avoid that one. A `Steerable` in the place of a schedule adds one entry to the optimizer's state, so
        checkpoints of the optimizer made before and after it first takes that place do not fit each other; whole saved
        models do.

    Example:
    >>> import keras, numpy as np, keras_lr
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(keras_lr.schedules.Cosine(0.1, 100)), loss="mse")
    >>> keras_lr.set_learning_rate(model, 0.05)
    >>> round(float(model.optimizer.learning_rate), 6)
    0.05
    """
    parts = list(_parts(model))
    argument = Argument("set_learning_rate", "learning_rate")
    learning_rate = getattr(learning_rate, "steerable", learning_rate)  # what `schedules.steerable` has made
    if isinstance(learning_rate, Steerable) and len(parts) > 1:
        remedy = f"Of its schedule each of the {len(parts)} optimizers makes one of its own."
        raise ValueError(argument.refusal("no Steerable for several optimizers", learning_rate, remedy))
    if is_number(learning_rate):
        learning_rate = number(least=0.0)(learning_rate, argument)
    elif not callable(learning_rate):
        raise TypeError(argument.refusal("a schedule, a number or a function of the step", learning_rate))
    for optimizer in parts:
        (_set_number if is_number(learning_rate) else _set_schedule)(model, optimizer, learning_rate)


def scale_learning_rate(model: keras.Model, factor: float) -> None:
    """Multiply the rate of a compiled model by a factor; a schedule goes on, multiplied.

    Args:
        model: compiled.
        factor: above 0; 0.1 makes the rate a tenth of what it would be.

    Raises:
        ValueError: the model is not compiled, its optimizer takes no rate, or the factor is not above 0.

    Costs: as `set_learning_rate`; where the model was compiled with a schedule, the first call compiles the step again.

    Example:
    >>> import keras, keras_lr
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(keras_lr.schedules.Cosine(0.1, 100)), loss="mse")
    >>> keras_lr.scale_learning_rate(model, 0.5)
    >>> round(float(model.optimizer.learning_rate), 6)
    0.05
    """
    factor = number(above=0.0)(factor, Argument("scale_learning_rate", "factor"))
    for optimizer in list(_parts(model)):
        rate = optimizer._learning_rate
        if isinstance(rate, keras.Variable):
            rate.assign(np.float64(keras.ops.convert_to_numpy(rate)) * factor)
        else:
            steerable = steering_of(model, optimizer)
            steerable.steer(multiplier=steerable.multiplier * factor)


def steering_of(model: keras.Model, optimizer: keras.optimizers.Optimizer) -> Steerable:
    """Return the `Steerable` of an optimizer, putting one there if there is none."""
    rate = optimizer._learning_rate
    if isinstance(rate, Steerable):
        return rate
    if isinstance(rate, keras.Variable):
        return _put(model, optimizer, Steerable(Constant(float(keras.ops.convert_to_numpy(rate)))))
    if callable(rate) and not isinstance(rate, keras.optimizers.schedules.LearningRateSchedule):
        asked = rate  # Keras calls a function without an argument
        return _put(model, optimizer, Steerable(lambda step: asked()))
    return _put(model, optimizer, Steerable(rate))


def _parts(model: keras.Model) -> Iterator[keras.optimizers.Optimizer]:
    if not isinstance(model, keras.Model):
        raise TypeError(f"model={model!r} is not a keras.Model. The model comes first, then the rate.")
    if (optimizer := getattr(model, "optimizer", None)) is None:
        raise ValueError(
            f"The model {model.name!r} is not compiled. Call model.compile(optimizer=..., loss=...) first."
        )
    if hasattr(model, "jax_state_sync"):
        model.jax_state_sync()
    for part in optimizers_in(optimizer):
        if not getattr(part, "takes_learning_rate", True):
            name = type(part).__name__
            raise ValueError(f"{name} finds how far to go at every step and takes no learning rate; none can be set.")
        yield part


def _set_number(model: keras.Model, optimizer: keras.optimizers.Optimizer, learning_rate: float) -> None:
    rate = optimizer._learning_rate
    if isinstance(rate, keras.Variable):
        rate.assign(np.float64(learning_rate))
    else:
        steering_of(model, optimizer).fix(learning_rate)


def _set_schedule(model: keras.Model, optimizer: keras.optimizers.Optimizer, schedule: Any) -> None:
    held, given = optimizer._learning_rate, isinstance(schedule, Steerable)
    wanted = schedule if given else Steerable(schedule)
    if given or not isinstance(held, Steerable):
        _put(model, optimizer, wanted)
        return
    held.fix(None)
    if (held.schedule, held.counts_batches) != (wanted.schedule, wanted.counts_batches):
        held.schedule, held.counts_batches = wanted.schedule, wanted.counts_batches
        _compile_again(model)


def _put(model: keras.Model, optimizer: keras.optimizers.Optimizer, steerable: Steerable) -> Steerable:
    """Put a steerable where a plain rate stands or would stand: second in the optimizer's state."""
    held = optimizer._learning_rate
    if isinstance(held, keras.Variable | Steerable):
        optimizer._untrack_variable(held.numbers if isinstance(held, Steerable) else held)
    optimizer._learning_rate = steerable
    optimizer._track_variable(steerable.numbers)
    state = optimizer._variables
    state.insert(1, state.pop())
    _compile_again(model)
    return steerable


def _compile_again(model: keras.Model) -> None:
    if getattr(model, "train_function", None) is not None:
        model.make_train_function(force=True)
