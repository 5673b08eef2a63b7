"""Picks how a step of a running `fit` is looked at.

`watched(model, train_function, wanted, seen)`: the train function of a model, where each step for which `wanted(made)`
is true is followed by `seen(batch, before, weights)`: the batch that was trained on, the `Parts` before the step, and
the trainable weights after it; `made()` waits for how many steps the optimizer has counted. The step is the same.
Where the optimizer did not count one more step, because a guard went back or an overflow was skipped, nothing is seen.
"""

from collections.abc import Callable
from typing import Any

from keras_lr._backends.choice import module_of

watched: Callable[..., Callable[..., Any]] = module_of("watched").watched
