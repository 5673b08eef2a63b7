"""Frozen values that print, compare and travel through Keras' saving."""

import dataclasses
from typing import Any, Self

import keras


@dataclasses.dataclass(frozen=True)
class Value:
    """Base of the frozen dataclasses of this room: the fields are the configuration."""

    def get_config(self) -> dict[str, Any]:
        """Return the fields as data that JSON can hold."""
        fields = dataclasses.fields(self)
        return {f.name: keras.saving.serialize_keras_object(getattr(self, f.name)) for f in fields}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make the value anew."""
        return cls(**{name: keras.saving.deserialize_keras_object(value) for name, value in config.items()})
