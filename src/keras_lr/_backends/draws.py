"""Forward passes that leave the backend's own random generator where it was.

On JAX and TensorFlow the seeds of dropout are variables of the model; on PyTorch it draws from a generator of the
process, whose state decides the masks of the next training step.
"""

import contextlib

import keras

if keras.backend.backend() == "torch":
    from torch.random import fork_rng as undrawn
else:
    undrawn = contextlib.nullcontext

__all__ = ["undrawn"]
