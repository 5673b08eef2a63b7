"""Gradients made whole: of an embedding TensorFlow hands on rows that were looked up, of a batch each replica its part.

Keras scales, clips and accumulates what it gets, row by row and part by part, and adds up afterwards: rows that occur
twice in a batch and replicas then have norms of their own.
"""

from collections.abc import Sequence
from typing import Any

import keras

from keras_lr._backends import lists
from keras_lr.optimizers._refusals import refuse


def whole(optimizer: keras.optimizers.Optimizer, gradients: Sequence[Any], variables: list[Any]) -> list[Any]:
    """Return dense gradients, summed over the replicas of ``tf.distribute``; None stays None."""
    gradients = lists.dense(gradients, variables)
    if keras.backend.backend() != "tensorflow":
        return gradients
    pairs = [(g, v) for g, v in zip(gradients, variables, strict=True) if g is not None]
    summed = iter(optimizer._all_reduce_sum_gradients(pairs))
    return [None if g is None else next(summed)[0] for g in gradients]


def refuse_accumulation_on_replicas(optimizer: keras.optimizers.Optimizer) -> None:
    """Refuse what TensorFlow cannot do."""
    strategy = getattr(optimizer, "_distribution_strategy", None)
    if optimizer.gradient_accumulation_steps and strategy is not None and strategy.num_replicas_in_sync > 1:
        reason = f"as the replicas of {type(strategy).__name__} cannot meet inside the condition that it needs"
        name, steps = "gradient_accumulation_steps", optimizer.gradient_accumulation_steps
        refuse(type(optimizer).__name__, name, steps, reason, "Use larger batches instead.")
