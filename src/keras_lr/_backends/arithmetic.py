"""Double precision inside the compiled step.

A float32 counter loses integers beyond 2^24, and a formula such as ``exp(-d * n)`` loses digits long before. A rate is
one number a step, so it is computed in float64 on every backend and rounded once, at the end. Each backend file offers
one verb, ``evaluate(formula, step, dtype)``: the value of ``formula(step, namespace)``, where ``namespace`` has NumPy's
names (``where``, ``exp``, ``log``, ``log1p``, ``sqrt``, ``cos``, ``sin``, ``tanh``, ``floor``, ``minimum``,
``maximum``, ``take``, ``asarray``). `keras.ops` cannot serve here: on JAX its ``cos``, ``sin``, ``tanh`` and
``floor`` return float32 for float64, on PyTorch its ``minimum`` and ``maximum`` do so for a Python number.
"""

import keras

match keras.backend.backend():
    case "jax":
        from .arithmetic_jax import evaluate as evaluate
    case "tensorflow":
        from .arithmetic_tensorflow import evaluate as evaluate
    case "torch":
        from .arithmetic_torch import evaluate as evaluate
    case other:
        raise ImportError(f"keras_lr runs on the backends jax, tensorflow and torch. Received: {other!r}.")
