"""Where the scalars of a search live: on the device in a compiled step, on the host where every step is eager.

Six verbs here: ``unpack`` gives the entries of vectors as scalars, ``pack`` makes a vector of scalars, ``at_once``
computes scalars of scalars, on JAX in one kernel, ``either`` is a conditional for what is cheap enough to be computed
in vain, ``seldom`` one for a sum over so many numbers that is rarely due, and ``inner`` is an inner product over all
variables, to be unpacked. ``choose``, which computes one of the two, and the arithmetic are in `line_search._scalars`.
"""

import keras

from keras_lr.line_search._scalars import choose as choose

if keras.backend.backend() == "torch":
    from keras_lr._backends.ops.search_scalars import seldom as seldom
    from keras_lr._backends.torch.search_scalars import at_once as at_once
    from keras_lr._backends.torch.search_scalars import either as either
    from keras_lr._backends.torch.search_scalars import inner as inner
    from keras_lr._backends.torch.search_scalars import pack as pack
    from keras_lr._backends.torch.search_scalars import unpack as unpack
elif keras.backend.backend() == "jax":
    from keras_lr._backends.jax.search_scalars import at_once as at_once
    from keras_lr._backends.jax.search_scalars import pack as pack
    from keras_lr._backends.ops.search_scalars import either as either
    from keras_lr._backends.ops.search_scalars import inner as inner
    from keras_lr._backends.ops.search_scalars import seldom as seldom
    from keras_lr._backends.ops.search_scalars import unpack as unpack
else:
    from keras_lr._backends.ops.search_scalars import at_once as at_once
    from keras_lr._backends.ops.search_scalars import pack as pack
    from keras_lr._backends.ops.search_scalars import unpack as unpack
    from keras_lr._backends.tensorflow.search_scalars import either as either
    from keras_lr._backends.tensorflow.search_scalars import inner as inner
    from keras_lr._backends.tensorflow.search_scalars import seldom as seldom
