"""The forward pass of a training step once more, after it and with the same data, at other weights.

Two verbs. ``forward_again`` returns the prediction of a model in training, ``loss_again`` the loss of a prediction.
"""

from typing import Any

import keras

if keras.backend.backend() == "torch":
    from keras_lr._backends.torch.forward_again import forward_again as forward_again
    from keras_lr._backends.torch.forward_again import loss_again as loss_again
else:

    def forward_again(model: keras.Model, x: Any) -> Any:
        """Return what the model predicts in training."""
        return model(x, training=True) if model._call_has_training_arg else model(x)

    def loss_again(model: keras.Model, x: Any, y: Any, y_pred: Any, sample_weight: Any) -> Any:
        """Return the loss that the model minimises."""
        return model._compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=True)
