"""Every example in a docstring does what it says, on the backend at hand."""

import doctest
import importlib
import pkgutil

import keras
import pytest

import keras_lr

pytestmark = pytest.mark.above_backends

OTHER_BACKENDS = {"jax", "tensorflow", "torch"} - {keras.backend.backend()}


def modules_with_examples() -> list[str]:
    names = [module.name for module in pkgutil.walk_packages(keras_lr.__path__, "keras_lr.")]
    return [
        name for name in ["keras_lr", *names] if name.rpartition("_")[2] not in OTHER_BACKENDS and has_example(name)
    ]


def has_example(name: str) -> bool:
    spec = importlib.util.find_spec(name)
    with open(spec.origin, encoding="utf-8") as file:
        return ">>> " in file.read()


@pytest.mark.parametrize("name", modules_with_examples())
def test_the_examples_of_a_module_hold(name):
    module = importlib.import_module(name)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    said: list[str] = []
    for example in doctest.DocTestFinder(exclude_empty=True).find(module, module=module):
        runner.run(example, out=said.append)
    assert runner.failures == 0, "".join(said)
    assert runner.tries > 0
