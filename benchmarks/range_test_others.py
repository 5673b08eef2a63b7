"""Measures the range test on `other_workloads` and `unseen_workloads`: sweeps, and what each rate gives. JAX.

Three optimizers, two seeds. The truth: a whole run at each rate of a ladder of half decades and at the two rates
halfway from its best to the neighbours, constant and with 5 % warm-up and linear decay, judged by the mean validation
loss of both seeds. The rates of a ladder are trained by one compiled program.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import keras
import numpy as np
from other_workloads import OTHER_WORKLOADS
from range_test_measure import USES, Found, Unit, shape, workload_sweeps
from score import trivial_loss
from small_tasks import OPTIMIZERS
from unseen_workloads import UNSEEN_WORKLOADS
from workload import Data, Workload, batch_order

LADDER = 10.0 ** np.arange(-5, 2, 0.5)
SEEDS = (0, 1)
ONE_BY_ONE = (
    "omniglot_dropout",
    "digits_fine_tuned",
    "alphabets_groupnorm",
)  # convolutions inside a compiled loop are slow


def trainer(workload: Workload, data: Data, model: keras.Model, optimizer: keras.optimizers.Optimizer) -> Callable:
    """Return `(weights, states, rates (rates, steps), rows (steps, batch)) -> validation losses (rates,)`."""
    import jax
    from jax import numpy as jnp

    loss = workload.loss()
    optimizer.build(model.trainable_variables)
    slots = [jnp.asarray(v.value) for v in optimizer.variables]
    index = next(i for i, v in enumerate(optimizer.variables) if v is optimizer._learning_rate)
    x, y, x_held_out, y_held_out = (jnp.asarray(p) for p in (data.x, data.y, data.x_validation, data.y_validation))

    def of_batch(weights: Any, states: Any, x: Any, y: Any) -> Any:
        outputs, states = model.stateless_call(weights, states, x, training=True)
        return loss(y, outputs), states

    def step(state: Any, rate: Any, x: Any, y: Any) -> Any:
        weights, states, slots = state
        slots = [*slots[:index], rate, *slots[index + 1 :]]
        (_, states), gradients = jax.value_and_grad(of_batch, has_aux=True)(weights, states, x, y)
        weights, slots = optimizer.stateless_apply(slots, gradients, weights)
        return list(weights), list(states), list(slots)

    def final(state: Any) -> Any:
        return loss(y_held_out, model.stateless_call(state[0], state[1], x_held_out, training=False)[0])

    @jax.jit
    def side_by_side(state: Any, rates: Any, rows: Any, x: Any, y: Any) -> Any:
        def one(rates: Any) -> Any:
            def next_step(state: Any, inputs: Any) -> Any:
                return step(state, inputs[0], x[inputs[1]], y[inputs[1]]), None

            return final(jax.lax.scan(next_step, state, (rates, rows))[0])

        return jax.vmap(one)(rates)

    next_step = jax.jit(step)

    def one_by_one(state: Any, rates: Any, rows: Any, x: Any, y: Any) -> Any:
        found = []
        for of_run in rates:
            run = state
            for rate, batch in zip(of_run, rows, strict=True):
                run = next_step(run, rate, x[batch], y[batch])
            found.append(float(final(run)))
        return found

    run = one_by_one if workload.name in ONE_BY_ONE else side_by_side
    return lambda weights, states, rates, rows: np.asarray(run((weights, states, slots), rates, rows, x, y))


def truth(workload: Workload, data: Data, name: str) -> Found:
    model = workload.build()
    train = trainer(workload, data, model, OPTIMIZERS[name]())

    def losses(rates: np.ndarray, use: str) -> np.ndarray:
        found = []
        for seed in SEEDS:
            keras.utils.set_random_seed(seed)
            fresh = workload.build()
            start = [v.value for v in fresh.trainable_variables], [v.value for v in fresh.non_trainable_variables]
            rows = batch_order(len(data.y), workload.batch_size, workload.steps, seed)
            found.append(train(*start, np.float32(rates[:, None] * shape(use, workload.steps)), rows))
        return np.mean(found, 0)

    for use in USES:
        ladder = losses(LADDER, use)
        best = LADDER[np.argmin(np.where(np.isfinite(ladder), ladder, np.inf))]
        between = best * 10 ** np.array([-0.25, 0.25])
        yield f"{workload.name}/{name}/{use}/rates", np.concatenate([LADDER, between])
        yield f"{workload.name}/{name}/{use}/losses", np.concatenate([ladder, losses(between, use)])


def measure_other(workload: Workload, name: str) -> Found:
    data = workload.load()
    yield f"{workload.name}/untrained", np.asarray(trivial_loss(workload, data))
    yield from workload_sweeps(workload, data, name, OPTIMIZERS[name]())
    yield from truth(workload, data, name)


def units() -> Iterator[Unit]:
    """All other and unseen workloads with all optimizers."""
    for workload in (OTHER_WORKLOADS | UNSEEN_WORKLOADS).values():
        for name in OPTIMIZERS:
            yield f"{workload.name}/{name}/", partial(measure_other, workload, name)
