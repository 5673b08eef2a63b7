"""Memory of gradients where the framework itself keeps what a step gives back."""

from keras_lr._backends.lists import write as overwrite

__all__ = ["overwrite", "pays"]


def pays(weights: int) -> bool:
    """See `memory`: to copy the gradients into variables costs more than fresh memory."""
    return False
