"""GradientOnly on the eight workloads: which defaults come near the tuned grid, and does the start matter?

    KERAS_BACKEND=jax python benchmarks/gradient_only_on_workloads.py defaults --workloads co2_deep_linear
    KERAS_BACKEND=jax python benchmarks/gradient_only_on_workloads.py starts

One compiled step serves all runs of a rule along a direction: cap and first step are its inputs. (One scan over all
steps would be ten times slower for convolutions on a CPU.) Caps are fractions of the length of the weights; null is
the fraction of the default. They fall linearly to 0, as for a known horizon, or like the root of the step, as for an
unknown one. Beside every search stands the honest baseline: the same direction with every step at the cap and no search
at all (`AtTheCap`; along the gradient that is normalised SGD). Prints one JSON object a run.
"""

import argparse
import json
import math
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import keras
import numpy as np
from workload import batch_order, take
from workloads import WORKLOADS

from keras_lr.line_search._dynamic import Decision, SearchState
from keras_lr.optimizers import AdagradDirection, AdamDirection, GradientOnly, RMSpropDirection
from keras_lr.optimizers._falling_cap import STEPS_AT_THE_START, default_ratio
from keras_lr.schedules import Constant

DECAYS = {"linear": lambda t: 1.0 - t / len(t), "root": lambda t: 1.0 / np.sqrt(1.0 + t / STEPS_AT_THE_START)}
STARTS = [10.0**power for power in range(-8, 9, 2)]


@dataclass(frozen=True)
class AtTheCap:
    """Accept every step and make it as long as the cap: no search."""

    needs_value: ClassVar[bool] = False

    def __call__(self, search, seen, smallest_step):
        return Decision(True, search._replace(step_size=math.inf))


class Runner:
    """Trains one workload with one rule along one direction."""

    def __init__(self, workload, rule, direction):
        self.workload, self.data = workload, workload.load()
        keras.utils.set_random_seed(0)
        self.model = workload.build()
        self.optimizer = GradientOnly(rule, direction, max_update_ratio=Constant(1.0))
        self.optimizer.build(self.model.trainable_variables)
        self.state = [np.array(v.value) for v in self.optimizer.variables]
        self.cap_at = self._index(self.optimizer._learning_rate)
        self.search_at = self._index(self.optimizer._numbers["search"])
        self.descent_at = self._index(self.optimizer._slots.variables["descent"][0])
        self.loss = workload.loss()
        self.step = jax.jit(self._step, donate_argnums=(0, 1, 2))
        self.evaluate = jax.jit(self._evaluate)

    def _index(self, variable):
        return next(i for i, v in enumerate(self.optimizer.variables) if v is variable)

    def _evaluate(self, weights, others, x, y):
        return jnp.mean(self.loss(y, self.model.stateless_call(weights, others, x, training=False)[0]))

    def _step(self, weights, others, state, cap, x, y):
        def loss_of(weights, others):
            outputs, others = self.model.stateless_call(weights, others, x, training=True)
            return jnp.mean(self.loss(y, outputs)), others

        (_, others), gradients = jax.value_and_grad(loss_of, has_aux=True)(weights, others)
        state = [cap if i == self.cap_at else value for i, value in enumerate(state)]
        weights, state = self.optimizer.stateless_apply(state, gradients, weights)
        return list(weights), others, list(state)

    def run(self, ratio, decay, start, seed):
        """Train; return final losses at the last accepted point and how many steps were accepted."""
        steps = self.workload.steps
        order = batch_order(len(self.data.y), self.workload.batch_size, steps, seed)
        if ratio is None:
            ratio = default_ratio(steps if decay == "linear" else None)
        ratios = np.float32(ratio * DECAYS[decay](np.arange(steps)))
        keras.utils.set_random_seed(seed)
        model = self.workload.build()
        weights, others = (
            [jnp.array(v.value) for v in part] for part in (model.trainable_variables, model.non_trainable_variables)
        )
        state = [jnp.array(value) for value in self.state]
        state[self.search_at] = state[self.search_at].at[SearchState._fields.index("step_size")].set(start)
        for rows, longest in zip(order, ratios, strict=True):
            x, y = take(self.data.x, rows), self.data.y[rows]
            weights, others, state = self.step(weights, others, state, longest, x, y)
        search = SearchState(*np.asarray(state[self.search_at]))
        packing = self.optimizer._slots.packing
        descent = packing.unpack(state[self.descent_at : self.descent_at + len(packing.groups)])
        weights = [w + search.position * u for w, u in zip(weights, descent, strict=True)]
        some = np.linspace(0, len(self.data.y) - 1, 4000).astype(int)
        return {
            "training_loss": float(self.evaluate(weights, others, take(self.data.x, some), self.data.y[some])),
            "validation_loss": float(self.evaluate(weights, others, self.data.x_validation, self.data.y_validation)),
            "accepts": int(search.accepts),
        }


def defaults(names, seeds, _):
    """Caps along the default direction and one along two others, beside the baseline, with and without a horizon."""
    rule, ratios = GradientOnly().rule, (None, 0.05, 0.1, 0.2, 0.3, 0.5)
    tried = [(rule, RMSpropDirection(), ratios), (AtTheCap(), RMSpropDirection(), ratios)]
    tried += [(rule, direction, (None,)) for direction in (AdagradDirection(), AdamDirection())]
    for name in names:
        for rule, direction, ratios in tried:
            runner = Runner(WORKLOADS[name], rule, direction)
            for ratio in ratios:
                for decay in DECAYS:
                    for seed in range(seeds):
                        yield tell(name, rule, direction, ratio, decay, 1e-4, seed, runner)


def starts(names, seeds, ratio):
    """First steps over 16 decades at the default; the baseline, which knows no first step; both without a horizon.

    At the beginning every entry of u is of size √10, so that first steps of 1 and more are cut to the cap: one run.
    """
    default = GradientOnly()
    direction = default.direction
    tried = {"linear": [start for start in STARTS if start <= 1.0], "root": [default.initial_step]}
    for name in names:
        for rule, by_decay in ((default.rule, tried), (AtTheCap(), {key: [1.0] for key in DECAYS})):
            runner = Runner(WORKLOADS[name], rule, direction)
            for seed in range(seeds):
                for decay, first_steps in by_decay.items():
                    for start in first_steps:
                        yield tell(name, rule, direction, ratio, decay, start, seed, runner)


def tell(name, rule, direction, ratio, decay, start, seed, runner):
    run = runner.run(ratio, decay, start, seed)
    what = {"workload": name, "rule": repr(rule), "direction": repr(direction), "ratio": ratio, "decay": decay}
    return {**what, "start": start, "seed": seed, **run}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", choices=["defaults", "starts"])
    parser.add_argument("--workloads", nargs="*", default=list(WORKLOADS), choices=list(WORKLOADS))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--ratio", type=float, help="of the starts; that of the default")
    arguments = parser.parse_args()
    study = {"defaults": defaults, "starts": starts}[arguments.study]
    for row in study(arguments.workloads, arguments.seeds, arguments.ratio):
        print(json.dumps(row), flush=True)
