"""Lend a model's compiled training step for an experiment, and give the model back as it was, bit for bit."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any

import keras

from keras_lr._backends import steps_interface
from keras_lr._backends.learning_rate_variable import refuse_others, refuse_several
from keras_lr._backends.steps import TrainingSteps
from keras_lr._backends.wrapped_optimizers import innermost
from keras_lr.training._labels import check_labels
from keras_lr.training._random_state import kept_random_state


@contextmanager
def borrowed(model: keras.Model) -> Iterator[steps_interface.TrainingSteps]:
    """Lend the compiled training step of a built model.

    Weights, BatchNormalization statistics, optimizer slots and counters, metrics, seed generators, the process' random
    generators, a schedule inside the optimizer and the compiled functions are afterwards what they were, also when an
    exception or Ctrl-C ends the loan.

    Args:
        model: built and compiled (see `prepare`).

    Costs: one copy of the weights and the optimizer's slots.
    """
    with kept_random_state(), steerable(model):
        steps = TrainingSteps(model)
        values = steps.copy()
        metrics = [keras.ops.convert_to_numpy(v).copy() for v in model.metrics_variables]
        steps.start()
        try:
            yield steps
        finally:
            steps.put(values)
            steps.finish()
            for variable, value in zip(model.metrics_variables, metrics, strict=True):
                variable.assign(value)


def steerable(model: keras.Model) -> ExitStack:
    """Let the optimizer's rate be a variable until the returned stack is closed, also where a schedule was compiled.

    The step that was compiled with a schedule or a function is put aside and comes back with it.

    A stack of calls is just forgotten where nobody closes it. A generator would be run to its end by the garbage
    collector, anywhere: to set a variable while TensorFlow makes an operation of another model waits for ever.
    """
    refuse_others(model)
    optimizer = innermost(model.optimizer)
    rate = optimizer._learning_rate
    loan = ExitStack()
    if isinstance(rate, keras.Variable):
        loan.callback(rate.assign, float(keras.ops.convert_to_numpy(rate)))
        return loan
    with scope(model):
        variable = put_rate_variable(optimizer)
    loan.callback(setattr, model, "train_function", model.train_function)
    loan.callback(optimizer._untrack_variable, variable)
    loan.callback(setattr, optimizer, "_learning_rate", rate)
    model.train_function = None
    return loan


def refuse_no_model(model: Any) -> None:
    """Raise `TypeError` if something else is given in the place of a model."""
    if isinstance(model, keras.Model):
        return
    shape = getattr(model, "shape", None)
    kind = type(model).__name__
    given = f"{model!r} of type {kind}" if shape is None else f"{kind} of shape {shape}"
    raise TypeError(
        f"model={given} is not a keras.Model. The compiled model comes first, then the data: (model, x, y); of a "
        "function that builds one, what it returns; of a keras_lr.Task, (task.model(), task.x, task.y)."
    )


def prepare(model: keras.Model, batch: Any) -> None:
    """Build the model, its optimizer and its metrics on one batch, as `fit` would.

    Raises:
        ValueError: the model is not compiled, its optimizer takes no learning rate, is several, has others beside it
            or has trained other weights, or nothing can be trained.
    """
    if not model.compiled or model.optimizer is None:
        raise ValueError(
            f"The model {model.name!r} is not compiled. Call model.compile(optimizer='adam', loss=...) first."
        )
    refuse_several(model.optimizer)
    refuse_others(model)
    optimizer = innermost(model.optimizer)
    if not getattr(optimizer, "takes_learning_rate", True):
        raise ValueError(
            f"{type(optimizer).__name__} finds how far to go at every step and takes no learning rate, so there is "
            "none to look for and none to schedule. Train the model with model.fit(...)."
        )
    check_targets(model, batch, keras.Model.train_step)
    with scope(model):
        model._symbolic_build(data_batch=batch)
    if type(model).compute_loss is keras.Model.compute_loss:
        check_labels(model, batch)
    if not model.trainable_variables:
        raise ValueError(
            f"The model {model.name!r} has no trainable weights, so no learning rate can do anything. "
            "Set layer.trainable = True on what shall learn, and compile again."
        )
    if optimizer.built and {id(v) for v in optimizer._trainable_variables} != {
        id(v) for v in model.trainable_variables
    }:
        raise ValueError(
            f"{type(optimizer).__name__} was built for {len(optimizer._trainable_variables)} weights that are not the "
            f"{len(model.trainable_variables)} which {model.name!r} trains now: layer.trainable was changed since, it "
            "has trained another model, or Keras has read it from an .h5 file. Compile again, with a new optimizer: "
            "model.compile(optimizer='adam', ...)."
        )


def refuse_ftrl(optimizer: keras.optimizers.Optimizer) -> None:
    """Raise `ValueError` for the one optimizer of which a short trial tells nothing."""
    if isinstance(optimizer, keras.optimizers.Ftrl):
        raise ValueError(
            "Ftrl makes the weights anew from its sums, so that its first step wipes out most of those that it is "
            "given, whatever the rate, and a short trial says nothing of the run. Compare whole runs with "
            "keras_lr.sweep(task, rates=[0.01, 0.1, 1.0]), or compile with another optimizer."
        )


def refuse_overwritten_weights(optimizer: keras.optimizers.Optimizer) -> None:
    """Raise `ValueError` for an average that is put over the weights while they are trained."""
    every = optimizer.ema_overwrite_frequency if optimizer.use_ema else None
    if every:
        raise ValueError(
            f"ema_overwrite_frequency={every} puts an average over the weights every {every} steps. That throws the "
            "loss back, and neither a short trial nor a guard can tell it from a rate that is too high. Leave it out: "
            "with use_ema=True alone the average is put in place at the end of fit."
        )


def scope(model: keras.Model) -> AbstractContextManager[Any]:
    """Return where the model's variables are made: in the scope of TensorFlow's strategy, if it has one."""
    strategy = getattr(model, "_distribute_strategy", None)
    return nullcontext() if strategy is None else strategy.scope()


def check_targets(model: keras.Model, batch: Any, step: Any) -> None:
    """Raise `ValueError` where a step of Keras' own would compare predictions with no targets.

    Args:
        model: compiled.
        batch: as `fit` would hand it to the step.
        step: `keras.Model.train_step` or `keras.Model.test_step`.
    """
    kind = type(model)
    own = getattr(kind, step.__name__) is step and kind.compute_loss is keras.Model.compute_loss
    losses = [loss for loss in keras.tree.flatten(model.loss) if loss is not None]
    y = keras.utils.unpack_x_y_sample_weight(batch)[1]
    if own and losses and y is None:
        raise ValueError(
            f"y=None, and the loss {losses[0]!r} compares predictions with targets. Pass them as y beside x "
            "for arrays, in batches (inputs, targets) for a data set; y=x for an autoencoder."
        )
    named = model.loss.items() if isinstance(model.loss, dict) and isinstance(y, dict) else ()
    missing = [name for name, loss in named if loss is not None and name not in y]
    if own and missing:
        raise ValueError(
            f"y holds targets named {', '.join(map(repr, y))}, and the loss of the output {missing[0]!r} finds none. "
            "Give the targets the names of the outputs, by which the losses were compiled."
        )


def put_rate_variable(optimizer: keras.optimizers.Optimizer) -> keras.Variable:
    """Put a variable in the place of an optimizer's schedule or function, and return it."""
    # Keras keeps a numeric rate as the second variable, behind the step counter; checkpoints go by this order.
    variable = keras.Variable(
        0.0,
        name="learning_rate",
        dtype=keras.backend.floatx(),
        trainable=False,
        aggregation="only_first_replica",
    )
    locked = optimizer._tracker.locked
    optimizer._tracker.unlock()
    optimizer._learning_rate = variable  # tracked by assignment, as the last one
    if locked:
        optimizer._tracker.lock()
    optimizer._variables.insert(1, optimizer._variables.pop())
    return variable
