"""The last thing a step does: move the weights along a direction.

One verb. ``move_`` gives the new weights from those that the variables hold; the variables may hold them already.
"""

import keras

if keras.backend.backend() == "tensorflow":
    from keras_lr._backends.tensorflow.moves import move_ as move_
else:
    from keras_lr._backends.ops.moves import move_ as move_
