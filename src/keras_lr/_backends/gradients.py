"""Picks the derivatives of the backend that Keras runs on.

Each backend file offers the same verbs:

`loss_and_gradient(loss, values)`: the loss and its gradient, for `loss(values) -> scalar`.
`forward_derivative(function, values, direction)`: `function(values)` and its directional derivative.
`hessian_vector(loss, values, vectors)`: the Hessian at `values` times `vectors`.
"""

from keras_lr._backends.choice import module_of

backend = module_of("gradients")

loss_and_gradient = backend.loss_and_gradient
forward_derivative = backend.forward_derivative
hessian_vector = backend.hessian_vector
