"""Optional packages, imported when they are asked to draw."""

import importlib
from types import ModuleType


class MissingExtra(ImportError):
    """An optional package is not installed; the message names the extra that brings it."""


def needed(module: str, extra: str, purpose: str) -> ModuleType:
    """Import a module of an optional package.

    Raises:
        MissingExtra: the package is not installed; the message names the extra that brings it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != package:
            raise
        raise MissingExtra(
            f'{purpose} needs {package}, which is not installed. Run: pip install "keras-lr[{extra}]"', name=error.name
        ) from error
