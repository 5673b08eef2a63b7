"""Picks the training step of an attached model on the backend that Keras runs on.

Each backend file offers the same verbs:

`train_step(model, give, *arguments)`: Keras' training step, in which `give(handed)` is a context around the update.
`refuse(model)`: raise a ValueError where this backend's `fit` would not run `train_step` as written.
"""

from keras_lr._backends.choice import module_of

backend = module_of("attached_step")

train_step = backend.train_step
refuse = backend.refuse
