"""The data of a `fit`, seen from an experiment that runs before it: how many steps, and a few batches to try.

Nothing that is drawn here changes what the coming `fit` will see.
"""

import itertools
import types
from collections.abc import Iterable, Iterator, Mapping
from numbers import Real
from typing import Any

import keras
import numpy as np
from keras.src.trainers.data_adapters import array_slicing, get_data_adapter
from keras.src.trainers.data_adapters.array_data_adapter import can_convert_arrays

from keras_lr._arguments import within
from keras_lr._backends.first_batch import first_batch
from keras_lr._backends.shuffled_arrays import shuffled_arrays
from keras_lr._backends.steps_interface import TrainingSteps
from keras_lr.training._array_checks import check_rows, check_values, refuse_beside_data
from keras_lr.training._one_target import another_target
from keras_lr.training._unread import unread


class TrainingData:
    """What is handed to `fit` as training data.

    Args:
        x, y, sample_weight, class_weight, batch_size, steps_per_epoch, shuffle: as in `model.fit`.
        validation_split: the last fraction of array data that `fit` keeps for validation, and that is not tried either.
        together: how many steps Keras executes at once.

    Attributes:
        steps_per_epoch: the steps of an epoch that does not run out of data.
        validation_arrays: `(x, y, sample_weight)` of the rows that `fit` keeps for validation, if any.

    Raises:
        ValueError: there are no data, Keras cannot take them together, or the number of steps of an epoch cannot be
            known.
    """

    def __init__(
        self,
        x: Any,
        y: Any = None,
        *,
        sample_weight: Any = None,
        class_weight: dict[int, float] | None = None,
        batch_size: int | None = None,
        steps_per_epoch: int | None = None,
        shuffle: bool = True,
        validation_split: float = 0.0,
        together: int = 1,
    ) -> None:
        if x is None:
            raise ValueError("x=None: give the training data as x, and their targets as y, as model.fit takes them.")
        check_counts(batch_size=batch_size, steps_per_epoch=steps_per_epoch)
        check_split(validation_split)
        given: Any = class_weight  # of labels that are texts, Keras would weight none
        if given is not None and not (isinstance(given, Mapping) and all(isinstance(key, Real) for key in given)):
            raise ValueError(f"class_weight={given!r}: give a dictionary of a weight for each class, as {{0: 1.0}}.")
        self.x, self.y, self.sample_weight = x, y, sample_weight
        self._class_weight = class_weight
        self._are_arrays = can_convert_arrays((x, y, sample_weight))
        if not self._are_arrays:
            refuse_beside_data(x, y=y, sample_weight=sample_weight)
            if validation_split:
                raise ValueError(
                    f"validation_split={validation_split!r}, and x is a {type(x).__name__}, of which Keras takes no "
                    "rows off. Split it, and pass the smaller part as validation_data."
                )
        self.is_generator = isinstance(x, types.GeneratorType)
        # Keras warns where it is told to shuffle what it cannot, as its own default does.
        is_finite = isinstance(x, keras.utils.PyDataset) and x.num_batches is not None
        self.shuffle = shuffle and (self._are_arrays or is_finite)
        self.validation_arrays: Any = None
        if self._are_arrays:
            check_rows(x=x, y=y, sample_weight=sample_weight)
            check_values(x=x, y=y, sample_weight=sample_weight)
        if self._are_arrays and validation_split:
            self._training, self.validation_arrays = array_slicing.train_validation_split(
                (x, y, sample_weight), validation_split=validation_split
            )
        else:
            self._training = (x, y, sample_weight)
        if self._are_arrays:
            if not self._rows_in_all:
                raise ValueError("x has no rows. Look at how it was cut or split.")
            self._batch_size = batch_size or (-(-self._rows_in_all // steps_per_epoch) if steps_per_epoch else 32)
        self._steps_asked, self._together = steps_per_epoch, together
        self._count_steps()

    def _count_steps(self) -> None:
        steps_per_epoch, together = self._steps_asked, self._together
        self._pass_steps = self._known_steps()
        if steps_per_epoch and steps_per_epoch < (self._pass_steps or np.inf):
            # Keras makes whole executions of them, and does not tell when the last one of the data was shorter.
            steps_per_epoch = _rounded_up(steps_per_epoch, together)
            self._pass_steps = self._pass_steps and _rounded_up(self._pass_steps, together)
        elif steps_per_epoch and self._pass_steps:
            self._pass_steps = min(_rounded_up(self._pass_steps, together), steps_per_epoch)
        self.steps_given = steps_per_epoch
        self.steps_per_epoch = steps_per_epoch or self._pass_steps or self._counted_steps()
        if not steps_per_epoch:
            self._pass_steps = self.steps_per_epoch

    def horizon(self, epochs: int, initial_epoch: int = 0) -> int:
        """Return how many steps a run of so many epochs has.

        Where `steps_per_epoch` was given, Keras goes on in the data from epoch to epoch. When they run out it ends the
        epoch there, and begins the next one at their beginning.

        Raises:
            ValueError: there is nothing to train, or the number of epochs is not whole.
        """
        if not within(epochs, whole=True):
            raise ValueError(f"epochs={epochs!r}: give a whole number.")
        if not within(initial_epoch, least=0, whole=True):
            raise ValueError(f"initial_epoch={initial_epoch!r}: give a whole number, the epochs that were done before.")
        if epochs <= initial_epoch:
            since = f" from initial_epoch={initial_epoch}" if initial_epoch else ""
            raise ValueError(f"epochs={epochs}{since} leaves nothing to train; give {initial_epoch + 1} or more.")
        epochs = int(epochs) - initial_epoch
        if self.steps_given is None or self._pass_steps is None:
            return epochs * self.steps_per_epoch
        passes, further = divmod(epochs, -(-self._pass_steps // self.steps_per_epoch))
        return passes * self._pass_steps + further * self.steps_per_epoch

    def passes(self, steps: int) -> float:
        """Return how often a run of so many steps sees each row: at least 1, which stands for an unknown number too."""
        return max(1.0, steps / self._pass_steps) if self._pass_steps else 1.0

    def for_fit(self, first_step: int = 0) -> dict[str, Any]:
        """Return what `model.fit` is given: the same data, in an order that can be drawn again.

        Args:
            first_step: how many batches of a generator are left out, for a run that goes on.
        """
        x, y, sample_weight = self._training
        given = {"x": x, "y": y, "sample_weight": sample_weight, "class_weight": self._class_weight}
        if self.is_generator:
            given["x"] = _generator(itertools.islice(self.x, first_step, None))  # with what a race has read in front
        elif self._are_arrays and self.shuffle is True:
            weight = self._class_weight
            adapter = shuffled_arrays(x, y, sample_weight, class_weight=weight, batch_size=self._batch_size)
            given = given if adapter is None else {"x": adapter}
        if self.validation_arrays is not None:
            given["validation_data"] = self.validation_arrays
        return {"shuffle": self.shuffle, **given}

    def check_position(self) -> None:
        """Raise `ValueError` where the end of an epoch is a place in the data that cannot be found again."""
        if self.steps_given and not self.is_generator:
            raise ValueError(
                f"With backup_dir an epoch must be one pass over the data, and steps_per_epoch={self.steps_per_epoch} "
                f"of {type(self.x).__name__} need not be. Leave steps_per_epoch out, or pass a generator, of which the "
                "batches that were trained on are skipped."
            )

    def batches(self, steps: TrainingSteps, count: int, seed: int) -> list[Any]:
        """Return up to `count` batches of full size, as `fit` would hand them to the compiled step.

        Of arrays they are drawn at random without replacement; other data are read from their beginning.
        """
        if self._are_arrays:
            return self._drawn(steps, count, seed)
        x = self.x
        if self.is_generator:
            x = self._peeked(count)
        with unread(x):
            arguments = self._iterator_arguments(x, None, None)
            found = list(steps.batches(arguments, count))
        return _of_full_size(found)

    def example(self) -> Any:
        """Return one batch on which a model can be built."""
        if self._are_arrays:
            return _rows(self._training, np.arange(min(self._batch_size, self._rows_in_all)))
        x = self._peeked(1) if self.is_generator else self.x
        with unread(x):
            batch = first_batch(get_data_adapter(x=x, class_weight=self._class_weight))
        if batch is not None:
            return batch
        raise ValueError(f"x={type(x).__name__} holds no batch. Look at how it was made: was it cut, or read before?")

    @property
    def training_arrays(self) -> Any:
        """The arrays `(x, y, sample_weight)` that are trained on; None of other data."""
        return self._training if self._are_arrays else None

    def leave_out(self, rows: np.ndarray) -> None:
        """Train without some of the rows, shape `(rows,)`, True for those."""
        self._training = _rows(self._training, np.flatnonzero(~rows))
        self._count_steps()

    def batch_of(self, steps: TrainingSteps, rows: np.ndarray) -> Any:
        """Return a batch of full size with these rows, by their places, over and over."""
        order = np.resize(rows, self._batch_size + self._is_cut)
        (batch,) = steps.batches(self._iterator_arguments(*_rows(self._training, order)), 1)
        return batch

    @property
    def _is_cut(self) -> bool:
        """Whether the last batch of `fit` is smaller: then TensorFlow traces a step for any size at once."""
        return self._rows_in_all % self._batch_size > 0

    @property
    def _rows_in_all(self) -> int:
        return int(keras.tree.flatten(self._training)[0].shape[0])

    def _known_steps(self) -> int | None:
        """Return how many batches one pass over the data has, where that is known without one."""
        if self._are_arrays:
            return -(-self._rows_in_all // self._batch_size)
        known = None if self.is_generator else get_data_adapter(x=self.x).num_batches
        return int(known) if known else None

    def _counted_steps(self) -> int:
        x = self.x
        if not self.is_generator and not _is_endless(x):
            with unread(x):
                return sum(1 for _ in x)
        raise ValueError(
            f"The number of steps of an epoch cannot be known from x={type(x).__name__}: it has no length. "
            "Pass steps_per_epoch=..., the number of batches that make one epoch."
        )

    def _drawn(self, steps: TrainingSteps, count: int, seed: int) -> list[Any]:
        rows = self._rows_in_all
        random = np.random.default_rng(seed)
        count = min(count, max(1, rows // self._batch_size))
        order, rest = np.split(random.permutation(rows), [count * self._batch_size + self._is_cut])
        targets = self._training[1]
        other = another_target(_rows(targets, order), lambda: _rows(targets, rest))
        if other is not None:
            order[min(rows, count * self._batch_size) - 1] = rest[other]
        return list(steps.batches(self._iterator_arguments(*_rows(self._training, order)), count))

    def _iterator_arguments(self, x: Any, y: Any, sample_weight: Any) -> dict[str, Any]:
        arguments: dict[str, Any] = {"x": x, "class_weight": self._class_weight}
        if self._are_arrays:
            arguments |= {"y": y, "sample_weight": sample_weight, "batch_size": self._batch_size}
        if isinstance(x, keras.utils.PyDataset):
            arguments["shuffle"] = self.shuffle
        return arguments

    def _peeked(self, count: int) -> Iterator[Any]:
        """Read the generator's beginning, and put it back in front of the rest."""
        beginning = list(itertools.islice(self.x, count))
        self.x = _generator(itertools.chain(beginning, self.x))
        return _generator(beginning)


def check_counts(**counts: Any) -> None:
    """Raise `ValueError` for one that is given and is no whole number of at least 1."""
    for name, count in counts.items():
        if count is not None and not within(count, least=1, whole=True):
            raise ValueError(f"{name}={count!r}: give a whole number of at least 1, or leave it out.")


def check_split(validation_split: float) -> None:
    """Raise `ValueError` where it is no share of the rows."""
    if not within(validation_split, least=0.0, below=1.0):
        raise ValueError(f"validation_split={validation_split!r}: give the fraction of the rows, from 0 to below 1.")


def _rounded_up(steps: int, together: int) -> int:
    return -(-int(steps) // together) * together


def _rows(arrays: Any, order: np.ndarray) -> Any:
    """Return rows of nested arrays, by their places."""
    sliceables = array_slicing.convert_to_sliceable(arrays)
    return keras.tree.map_structure(lambda part: None if part is None else _taken(part, order), sliceables)


def _taken(sliceable: Any, order: np.ndarray) -> Any:
    rows = sliceable[order]
    is_pandas = isinstance(sliceable, array_slicing.PandasSliceable)  # whose tables have no dtype
    return sliceable.convert_to_numpy(rows) if is_pandas else rows


def _generator(batches: Iterable[Any]) -> Iterator[Any]:
    yield from batches  # Keras tells a generator by its type


def _is_endless(x: Any) -> bool:
    if isinstance(x, keras.utils.PyDataset):
        return True
    cardinality = getattr(x, "cardinality", None)
    return cardinality is not None and int(cardinality()) == -1


def _of_full_size(batches: list[Any]) -> list[Any]:
    sizes = [keras.tree.flatten(batch)[0].shape[0] for batch in batches]
    return [batch for batch, size in zip(batches, sizes, strict=True) if size == sizes[0]]
