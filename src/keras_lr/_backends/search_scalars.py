"""Where the scalars of a search live: on the device in a compiled step, on the host where every step is eager.

Six verbs here: ``unpack`` gives the entries of vectors as scalars, ``pack`` makes a vector of scalars, ``at_once``
computes scalars of scalars, on JAX in one kernel, ``inner`` is an inner product over all variables, to be unpacked, and
``either`` and ``seldom`` are conditionals. The arithmetic on scalars is in `line_search._scalars`, with two more
conditionals. The four of them:

``where(condition, a, b)``: one of two scalars that are there.
``choose(condition, yes, no)``: runs one of two functions; in a compiled step that is a conditional of the framework.
``either(condition, yes, no)``: runs both, where a conditional would cost more than to compute in vain.
``seldom(condition, numbers, yes, no)``: as either of these two, for a sum over so many numbers that is rarely due.
"""

import keras

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
