"""A script that hands over its problem by one function, `task()`."""

import dataclasses
import importlib.util
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from keras_lr.cli._refusal import Refusal
from keras_lr.task import Task

Script = Annotated[
    Path,
    typer.Argument(metavar="SCRIPT", help="A Python script that defines task(), which returns a keras_lr.Task."),
]
Epochs = Annotated[int | None, typer.Option(min=1, help="How long a training is, in place of the task's own epochs.")]

_HOW = """A script hands over its problem by one function:

    import keras_lr

    def task():
        return keras_lr.Task(build=build_model, x=x_train, y=y_train, batch_size=128, epochs=10)

where build_model() returns a compiled model."""


def task_of(script: Path, epochs: int | None) -> Task:
    """Run a script and return what its `task()` returns.

    Raises:
        Refusal: there is no such script, a module of its name is in use, there is no such function in it, or it
            returned something else.
    """
    if not script.is_file():
        raise Refusal(f"there is no file {str(script)!r}.\n\n{_HOW}")
    if script.suffix != ".py":
        raise Refusal(f"{str(script)!r} is not a Python script: its name does not end in '.py'.\n\n{_HOW}")
    task_function = getattr(_run(script), "task", None)
    if not callable(task_function):
        raise Refusal(f"{str(script)!r} defines no function task().\n\n{_HOW}")
    task = task_function()
    if not isinstance(task, Task):
        raise Refusal(f"task() in {str(script)!r} returned {type(task).__name__}, not a keras_lr.Task.\n\n{_HOW}")
    return task if epochs is None else dataclasses.replace(task, epochs=epochs)


def methods_of(script: Path) -> dict[str, Any] | None:
    """Return what `methods()` of a script that `task_of` has run returns; None where it defines no such function.

    Raises:
        Refusal: it returned something else than a mapping.
    """
    methods_function = getattr(sys.modules[script.stem], "methods", None)
    if not callable(methods_function):
        return None
    methods = methods_function()
    if not isinstance(methods, dict):
        raise Refusal(
            f"methods() in {str(script)!r} returned {type(methods).__name__}, not a dictionary such as "
            "{'Adam 1e-3': 1e-3, 'keras-lr': keras_lr.fit}."
        )
    return methods


def _run(script: Path) -> object:
    """Run a script as a module of its own name, beside its neighbours, as `python SCRIPT` would find them."""
    namesake = sys.modules.get(script.stem)
    if namesake is not None and Path(getattr(namesake, "__file__", None) or "").resolve() != script.resolve():
        raise Refusal(f"{str(script)!r} has the name of a module that is in use; rename the script.")
    spec = importlib.util.spec_from_file_location(script.stem, script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(script.resolve().parent))
    sys.modules[script.stem] = module  # classes that the script defines are looked up here by name
    spec.loader.exec_module(module)
    return module
