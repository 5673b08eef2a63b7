"""A training problem as one value: how to build the model, the data, and how long to train."""

import inspect
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

import keras

from keras_lr._arguments import check_flags, within
from keras_lr.training._training_data import check_counts, check_split


@dataclass(frozen=True, eq=False)
class Task:
    """A problem that can be trained again and again: the one way to hand it over to the terminal.

    Args:
        build: called without arguments, returns a new compiled model. Its optimizer's own rate is not used where a
            rate is looked for.
        x, y: the training data, whatever `model.fit` takes.
        validation_data, validation_split, validation_steps, batch_size, epochs, sample_weight, class_weight,
            steps_per_epoch, shuffle: as in `model.fit`, with the defaults of `model.fit`.

    Raises:
        ValueError: `build` cannot be called (a model is not enough, for every training needs a new one) or not without
            arguments; `epochs`, `batch_size`, `steps_per_epoch` or `validation_steps` is no whole number from 1,
            `validation_split` no fraction, or `shuffle` neither True nor False.

    Example:
    >>> import keras, numpy as np, keras_lr
    >>> def build():
    ...     model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    ...     model.compile(optimizer="sgd", loss="mse")
    ...     return model
    >>> x = np.linspace(-1, 1, 64, dtype="float32")[:, None]
    >>> task = keras_lr.Task(build, x, 3 * x, epochs=2)
    >>> model = task.model(seed=0)
    >>> len(model.fit(**task.fit_arguments(), verbose=0).history["loss"])
    2
    """

    build: Callable[[], keras.Model]
    x: Any = field(repr=False)
    y: Any = field(default=None, repr=False)
    _: KW_ONLY
    validation_data: Any = field(default=None, repr=False)
    validation_split: float = 0.0
    validation_steps: int | None = None
    batch_size: int | None = None
    epochs: int = 1
    sample_weight: Any = field(default=None, repr=False)
    class_weight: dict[int, float] | None = None
    steps_per_epoch: int | None = None
    shuffle: bool = True

    def __post_init__(self) -> None:
        if isinstance(self.build, keras.Model) or not callable(self.build):
            raise ValueError(
                f"build={self.build!r} is not a function that builds a model. Every training begins with a new model, "
                "so pass a function without arguments that returns a compiled one: Task(build=make_model, x=x, y=y)."
            )
        if needed := _needed(self.build):
            raise ValueError(
                f"build={self.build!r} needs {needed}, and is called without arguments. Give them here: "
                "Task(lambda: make_model(64), x=x, y=y), or from functools a partial(make_model, 64)."
            )
        if not within(self.epochs, whole=True):
            raise ValueError(f"epochs={self.epochs!r}: give a whole number.")
        if self.epochs < 1:
            raise ValueError(f"epochs={self.epochs} leaves nothing to train; give 1 or more.")
        for name in ("batch_size", "steps_per_epoch", "validation_steps"):
            check_counts(**{name: getattr(self, name)})
        check_split(self.validation_split)
        check_flags("Task", shuffle=self.shuffle)

    def model(self, seed: int | None = None) -> keras.Model:
        """Build a model.

        Args:
            seed: of Python's, NumPy's and Keras' random generators, set before building. Default `None`: they go on.

        Raises:
            ValueError: `build` returned something else than a compiled model.
        """
        if seed is not None:
            keras.utils.set_random_seed(seed)
        model = self.build()
        name = getattr(self.build, "__name__", repr(self.build))
        if not isinstance(model, keras.Model):
            raise ValueError(
                f"{name}() returned {model!r}, not a keras.Model. End it with `return model`, the compiled model."
            )
        if not model.compiled or model.optimizer is None:
            raise ValueError(
                f"{name}() returned the model {model.name!r} without compiling it. Call "
                "model.compile(optimizer='adam', loss=...) before `return model`."
            )
        return model

    def fit_arguments(self) -> dict[str, Any]:
        """Return what `keras_lr.fit` and `model.fit` are called with."""
        return self.race_arguments() | {
            "validation_data": self.validation_data,
            "validation_steps": self.validation_steps,
            "shuffle": self.shuffle,
        }

    def race_arguments(self) -> dict[str, Any]:
        """Return what `keras_lr.race` is called with: the same without what the batches of a race do not depend on."""
        return {
            "x": self.x,
            "y": self.y,
            "batch_size": self.batch_size,
            "epochs": self.epochs,
            "sample_weight": self.sample_weight,
            "class_weight": self.class_weight,
            "steps_per_epoch": self.steps_per_epoch,
            "validation_split": self.validation_split,
        }


def _needed(function: Callable[..., Any]) -> str:
    """Return the names of the arguments without which a function cannot be called."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # of some that are written in C
        return ""
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return ", ".join(p.name for p in parameters if p.default is p.empty and p.kind not in several)
