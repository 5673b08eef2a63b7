"""What is no number, no flag, no choice: refused at construction, with the name of the argument and the value."""

import inspect
import math
import re
from typing import get_type_hints

import keras
import numpy as np
import pytest

from keras_lr import callbacks, line_search, optimizers, schedules
from keras_lr._arguments import within

pytestmark = pytest.mark.numpy_only

RATE, STEPS = 0.1, 100
NEEDED = {
    "at_step": 50,
    "base_learning_rate": 0.01,
    "boundaries": (10,),
    "cooldown_steps": 10,
    "cycle": schedules.OneCycle(RATE, STEPS),
    "decay": 0.1,
    "delay_steps": 5,
    "drop": 0.5,
    "epochs": 3,
    "every_steps": 10,
    "factors": {"kernel": 0.5},
    "far_steps": 1000,
    "first_cycle_steps": 10,
    "fraction": 0.5,
    "function": abs,
    "gamma": 0.9,
    "height": schedules.shapes.Linear(),
    "infimum": 0.001,
    "k": 1.5,
    "learning_rates": (0.1, 0.2),
    "min_learning_rate": 0.01,
    "model_width": 8,
    "period_steps": 128,
    "schedule": schedules.Linear(RATE, STEPS),
    "schedules": (schedules.Constant(RATE), schedules.Constant(RATE)),
    "search": line_search.Backtracking(),
    "steepness": 0.1,
    "timescale_steps": 10,
    "up_steps": 10,
    "warmup_steps": 5,
}
MADE_BY_OTHERS = {"Accepted", "Event", "Lengthening", "Line", "Point", "Table", "Walk", "from_torch"}
SETTLED = {("MoMoAdam", "beta"), ("ScheduleFreeRAdam", "warmup_steps")}  # by the class itself, whatever its base takes
NOT_NUMBERS = ("0.5", [1.0], {}, math.nan, True)
ENDLESS = {"largest_step", "longest", "reset", "growth_rate", "max_multiplier"}  # infinity says: no limit


def needed(parameter):
    if parameter.name == "model":
        return keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    if parameter.name == "optimizer":
        return keras.optimizers.SGD(RATE, momentum=0.9)
    if parameter.name in NEEDED:
        return NEEDED[parameter.name]
    return RATE if parameter.name.endswith("learning_rate") else STEPS


def kind_of(hint):
    """Return "whole", "real" or "flag", as an annotation asks for; None where it asks for something else."""
    return {int: "whole", float: "real", bool: "flag", int | None: "whole", float | None: "real"}.get(hint)


def checked_arguments(made):
    """Yield name, kind and whether None will do, of its own arguments and of those that it takes for its bases."""
    bases = [b for b in made.__mro__ if b.__module__.startswith("keras_lr")] if inspect.isclass(made) else [made]
    takes_more = any(p.kind is p.VAR_KEYWORD for p in inspect.signature(made).parameters.values())
    for base in bases if takes_more else bases[:1]:
        maker = base.__init__ if inspect.isclass(base) else base
        for name, hint in get_type_hints(maker).items():
            asked = name in inspect.signature(maker).parameters and (made.__name__, name) not in SETTLED
            if kind_of(hint) and asked:
                yield name, kind_of(hint), type(None) in getattr(hint, "__args__", ())


def public(room):
    for name in dir(room):
        made = getattr(room, name)
        if not (callable(made) and getattr(made, "__module__", "").startswith("keras_lr")) or name in MADE_BY_OTHERS:
            continue
        if not name.startswith("_") and any(True for _ in checked_arguments(made)):
            yield f"{room.__name__.removeprefix('keras_lr.')}.{name}", made


CONSTRUCTORS = dict(
    pair for room in (callbacks, line_search, optimizers, schedules, schedules.shapes) for pair in public(room)
)


def call(made, **given):
    parameters = inspect.signature(made).parameters.values()
    required = [p for p in parameters if p.default is p.empty and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    return made(**{p.name: needed(p) for p in required if p.name not in given}, **given)


def wrong_values(argument, kind, optional):
    if kind == "flag":
        return ["no", None, math.nan, 2]
    part = [1.5] if kind == "whole" else []  # a length in steps may be a quotient, and is annotated as a float
    return [*NOT_NUMBERS, *([] if optional else [None]), *([] if argument in ENDLESS else [math.inf]), *part]


@pytest.mark.parametrize("name", CONSTRUCTORS)
def test_what_is_no_number_and_no_flag_is_refused_with_its_name_and_value(name):
    made = CONSTRUCTORS[name]
    call(made)
    for argument, *asked in checked_arguments(made):
        for value in wrong_values(argument, *asked):
            with pytest.raises((TypeError, ValueError)) as caught:
                call(made, **{argument: value})
            received = re.escape(f"{argument}={value!r}.")
            message = rf"^\w+ takes (a|0|True|an)\b.* as {argument}\. Received: {received}"
            assert re.match(message, str(caught.value))


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda number: optimizers.Mechanic("sgd", decay=number), "decay"),
        (lambda number: optimizers.MoMoAdam(beta_1=number), "beta_1"),
        (lambda number: optimizers.Prodigy(epsilon=number), "epsilon"),
        (lambda number: optimizers.DoG(number), "learning_rate"),
        (lambda number: schedules.Constant(number), "learning_rate"),
        (lambda number: line_search.PAL(measure=number), "measure"),
    ],
)
def test_an_array_that_holds_a_number_is_kept_as_that_number(make, name):
    held = make(np.array(0.5)).get_config()[name]
    assert (type(held), held) == (float, 0.5)


def test_a_signature_says_what_an_argument_may_be_in_words():
    assert [name for name, made in CONSTRUCTORS.items() if " at 0x" in str(inspect.signature(made))] == []


@pytest.mark.parametrize(
    ("given", "ends", "lies"),
    [
        (0.0, {"above": 0.0}, False),
        (1e-9, {"above": 0.0}, True),
        (0.0, {"least": 0.0}, True),
        (1.0, {"below": 1.0}, False),
        (1.0, {"most": 1.0}, True),
        (math.inf, {}, False),
        (math.inf, {"below": None}, True),
        (math.nan, {"below": None}, False),
        (2.0, {"whole": True}, False),
        (np.int64(2), {"whole": True}, True),
        (np.float32(0.5), {"above": 0.0}, True),
        (np.array(0.5), {"above": 0.0}, True),
        (np.array(2), {"above": 0.0}, True),
        (np.array(2.0), {"below": 1.0}, False),
        (keras.ops.convert_to_tensor(0.5), {"above": 0.0}, True),
        (keras.Variable(0.5), {"above": 0.0}, True),
        (np.array(True), {}, False),
        (np.array(0.5j), {}, False),
        (np.array("0.5"), {}, False),
        (np.array([0.5]), {}, False),
    ],
)
def test_a_number_lies_within_the_ends_that_are_given(given, ends, lies):
    assert within(given, **ends) is lies
