"""Memory that one step hands to the next.

`pays(weights)`: whether a step of a model of so many weights is faster if its gradients take memory that is kept.
`overwrite(variables, values)`: assign values to variables whose present value nobody needs: their memory takes them.

It pays on JAX alone, and `jax/memory.py` says why. Elsewhere the framework itself keeps what a step gives back.
"""

import keras

from keras_lr._backends import lists

if keras.backend.backend() == "jax":
    from keras_lr._backends.jax.memory import overwrite as overwrite
    from keras_lr._backends.jax.memory import pays as pays
else:
    overwrite = lists.write

    def pays(weights: int) -> bool:
        """Say that it does not: to copy the gradients into variables costs more than fresh memory."""
        return False
