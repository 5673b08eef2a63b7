"""The last thing a step does: move the weights along a direction.

One verb. ``move_`` gives the new weights from those that the variables hold; the variables may hold them already:
``MOVES_VARIABLES`` says whether a backend adds into each variable itself, so that joined ones would have to be parted.
"""

from typing import Any

import keras

from keras_lr._backends import lists

MOVES_VARIABLES = keras.backend.backend() == "tensorflow"

if MOVES_VARIABLES:
    from keras_lr._backends.tensorflow.moves import move_ as move_
else:

    def move_(variables: list[Any], x: list[Any], u: list[Any], step: Any) -> list[Any]:
        """Return x + step · u, x being what the variables hold."""
        return lists.add_(x, u, step)
