"""Evaluate, predict and save at the averaged weights of optimizers that average."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import keras
from keras import ops

from keras_lr._arguments import Argument, check
from keras_lr._backends import lists
from keras_lr._backends.draws import undrawn
from keras_lr._backends.wrapped_optimizers import innermost
from keras_lr.optimizers._averaging import AveragingOptimizer


class AveragedWeights(keras.callbacks.Callback):
    """Show the averaged weights to whoever looks at the model, and the training point to the training step alone.

    For the Schedule-Free family, DoG, L-DoG and DoWG, whose result is an average. Without it validation within ``fit``
    is at the training point; the end of ``fit`` is at the average either way. Put it before ``ModelCheckpoint``: from
    the end of an epoch to the beginning of the next one the model holds the average, and what is saved then continues
    from the right point. With any other optimizer it does nothing.

    Args:
        data: inputs to recompute the statistics of BatchNormalization from, as an array, a list of one for each input
            of the model, a dictionary of them by name, or an iterable of batches (of inputs, or of tuples that begin
            with the inputs): the running statistics belong to the training point and are wrong at the average. Needed
            where the model normalises batches.
        batches: how many batches to look at; 50 are plenty.
        batch_size: how many samples a batch has where ``data`` is an array.

    Raises:
        ValueError: ``data`` are no inputs, or can be read only once; at the start of ``fit``, the model normalises
            batches and ``data`` is missing, or a list of arrays of which nobody knows whether they are batches.

    Costs:
        One copy of the weights during an evaluation, and ``batches`` forward passes before each if ``data`` is given.

    Example:
        >>> import keras, numpy as np
        >>> from keras_lr.callbacks import AveragedWeights
        >>> from keras_lr.optimizers import ScheduleFreeSGD
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        >>> model.compile(ScheduleFreeSGD(0.1), loss="mse")
        >>> data = {"x": np.ones((4, 2)), "y": np.ones((4, 1))}
        >>> history = model.fit(**data, validation_data=tuple(data.values()), callbacks=[AveragedWeights()], verbose=0)
        >>> round(history.history["val_loss"][0] - model.evaluate(**data, verbose=0), 6)
        0.0
    """

    def __init__(self, data: Any = None, *, batches: int = 50, batch_size: int = 32) -> None:
        super().__init__()
        is_iterable = isinstance(data, Iterable) or hasattr(data, "__getitem__")
        if data is not None and (
            isinstance(data, str | bytes) or not is_iterable or getattr(data, "shape", None) == ()
        ):
            wanted = "inputs, as an array or an iterable of batches,"
            raise ValueError(Argument("AveragedWeights", "data").refusal(wanted, data))
        if isinstance(data, Iterator):
            raise ValueError(
                f"data={data!r} can be read only once, and every evaluation reads it from the beginning. Give an "
                "array, a list of batches, a tf.data.Dataset or a DataLoader."
            )
        self.data = data
        self.batches = batches
        self.batch_size = batch_size
        check(self, "batches", "batch_size", least=1, whole=True)
        self._kept: list[Any] | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        optimizer = self._optimizer()
        if optimizer is None:
            return
        layers = _normalisers(self.model)
        if self.data is None and layers:
            names = ", ".join(layer.name for layer in layers)
            raise ValueError(
                f"The running statistics of {names} belong to the training point and are wrong at the average. Give "
                "AveragedWeights inputs to recompute them from: AveragedWeights(x_train)."
            )
        if layers:
            _are_inputs(self.data, self.model)  # refused now rather than after an epoch
        optimizer.use_training()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._show_training_point()
        if (optimizer := self._optimizer()) is not None:
            optimizer.use_training()  # where another callback has just put back what was saved at the average

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._show_average()

    def on_train_end(self, logs: Any = None) -> None:
        self._kept = None  # fit ends at the average

    def on_test_begin(self, logs: Any = None) -> None:
        self._show_average()

    def on_test_end(self, logs: Any = None) -> None:
        self._show_training_point()

    on_predict_begin = on_test_begin
    on_predict_end = on_test_end

    def _show_average(self) -> None:
        optimizer = self._optimizer()
        if optimizer is None or self._kept is not None or not optimizer.holds_training_point:
            return
        # The way back by arithmetic may round, and an evaluation must not change the training by a bit.
        self._kept = [(v, ops.copy(v.value)) for v in self._moved()]
        optimizer.use_average()
        self._recompute_statistics()

    def _show_training_point(self) -> None:
        optimizer = self._optimizer()
        if optimizer is None or self._kept is None:
            return
        optimizer.use_training()
        for variable, value in self._kept:
            variable.assign(value)
        self._kept = None

    def _moved(self) -> list[Any]:
        return [*self.model.trainable_variables, *(self.model.non_trainable_variables if self.data is not None else [])]

    def _optimizer(self) -> AveragingOptimizer | None:
        optimizer = innermost(self.model.optimizer)
        return optimizer if isinstance(optimizer, AveragingOptimizer) else None

    def _inputs(self) -> Iterator[Any]:
        data: Any = self.data
        return _in_batches(data, self.batch_size) if _are_inputs(data, self.model) else _inputs_of(data)

    @lists.without_gradients
    def _recompute_statistics(self) -> None:
        """Make the running statistics the mean of those of the batches, at the weights that are in place."""
        layers = _normalisers(self.model)
        if self.data is None or not layers:
            return
        momenta = [layer.momentum for layer in layers]
        others = [v for v in self.model.non_trainable_variables if not _belongs(v, layers)]
        before = [(v, ops.copy(v.value)) for v in others]  # seeds of dropout: the same masks afterwards
        try:
            with undrawn():
                for count, inputs in enumerate(islice(self._inputs(), self.batches)):
                    for layer in layers:
                        layer.momentum = count / (count + 1)
                    self.model(inputs, training=True)
        finally:
            for layer, momentum in zip(layers, momenta, strict=True):
                layer.momentum = momentum
            for variable, value in before:
                variable.assign(value)


def _in_batches(data: Any, batch_size: int) -> Iterator[Any]:
    length = len(keras.tree.flatten(data)[0])
    for start in range(0, length, batch_size):
        yield keras.tree.map_structure(lambda a, s=start: ops.convert_to_tensor(a[s : s + batch_size]), data)


def _inputs_of(batches: Iterable[Any]) -> Iterator[Any]:
    # PyTorch's loader makes a list of the inputs and the targets of its rows, where others make a tuple.
    with_targets = (tuple, list) if hasattr(batches, "collate_fn") else tuple
    for batch in batches:
        inputs = batch[0] if isinstance(batch, with_targets) else batch
        yield keras.tree.map_structure(ops.convert_to_tensor, inputs)


def _are_inputs(data: Any, model: keras.Model) -> bool:
    """Return whether it is the inputs of all rows and not batches; of a list of arrays the model's inputs decide."""
    if isinstance(data, dict):
        return all(hasattr(leaf, "shape") for leaf in keras.tree.flatten(data))
    if not isinstance(data, list) or not all(hasattr(one, "shape") for one in data):
        return hasattr(data, "shape")
    inputs = len(getattr(model, "inputs", None) or ())
    if inputs not in (1, len(data)) or not data:
        raise ValueError(
            "AveragedWeights takes a list of arrays as data: one for each input of the model, or batches of one. "
            f"Received: {len(data)} arrays, and the number of inputs of {model.name!r} is {inputs or 'unknown'}. Give "
            "batches as tuples that begin with the inputs: [(x,), ...]."
        )
    return inputs > 1


def _normalisers(model: keras.Model) -> list[Any]:
    return [x for x in model._flatten_layers() if isinstance(x, keras.layers.BatchNormalization) and x.trainable]


def _belongs(variable: Any, layers: list[Any]) -> bool:
    return any(variable is own for layer in layers for own in layer.non_trainable_variables)
