"""The backend's own random generators, which Keras does not keep.

`undrawn()`: a context that leaves them where they were, whatever layers draw inside.
`replay(draws)`: a context in which layers draw again what they drew after the state `draws`; None changes nothing.

On JAX and TensorFlow the seeds of dropout are variables of the model, so there is nothing to do. On PyTorch dropout
draws from a generator of the process, whose state decides the masks of the next training step.
"""

import contextlib
from collections.abc import Callable
from typing import Any

import keras

undrawn: Callable[[], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext
replay: Callable[[Any], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext

if keras.backend.backend() == "torch":
    from keras_lr._backends.torch import draws

    undrawn, replay = draws.undrawn, draws.replay
