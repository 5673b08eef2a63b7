"""Measures what `range_test_study.py` scores: the curves of sweeps, and what training at each rate gives. JAX only."""

from collections.abc import Callable, Iterator
from functools import partial

import keras
import numpy as np
from score import load_runs, trivial_loss
from small_tasks import LION_AND_MUON, OPTIMIZERS, TASKS, SmallTask
from workload import Data, Feed, Workload, batch_order, evaluate
from workloads import WORKLOADS

from keras_lr import schedules
from keras_lr.finder import range_test
from keras_lr.finder._ladder import PROBE_STEPS, centre
from keras_lr.finder._range_test import DECADES_ABOVE, DECADES_BELOW

Found = Iterator[tuple[str, np.ndarray]]
Unit = tuple[str, Callable[[], Found]]  # what can be measured by itself: how its keys begin, and how
GRID = 10.0 ** (-5 + np.arange(27) / 4)
SWEEP = np.geomspace(1e-6, 100.0, 100)  # the sweep that other libraries' rules see
STEPS, BATCH, SEEDS, SWEEPS = 500, 32, range(5), 2
USES = ("constant", "schedule")
WORKLOAD_OPTIMIZERS: dict[str, Callable[..., keras.optimizers.Optimizer]] = {
    "sgd": lambda rate=0.01: keras.optimizers.SGD(rate, momentum=0.9, nesterov=True),
    "adam": lambda rate=0.001: keras.optimizers.Adam(rate),
}


def own_sweep(moving_rate: float) -> np.ndarray:
    """The rates of `range_test`'s default sweep."""
    return np.geomspace(moving_rate / 10**DECADES_BELOW, moving_rate * 10**DECADES_ABOVE, len(SWEEP))


# --- small tasks: one compiled program trains with all rates at once


def shape(use: str, steps: int) -> np.ndarray:
    """The factor of the rate at each step: 1, or 5 % of warm-up and a linear decay to zero."""
    step, warmup = np.arange(steps), steps // 20
    return np.ones(steps) if use == "constant" else np.minimum((step + 1) / warmup, (steps - step) / (steps - warmup))


def trainer(task: SmallTask, optimizer: keras.optimizers.Optimizer) -> tuple[Callable, Callable, int]:
    """Return a program `(weights, rates, rows) -> (losses, final loss of all data, movement)`, and that loss alone."""
    import jax
    from jax import numpy as jnp

    x, y = (jnp.asarray(part) for part in task.load())
    model, loss = task.build(), task.loss()
    optimizer.build(model.trainable_variables)
    index = next(i for i, v in enumerate(optimizer.variables) if v is optimizer._learning_rate)

    def of_rows(weights, x, y):
        return loss(y, model.stateless_call(weights, [], x)[0])

    def length(weights):
        return jnp.sqrt(sum(jnp.sum(w**2) for w in weights))

    def train(start, rates, rows):
        def step(state, inputs):
            weights, slots = state
            rate, batch = inputs
            slots[index] = rate
            value, gradients = jax.value_and_grad(of_rows)(weights, x[batch], y[batch])
            weights, slots = optimizer.stateless_apply(slots, gradients, weights)
            return (list(weights), list(slots)), value

        (weights, _), losses = jax.lax.scan(step, (start, [v.value for v in optimizer.variables]), (rates, rows))
        moved = length([w - s for w, s in zip(weights, start, strict=True)]) / length(start)
        return losses, of_rows(weights, x, y), moved

    return jax.jit(jax.vmap(train, (None, 0, 0))), jax.jit(lambda weights: of_rows(weights, x, y)), len(x)


def measure_task(task: SmallTask, name: str) -> Found:
    train, loss, rows = trainer(task, (OPTIMIZERS | LION_AND_MUON)[name]())
    for seed in SEEDS:
        keras.utils.set_random_seed(seed)
        weights = [v.value for v in task.build().trainable_variables]
        key = f"{task.name}/{name}/{seed}"
        yield f"{key}/untrained", loss(weights)
        batches = np.repeat(batch_order(rows, BATCH, STEPS, seed)[None], len(GRID), 0)
        for use in USES:
            yield f"{key}/{use}", train(weights, np.float32(GRID[:, None] * shape(use, STEPS)), batches)[1]
        yield from task_sweeps(train, weights, rows, key, seed)


def task_sweeps(train: Callable, weights: list, rows: int, key: str, seed: int) -> Found:
    probe = batch_order(rows, BATCH, PROBE_STEPS, 4000 + seed)[None]
    moving_rate = centre(lambda rate: float(train(weights, np.full((1, PROBE_STEPS), rate, np.float32), probe)[2][0]))
    orders = np.stack([batch_order(rows, BATCH, len(SWEEP), 5000 + 100 * seed + i) for i in range(SWEEPS)])
    yield f"{key}/moving_rate", np.asarray(moving_rate)
    yield f"{key}/rates", own_sweep(moving_rate)
    for kind, rates in (("wide", SWEEP), ("sweeps", own_sweep(moving_rate))):
        yield f"{key}/{kind}", train(weights, np.repeat(np.float32(rates)[None], SWEEPS, 0), orders)[0]


# --- workloads: the truth is baseline.csv, and the rates halfway between its best one and the neighbours


def measure_workload(workload: Workload, name: str) -> Found:
    data = workload.load()
    yield f"{workload.name}/untrained", np.asarray(trivial_loss(workload, data))
    yield from workload_sweeps(workload, data, name, WORKLOAD_OPTIMIZERS[name]())
    for use in USES:
        rates = rates_between(workload.name, name, use)
        losses = [np.mean([train(workload, data, name, use, rate, seed) for seed in (0, 1)]) for rate in rates]
        yield f"{workload.name}/{name}/{use}/rates", np.array(rates)
        yield f"{workload.name}/{name}/{use}/losses", np.array(losses)


def workload_sweeps(workload: Workload, data: Data, name: str, optimizer: keras.optimizers.Optimizer) -> Found:
    x = list(data.x) if isinstance(data.x, tuple) else data.x
    model = workload.build()
    model.compile(optimizer, loss=workload.loss())
    for seed in (0, 1):
        keras.utils.set_random_seed(seed)
        model.set_weights(workload.build().get_weights())
        arguments = {"batch_size": workload.batch_size, "sweeps": SWEEPS, "seed": 10 * seed}
        own = range_test(model, x, data.y, **arguments)
        wide = range_test(model, x, data.y, low=SWEEP[0], high=SWEEP[-1], **arguments)
        key = f"{workload.name}/{name}/{seed}"
        yield f"{key}/moving_rate", np.asarray(own.moving_rate)
        yield f"{key}/rates", own.rates
        yield f"{key}/sweeps", own.sweeps
        yield f"{key}/wide", wide.sweeps


def rates_between(workload: str, name: str, use: str) -> list[float]:
    """The rates halfway from the best of the grid to its neighbours; none where the loss does not depend on it."""
    if workload == "co2_deep_linear":
        return []
    kept = {"constant": "constant", "schedule": "cosine"}[use]
    losses: dict[float, list[float]] = {}
    for run in load_runs():
        if (run.workload, run.optimizer, run.schedule) == (workload, name, kept):
            losses.setdefault(run.learning_rate, []).append(run.loss)
    rates = sorted(losses)
    best = min(range(len(rates)), key=lambda i: float(np.mean(losses[rates[i]])))
    above = (rates[best] * rates[best + 1]) ** 0.5 if best + 1 < len(rates) else rates[best] * 10 ** (1 / 3)
    return [(rates[best - 1] * rates[best]) ** 0.5, above]


def train(workload: Workload, data: Data, name: str, use: str, rate: float, seed: int) -> float:
    """Return the validation loss of a run as those of the baseline are."""
    steps = workload.steps
    warmup = round(steps / 20)
    shape = schedules.WSD(rate, steps, warmup_steps=warmup, decay_steps=steps - warmup, shape=schedules.shapes.Cosine())
    keras.utils.set_random_seed(seed)
    model = workload.build()
    model.compile(WORKLOAD_OPTIMIZERS[name](rate if use == "constant" else shape), workload.loss())
    model.fit(Feed(data, workload.batch_size, steps, seed), shuffle=False, verbose=0)
    return evaluate(model, workload, data)[0]


def units() -> Iterator[Unit]:
    """All small tasks and workloads with all their optimizers."""
    for task in TASKS:
        for name in OPTIMIZERS | LION_AND_MUON:
            yield f"{task.name}/{name}/", partial(measure_task, task, name)
    for workload in WORKLOADS.values():
        for name in WORKLOAD_OPTIMIZERS:
            yield f"{workload.name}/{name}/", partial(measure_workload, workload, name)
