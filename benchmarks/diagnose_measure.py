"""Measures what `diagnose_on_tasks.py` scores: lanes, single steps, whole runs, and trainings under way. JAX only.

*New*: lanes from untrained weights on one ladder of 13 rates around the best constant one, on all tasks of the range
test's study; nine rates in question share its lanes. *Under way*: the same after 50 or 250 of 500 steps, on the small
tasks, with what continuing at each rate gives. *Runs*: single steps of whole runs at nine constant rates.
"""

import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import keras
import numpy as np
from other_workloads import OTHER_WORKLOADS
from range_test_measure import BATCH, GRID, STEPS, WORKLOAD_OPTIMIZERS, Found, Unit
from range_test_study import FILE, Case, load, other_cases, small_cases, workload_cases
from small_tasks import OPTIMIZERS, TASKS, SmallTask
from unseen_workloads import UNSEEN_WORKLOADS
from workload import batch_order
from workloads import WORKLOADS

from keras_lr._diagnose import LANE_STEPS, Look
from keras_lr.diagnosis import Steps
from keras_lr.diagnosis._signals import reach
from keras_lr.finder import range_test
from keras_lr.finder._ladder import RUNG
from keras_lr.finder._lanes import Lanes
from keras_lr.finder._race import run_race
from keras_lr.training._along_step import AlongStep
from keras_lr.training._borrow import borrowed, prepare
from keras_lr.training._training_data import TrainingData

RUNGS = np.arange(-6, 7)
ASKED = range(2, 11)  # the rungs whose rate is in question: a hundredth to a hundred times the best one
BEFORE, SHARES = (50, 250), (0.1, 1.0)  # steps made already, and their rate over the best one
RUN_RUNGS = np.arange(-4, 5)
RUN_LOOKS = 25
SMALL = {task.name: task for task in TASKS}
LARGE = {**WORKLOADS, **OTHER_WORKLOADS, **UNSEEN_WORKLOADS}
# Whole runs at nine rates are measured where a step is quick.
SLOW = {
    *("mnist_cnn_bn", "clothing_resnet", "shakespeare_lstm", "shakespeare_transformer", "omniglot_dropout"),
    *("digits_fine_tuned", "alphabets_groupnorm", "letters_mixer", "adding_lstm"),
}


def cases() -> Iterator[Case]:
    """Two seeds of every task and optimizer of the range test's study."""
    found = load(FILE)
    every = (
        *small_cases(found),
        *workload_cases(found),
        *other_cases(found),
        *other_cases(found, UNSEEN_WORKLOADS),
    )
    return (case for case in every if case.seed < 2)


def key_of(case: Case) -> str:
    return f"{case.task}/{case.optimizer}/{case.seed}"


def ladder(rate: float, key: str, rungs: np.ndarray) -> np.ndarray:
    """Rates half a decade apart around one that is up to a quarter of a decade beside the given one."""
    beside = np.random.default_rng(zlib.crc32(key.encode())).uniform(-0.25, 0.25)
    return rate * 10**beside * RUNG**rungs


def problem(case: Case) -> tuple[keras.Model, TrainingData, int]:
    """A compiled model with the weights of the case's seed, its data, and the steps of a run."""
    keras.utils.set_random_seed(case.seed)
    if case.task in SMALL:
        task = SMALL[case.task]
        x, y = task.load()
        model, loss, optimizer, batch_size, steps = (
            task.build(),
            task.loss(),
            OPTIMIZERS[case.optimizer](),
            BATCH,
            STEPS,
        )
    else:
        workload = LARGE[case.task]
        data = workload.load()
        x, y = (list(data.x) if isinstance(data.x, tuple) else data.x), data.y
        optimizers = WORKLOAD_OPTIMIZERS if case.task in WORKLOADS else OPTIMIZERS
        model, loss, optimizer = workload.build(), workload.loss(), optimizers[case.optimizer]()
        batch_size, steps = workload.batch_size, workload.steps
    model.compile(optimizer, loss=loss)
    fed = TrainingData(x, y, batch_size=batch_size)
    prepare(model, fed.example())
    return model, fed, steps


def lanes_around(model: keras.Model, data: TrainingData, rates: np.ndarray, seed: int) -> Iterator[tuple[str, Any]]:
    with borrowed(model) as training:
        lanes = Lanes(training, data.batches(training, LANE_STEPS, 7 + seed), 1)
        yield "still", lanes.train(np.zeros(LANE_STEPS))
        along = AlongStep(model)
        losses, reaches = [], []
        for rate in rates:
            look = Look(along, training, 1)
            losses.append(lanes.train(np.full(LANE_STEPS, rate), look.step))
            reaches.append(reach(Steps.of(look.seen)).value)
    yield "rates", rates
    yield "losses", np.stack(losses)
    yield "reach", np.array(reaches)


def measure_new(case: Case) -> Found:
    model, data, steps = problem(case)
    key = f"new/{key_of(case)}"
    race = run_race(model, data, steps, seed=case.seed)
    yield f"{key}/race", np.array([race.learning_rate, race.low, race.high])
    rates = ladder(case.best("constant"), key, RUNGS)
    yield from ((f"{key}/{name}", value) for name, value in lanes_around(model, data, rates, case.seed))


def measure_run(case: Case) -> Found:
    model, data, steps = problem(case)
    key = f"run/{key_of(case)}"
    rates = ladder(case.best("constant"), key, RUN_RUNGS)
    every = steps // RUN_LOOKS
    numbers, losses = np.full((len(rates), RUN_LOOKS, 6), np.nan), np.full((len(rates), RUN_LOOKS), np.nan)
    first = np.full((len(rates), 6), np.nan)
    with borrowed(model) as training:
        batches, start, along = data.batches(training, 10**6, 0), training.copy(), AlongStep(model)
        for i, rate in enumerate(rates):
            training.put(start)
            look, random = Look(along, training, 1), np.random.default_rng(5)
            for step in range(every * RUN_LOOKS):
                batch, last = batches[random.integers(len(batches))], step % every == every - 1
                loss = look.closely(batch, float(rate)) if last or not step else training.step(batch, float(rate))
                if last:
                    losses[i, step // every] = float(loss)
            first[i], numbers[i] = look.seen[0], look.seen[-RUN_LOOKS:]
    yield f"{key}/rates", rates
    yield f"{key}/first", first
    yield f"{key}/looks", numbers
    yield f"{key}/losses", losses


# --- trainings under way: one compiled program continues at all rates at once


def continued(task: SmallTask, model: keras.Model) -> Callable:
    """Return `(weights, slots, rates, rows) -> (weights, slots, loss of all data)`."""
    import jax
    from jax import numpy as jnp

    optimizer, loss = model.optimizer, task.loss()
    x, y = (jnp.asarray(part) for part in task.load())
    index = next(i for i, v in enumerate(optimizer.variables) if v is optimizer._learning_rate)

    def of_rows(weights: Any, x: Any, y: Any) -> Any:
        return loss(y, model.stateless_call(weights, [], x)[0])

    def train(weights: Any, slots: Any, rate: Any, rows: Any) -> Any:
        def step(state: Any, batch: Any) -> Any:
            weights, slots = state
            slots = [*slots[:index], rate, *slots[index + 1 :]]
            gradients = jax.grad(of_rows)(weights, x[batch], y[batch])
            weights, slots = optimizer.stateless_apply(slots, gradients, weights)
            return (list(weights), list(slots)), None

        (weights, slots), _ = jax.lax.scan(step, (weights, slots), rows)
        return weights, slots, of_rows(weights, x, y)

    return train


def measure_under_way(case: Case) -> Found:
    import jax

    task = SMALL[case.task]
    model, data, _ = problem(case)
    train = continued(task, model)
    once, at_all_rates = jax.jit(train), jax.jit(jax.vmap(train, (None, None, 0, None)))
    rows = len(task.load()[0])
    start = [v.value for v in model.trainable_variables], [v.value for v in model.optimizer.variables]
    for before in BEFORE:
        for share in SHARES:
            key = f"way/{key_of(case)}/{before}/{share:g}"
            rate = np.float32(share * case.best("constant"))
            weights, slots, loss = once(*start, rate, batch_order(rows, BATCH, before, case.seed))
            if not np.isfinite(loss):
                continue
            order = batch_order(rows, BATCH, STEPS - before, 99)
            losses = np.asarray(at_all_rates(weights, slots, np.float32(GRID), order)[2])
            for variables, values in ((model.trainable_variables, weights), (model.optimizer.variables, slots)):
                for variable, value in zip(variables, values, strict=True):
                    variable.assign(value)
            best = GRID[np.argmin(np.where(np.isfinite(losses), losses, np.inf))]
            yield f"{key}/truth", losses
            yield f"{key}/used", np.asarray(rate)
            sweep = range_test(model, data.x, data.y, batch_size=BATCH).suggest()
            yield f"{key}/range_test", np.asarray(np.nan if sweep.learning_rate is None else sweep.learning_rate)
            rates = ladder(best, key, RUNGS)
            yield from ((f"{key}/{name}", value) for name, value in lanes_around(model, data, rates, case.seed))


def units() -> Iterator[Unit]:
    """All that can be measured by itself."""
    every = list(cases())
    for case in every:
        yield f"new/{key_of(case)}/", partial(measure_new, case)
    for case in every:
        if case.seed == 0 and case.task in SMALL:
            yield f"way/{key_of(case)}/", partial(measure_under_way, case)
    for case in every:
        if case.seed == 0 and case.task not in SLOW:
            yield f"run/{key_of(case)}/", partial(measure_run, case)
