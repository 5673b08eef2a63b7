"""A gradient over the root of a mean or a sum of its squares: what RMSprop, Adagrad and Adam have in common.

One verb. ``over_root_`` gives the new second moment v and the direction u; the memory of the old ones may be reused.
"""

import keras

if keras.backend.backend() == "torch":
    from keras_lr._backends.torch.second_moment import over_root_ as over_root_
else:
    from keras_lr._backends.ops.second_moment import over_root_ as over_root_
