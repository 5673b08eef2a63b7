"""On JAX the words `lists.after` and `lists.once_known` keep XLA from copying weights and slots in a compiled step."""

import re

import keras
import numpy as np
import pytest
from keras import ops

from keras_lr import optimizers
from keras_lr._backends import lists

SHAPE = (384, 256)  # no other tensor of the step has it

pytestmark = pytest.mark.skipif(keras.backend.backend() != "jax", reason="XLA's affair, and JAX shows its program")


def copies(make):
    """Count the copies of an array of the shape of the weights in the compiled step."""
    import jax

    variables = [keras.Variable(np.ones(SHAPE, "float32"), name=f"v{i}") for i in range(2)]
    optimizer = make()
    optimizer.build(variables)

    def step(weights, state, x):
        def loss(w):
            return ops.sum(ops.tanh(x @ ops.transpose(w[0])) @ w[1])

        return optimizer.stateless_apply(state, jax.grad(loss)(weights), weights)

    arguments = [v.value for v in variables], [v.value for v in optimizer.variables], ops.ones(SHAPE)
    program = jax.jit(step, donate_argnums=(0, 1)).lower(*arguments).compile().as_text()
    return len(re.findall(rf"f32\[{SHAPE[0]},{SHAPE[1]}\]\S* copy\(", program))


@pytest.mark.parametrize("name", ["AdGD", "BarzilaiBorwein", "DAdaptAdaGrad", "DoG", "ScheduleFreeSGD"])
def test_fewer_arrays_are_copied_than_without_the_words(name, monkeypatch):
    made = getattr(optimizers, name)
    seen = copies(made)
    monkeypatch.setattr(lists, "after", lambda number, a: number)
    monkeypatch.setattr(lists, "once_known", lambda number, *kept: kept)
    assert seen < copies(made)


@pytest.mark.parametrize("name", ["DAdaptAdam", "GradientOnly", "HypergradientSGD"])
def test_a_step_copies_no_array(name):
    assert copies(getattr(optimizers, name)) == 0
