"""Values: frozen, checked, compared by content, printed as the call that makes them, saved by Keras.

A schedule, a shape and a length are values, a line search, its rule and its direction too. The annotation of a field
may say what it holds: ``Annotated`` gives a type the check that also converts what is given. Modules of values keep
their annotations as text (``from __future__ import annotations``), so that a signature shows the names.
"""

import dataclasses
import enum
import functools
from collections.abc import Mapping
from typing import Annotated, Any, Self, TypeVar, dataclass_transform, get_origin, get_type_hints

import keras

from keras_lr._arguments import Argument

_T = TypeVar("_T")


@dataclasses.dataclass(frozen=True, repr=False, eq=False)
class Value:
    """Gives a frozen dataclass its checks, its short ``repr`` and its configuration."""

    def __post_init__(self) -> None:
        for name, annotation in self._annotations().items():
            if get_origin(annotation) is Annotated:
                (check,) = annotation.__metadata__
                object.__setattr__(self, name, check(getattr(self, name), self._argument(name)))

    @classmethod
    @functools.cache
    def _annotations(cls) -> dict[str, Any]:
        """Return the annotation of each field by name: ``Annotated[type, check]`` where there is a check."""
        found = get_type_hints(cls, include_extras=True)
        return {field.name: found[field.name] for field in dataclasses.fields(cls)}

    @classmethod
    def _argument(cls, name: str) -> Argument:
        return Argument(cls.__name__, name)

    def __repr__(self) -> str:
        """Return the call that makes this value; arguments at their default are left out."""
        shown = []
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.default is dataclasses.MISSING or value != field.default:
                shown.append(f"{field.name}={_printed(value)}")
        return f"{_public_name(type(self))}({', '.join(shown)})"

    def get_config(self) -> dict[str, Any]:
        """Return the arguments, as plain values that JSON can hold."""
        return {
            field.name: _plain(getattr(self, field.name), self._argument(field.name))
            for field in dataclasses.fields(self)
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Make the value again from what `get_config` returned."""
        return cls(**{name: _restored(value) for name, value in config.items()})


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
def value(cls: type[_T], package: str = "keras_lr") -> type[_T]:
    """Turn a class into a frozen dataclass that Keras can save and load."""
    frozen = dataclasses.dataclass(frozen=True, repr=False)(cls)
    return keras.saving.register_keras_serializable(package=package, name=_public_name(cls))(frozen)


def _public_name(cls: type) -> str:
    """Return the name with the public module that it stands in, if there is one: ``shapes.Cosine``."""
    module = cls.__module__.rsplit(".", 1)[-1]
    return cls.__name__ if module.startswith("_") else f"{module}.{cls.__name__}"


def _printed(item: Any) -> str:
    if isinstance(item, enum.Enum):
        return str(item)
    if isinstance(item, tuple):
        return f"({', '.join(map(_printed, item))}{',' * (len(item) == 1)})"
    return getattr(item, "__name__", "function") if callable(item) and not isinstance(item, Value) else repr(item)


def _plain(item: Any, argument: Argument) -> Any:
    if isinstance(item, enum.Enum):
        return item.value
    if isinstance(item, tuple):
        return [_plain(one, argument) for one in item]
    if getattr(item, "__name__", "") == "<lambda>":
        raise ValueError(
            f"{argument} is a lambda, which cannot be saved. Write a function with `def` and register it with "
            "@keras.saving.register_keras_serializable()."
        )
    return keras.saving.serialize_keras_object(item)


def _restored(item: Any) -> Any:
    if isinstance(item, list | tuple):
        return tuple(_restored(one) for one in item)
    return keras.saving.deserialize_keras_object(item) if isinstance(item, dict) else item
