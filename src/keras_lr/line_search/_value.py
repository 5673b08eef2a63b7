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


def check(
    owner: Any, name: str, *, above: float | None = None, least: float | None = None, below: float | None = None
) -> None:
    """Raise a ValueError unless the field `name` is a number in its range."""
    value = getattr(owner, name)
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and value == value
    good = good and (above is None or value > above) and (least is None or value >= least)
    if not (good and (below is None or value < below)):
        bounds = [(">", above), (">=", least), ("<", below)]
        range_ = " and ".join(f"{sign} {bound:g}" for sign, bound in bounds if bound is not None)
        raise ValueError(f"{type(owner).__name__} takes a number {name} {range_}. Received: {name}={value!r}.")
