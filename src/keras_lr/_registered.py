"""Lets Keras load a saved model that holds our classes without their having been imported before.

`import keras_lr` imports no room. Keras looks a class up by its registered name, so each name is registered with a
stand-in that imports the class when a saved model asks for it; the class then registers itself in its place.
"""

import json
from importlib import import_module
from importlib.resources import files
from typing import Any

import keras


class Later:
    """Stands in for a class until Keras rebuilds one from its configuration."""

    def __init__(self, home: str) -> None:
        self._module, self.__name__ = home.split(":")

    def from_config(self, config: dict[str, Any], **arguments: Any) -> Any:
        """Import the class and rebuild an instance."""
        return getattr(import_module(self._module), self.__name__).from_config(config, **arguments)


def register() -> None:
    """Register a stand-in for each class that is not imported yet."""
    known = keras.saving.get_custom_objects()
    for name, home in json.loads(files("keras_lr").joinpath("_registered.json").read_text("utf-8")).items():
        known.setdefault(name, Later(home))
