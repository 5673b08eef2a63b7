"""Writes src/keras_lr/_registered.json: where each class lives that Keras may meet in a saved model."""

import importlib
import json
import pkgutil
from pathlib import Path

import keras

import keras_lr

PATH = Path(keras_lr.__file__).with_name("_registered.json")


def homes() -> dict[str, str]:
    """Import everything and return `module:name` of each class that is registered with Keras."""
    for module in pkgutil.walk_packages(keras_lr.__path__, "keras_lr."):
        if not module.name.startswith(("keras_lr.cli", "keras_lr._backends")):
            importlib.import_module(module.name)
    registered = keras.saving.get_custom_objects()
    return {
        name: f"{thing.__module__}:{thing.__qualname__}"
        for name, thing in sorted(registered.items())
        if name.startswith("keras_lr") and isinstance(thing, type)
    }


if __name__ == "__main__":
    PATH.write_text(json.dumps(homes(), indent=1) + "\n", encoding="utf-8")
