"""Picks the `TrainingSteps` of the backend that Keras runs on."""

import keras

if keras.backend.backend() == "jax":
    from keras_lr._backends.steps_jax import TrainingSteps as TrainingSteps
elif keras.backend.backend() == "tensorflow":
    from keras_lr._backends.steps_tensorflow import TrainingSteps as TrainingSteps
elif keras.backend.backend() == "torch":
    from keras_lr._backends.steps_torch import TrainingSteps as TrainingSteps
else:
    raise ImportError(
        f"keras_lr trains on the jax, tensorflow and torch backends; Keras runs on "
        f"{keras.backend.backend()!r}. Set KERAS_BACKEND before the first import of keras."
    )
