"""The step as updates of the weights, also where Keras counts batches.

With ``gradient_accumulation_steps=k`` Keras hands a schedule its counter of batches (``optimizer._iterations``), so a
schedule would end k times early. It hands over nothing else, and neither compiling, assigning nor `fit` tells a
schedule whose it is; so the one object that certainly knows is asked: the optimizer that is calling. It is looked for
one call up and recognised by its counter. On JAX and TensorFlow that happens once, while the step is compiled.
"""

import sys
from typing import Any

import keras


def asking_optimizer(step: Any) -> keras.optimizers.Optimizer | None:
    """Return the optimizer whose counter the step is and that is calling; None for any other step.

    To be called by the method that the optimizer calls.
    """
    if not isinstance(step, keras.Variable):
        return None
    caller = sys._getframe(2).f_locals.get("self")
    return caller if getattr(caller, "_iterations", None) is step else None


def updates(step: Any, optimizer: keras.optimizers.Optimizer | None) -> Any:
    """Return the counter of the optimizer in updates of the weights; without one the step as it is, as a tensor."""
    counter = keras.ops.convert_to_tensor(step)
    accumulation = None if optimizer is None else optimizer.gradient_accumulation_steps
    return counter // accumulation if accumulation else counter
