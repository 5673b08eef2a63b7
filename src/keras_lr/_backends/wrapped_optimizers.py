"""Optimizers inside optimizers: Keras' `LossScaleOptimizer`, our `PerLayer` and `Scheduled`, and `MultiOptimizer`."""

from collections.abc import Iterator

import keras


def innermost(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """Return the optimizer inside all wrappers."""
    *_, last = wrappers_and_core(optimizer)
    return last


def wrappers_and_core(optimizer: keras.optimizers.Optimizer) -> Iterator[keras.optimizers.Optimizer]:
    """Yield an optimizer, the one inside it, and so on to the innermost."""
    yield optimizer
    while hasattr(optimizer, "inner_optimizer"):
        optimizer = optimizer.inner_optimizer
        yield optimizer


def accumulated_batches(optimizer: keras.optimizers.Optimizer) -> int:
    """Return how many batches make one update of the weights; only the innermost optimizer knows."""
    return int(innermost(optimizer).gradient_accumulation_steps or 1)


def skips_overflows(optimizer: keras.optimizers.Optimizer) -> bool:
    """Return whether a step whose gradients overflow is left out, and the loss scaled down for the next."""
    return any(isinstance(one, keras.optimizers.LossScaleOptimizer) for one in wrappers_and_core(optimizer))


def optimizers_in(optimizer: keras.optimizers.Optimizer) -> Iterator[keras.optimizers.Optimizer]:
    """Yield the optimizers inside all wrappers: mostly one, several with `MultiOptimizer`."""
    core = innermost(optimizer)
    if hasattr(core, "optimizers"):
        for part in core.optimizers:
            yield from optimizers_in(part)
    else:
        yield core
