"""Picks the derivatives and the attached training step of the backend that Keras runs on.

Each backend file offers the same verbs:

`loss_and_gradient(loss, values)`: the loss and its gradient, for `loss(values) -> scalar`.
`forward_derivative(function, values, direction)`: `function(values)` and its directional derivative.
`hessian_vector(loss, values, vectors)`: the Hessian at `values` times `vectors`.
`train_step(model, make_batch, *arguments)`: Keras' training step, with a batch handed to the optimizer.
`refuse(model)`: raise a ValueError where this backend's `fit` would not run `train_step` as written.
`replay(draws)`: a context in which layers draw from the backend's own generator what they drew before.
"""

from keras_lr._backends.choice import module_of

backend = module_of("gradients")

loss_and_gradient = backend.loss_and_gradient
forward_derivative = backend.forward_derivative
hessian_vector = backend.hessian_vector
train_step = backend.train_step
refuse = backend.refuse
replay = backend.replay
