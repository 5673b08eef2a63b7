"""Two inner products over all variables at once: how a search measures its slope and the gradient.

One verb. ``products`` gives ⟨a, b⟩ and ⟨a, a⟩, to be unpacked.
"""

import keras

if keras.backend.backend() == "jax":
    from keras_lr._backends.jax.products import products as products
elif keras.backend.backend() == "tensorflow":
    from keras_lr._backends.tensorflow.products import products as products
else:
    from keras_lr._backends.ops.products import products as products
