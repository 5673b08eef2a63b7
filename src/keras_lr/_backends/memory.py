"""Memory that one step hands to the next.

`pays(weights)`: whether a step of a model of so many weights is faster if its gradients take memory that is kept.
`overwrite(variables, values)`: assign values to variables whose present value nobody needs: their memory takes them.
"""

import keras

if keras.backend.backend() == "jax":
    from keras_lr._backends.jax.memory import overwrite as overwrite
    from keras_lr._backends.jax.memory import pays as pays
else:
    from keras_lr._backends.in_place.memory import overwrite as overwrite
    from keras_lr._backends.in_place.memory import pays as pays
