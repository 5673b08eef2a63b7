"""What a comparison compares: a rate, an optimizer, or a function that trains."""

import numbers
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import keras

from keras_lr._arguments import is_number, within
from keras_lr.callbacks import Horizon
from keras_lr.optimizers._batch import needs_batch
from keras_lr.training import attach, set_learning_rate

Method: TypeAlias = "float | keras.optimizers.Optimizer | Callable[..., Any]"


def checked_methods(methods: Mapping[str, Method], taken: str) -> dict[str, Method]:
    """Return the methods.

    Args:
        methods: by name.
        taken: a name that none may have.

    Raises:
        ValueError: there is none, or one that is neither a rate nor an optimizer nor a function.
    """
    if not isinstance(methods, Mapping) or not methods:
        raise ValueError(
            f"methods={methods!r}: give a dictionary of methods by name, such as "
            "{'Adam 1e-3': 1e-3, 'keras-lr': keras_lr.fit}."
        )
    if taken in methods:
        raise ValueError(f"methods[{taken!r}] has a name that is taken by the model before training; give it another.")
    for name, method in methods.items():
        is_optimizer = isinstance(method, keras.optimizers.Optimizer)
        if not isinstance(name, str) or not (within(method, above=0.0) or is_optimizer or is_function(method)):
            raise ValueError(
                f"methods[{name!r}]={method!r}: give a rate above 0 (of the model's own optimizer), a Keras "
                "optimizer, or a function train(model, **fit_arguments) such as keras_lr.fit, and a text as its name."
            )
    return dict(methods)


def described_method(method: Method) -> Any:
    """Return what tells a method from another one of the same name, in values that JSON can hold."""
    if is_number(method):
        return float(method)
    if isinstance(method, keras.optimizers.Optimizer):
        return keras.optimizers.serialize(method)["config"] | {"optimizer": type(method).__name__}
    return getattr(method, "__qualname__", type(method).__qualname__)


def train(method: Method, model: keras.Model, arguments: dict[str, Any]) -> None:
    """Train a new model by a method; `arguments` are those of `model.fit`."""
    if isinstance(method, keras.optimizers.Optimizer):
        copy = keras.optimizers.deserialize(keras.optimizers.serialize(method))
        model.compile(**model._compile_config.config | {"optimizer": copy})
        if needs_batch(copy):
            attach(model)
        # A schedule may have lengths in epochs or fractions of the run, which differs from task to task.
        model.fit(**arguments | {"callbacks": [Horizon(), *arguments["callbacks"]]})
    elif callable(method):
        method(model, **arguments)
    else:
        set_learning_rate(model, float(method))
        model.fit(**arguments)


def is_function(method: Method) -> bool:
    """Return whether a method trains by itself."""
    is_value = isinstance(method, keras.optimizers.Optimizer | numbers.Real | type)
    return callable(method) and not is_value
