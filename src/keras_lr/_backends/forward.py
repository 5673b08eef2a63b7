"""The forward pass of a trial, and the loss of a training step.

`forward_again(model, x)`: what the model predicts in training, after a forward pass with the same data.
`loss_of(model, x, y, y_pred, sample_weight)`: the loss that it minimises, as `model.compute_loss` defines it.
"""

from typing import Any

import keras

if keras.backend.backend() == "torch":
    from keras_lr._backends.torch.forward import forward_again as forward_again
    from keras_lr._backends.torch.forward import loss_of as loss_of
else:

    def forward_again(model: keras.Model, x: Any) -> Any:
        """Return what the model predicts in training."""
        return model(x, training=True) if model._call_has_training_arg else model(x)

    def loss_of(model: keras.Model, x: Any, y: Any, y_pred: Any, sample_weight: Any) -> Any:
        """Return the loss that the model minimises."""
        return model._compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=True)
