"""A small vocabulary of arithmetic on lists of tensors, one tensor a variable, fast on every backend.

An optimizer that is written in these words once runs as one fused program on JAX and TensorFlow and as
grouped in-place kernels on PyTorch, where a Python loop over variables costs 5 to 30 times as much.

Four rules make that possible:

1. A verb that ends in ``_`` *may reuse the memory of its first argument*: rebind the name
   (``x = add_(x, g, -rate)``) and never look at the old list again. Other verbs leave their arguments alone.
2. Reductions give one number a variable, a tensor of shape ``(n,)``. ``ops.sum`` of it is the sum over the
   model; left as it is, it is the same quantity layer by layer.
3. A ``scale`` is a Python number, a tensor of shape ``()``, or one of shape ``(n,)``: a factor a variable.
4. Three words change no number and say *when*: ``computed`` (now, and once), ``after`` (a number is known only after
   some tensors) and ``once_known`` (tensors may be overwritten only after a number is known). They do something on JAX
   alone. Nothing in a compiled step has an order but what depends on something else. Where XLA finds a tensor
   overwritten before its last reader, it copies it; what two kernels need, it computes in both. A copy or a second
   pass over all weights is what a cheap optimizer costs. So each word adds a zero that depends on what is to come
   first. Leave a word out, and the numbers are the same and the step is slower; `tests/optimizers/test_copies.py`
   counts the copies.

The other device of memory, gradients that are stored in variables, is in `memory.py`.
"""

from collections.abc import Iterable
from typing import Any

import keras

if keras.backend.backend() == "torch":
    from keras_lr._backends.torch.lists import *  # noqa: F403
else:
    from keras_lr._backends.ops.lists import *  # noqa: F403

    if keras.backend.backend() == "jax":
        from keras_lr._backends.jax.lists import after as after
        from keras_lr._backends.jax.lists import computed as computed
        from keras_lr._backends.jax.lists import copy_where_ as copy_where_
        from keras_lr._backends.jax.lists import dots_over_root as dots_over_root
        from keras_lr._backends.jax.lists import once_known as once_known
        from keras_lr._backends.jax.lists import parts as parts
        from keras_lr._backends.jax.lists import swap_where_ as swap_where_
        from keras_lr._backends.jax.lists import where_ as where_
    if keras.backend.backend() == "tensorflow":
        from keras_lr._backends.tensorflow.lists import dense as dense


def precision(tensors: Iterable[Any]) -> str:
    """Return what optimizers compute in: float64 where a tensor or variable is, else float32, for halves too."""
    # Keras' `result_type` says float32 of float64.
    return "float64" if any(keras.backend.standardize_dtype(t.dtype) == "float64" for t in tensors) else "float32"


def quotient(numerator: Any, denominator: Any) -> Any:
    """Return numerator / denominator, and 0 where the denominator is 0, as where no gradient has been seen yet."""
    seen = denominator > 0
    return keras.ops.where(seen, numerator / keras.ops.where(seen, denominator, 1.0), 0.0)
