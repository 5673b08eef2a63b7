"""The velocity of momentum, which holds the rate that it was built at."""

from collections.abc import Sequence

import keras


def velocity(optimizer: keras.optimizers.Optimizer) -> Sequence[keras.Variable]:
    """Return the velocity of Keras' SGD and RMSprop with momentum; of any other optimizer, nothing.

    Theirs is a sum of steps, the rate included: `v <- m v - eta g`, `w <- w + v`. After a return to a lower rate it
    would go on moving the weights `1 / (1 - m)` times as far as the last step at the rate that failed, whatever the
    rate is now. The momentum of Adam and its kin is a mean of gradients.
    """
    if not getattr(optimizer, "momentum", 0):
        return ()
    kept: Sequence[keras.Variable] = vars(optimizer).get("momentums") or vars(optimizer).get("_momentums") or ()
    return kept
