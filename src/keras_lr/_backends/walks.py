"""Picks how weights walk along a direction.

Each backend file offers the same verbs:

`walk(batch, variables, direction, scale, first, go)`: see `Batch.walk`.
`leap(variables, direction, alpha, go)`: move the weights by `alpha * direction` without looking, where `go` holds.
`steer(proposed, gradient, factor, astray)`: `factor * gradient` where the proposed direction went astray, else that.
"""

from keras_lr._backends.choice import module_of

backend = module_of("walks")

walk = backend.walk
leap = backend.leap
steer = backend.steer
