"""Is this rate too high or too low, by what factor, and how does one see it? Asked of a borrowed model."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_lr._arguments import check_seed
from keras_lr._backends.steps_interface import TrainingSteps
from keras_lr._backends.wrapped_optimizers import accumulated_batches, innermost
from keras_lr.callbacks._plan import rates_at
from keras_lr.diagnosis import Diagnosis, Signal, Steps
from keras_lr.diagnosis._judgement import judge, rung_to_try
from keras_lr.diagnosis._signals import Step, signals_of, stability
from keras_lr.finder import _seldom_moved
from keras_lr.finder._ladder import PROBE_STEPS, RUNG
from keras_lr.finder._lanes import Lanes
from keras_lr.finder._own_rule import FULL_LENGTH, kind_of
from keras_lr.schedules import Constant, Schedule, Steerable
from keras_lr.training._along_step import AlongStep
from keras_lr.training._borrow import borrowed, prepare, refuse_ftrl, refuse_no_model, refuse_overwritten_weights
from keras_lr.training._constant_answer import constant_loss
from keras_lr.training._executed_together import executed_together
from keras_lr.training._first_fit import first_fit_unspent
from keras_lr.training._progress import Progress, checked_progress
from keras_lr.training._training_data import TrainingData

LANE_STEPS = 30
LANES_TO_EITHER_SIDE = 2
MOST_LANES = 13
FIRST_LOOK, LOOK_EVERY = 4, 2  # updates: a moment for momentum to build up, then every other one


def diagnose(
    model: keras.Model,
    x: Any = None,
    y: Any = None,
    *,
    epochs: int = 1,
    batch_size: int | None = None,
    sample_weight: Any = None,
    class_weight: dict[int, float] | None = None,
    steps_per_epoch: int | None = None,
    validation_split: float = 0.0,
    seed: int = 0,
    progress: Progress | bool = True,
) -> Diagnosis:
    """Say whether the optimizer's learning rate is too high, right or too low, by what factor, and why.

    From the present weights and optimizer state, over the same batches, a few steps are made at the rate, at rates from
    a tenth to ten times it and, while that can change the answer, beyond, and without any rate. The verdict goes by how
    far down the loss comes in each of these short trainings, or lanes; single steps at the rate are looked at closely
    to explain it. The model is given back as it was, bit for bit.

    Args:
        model: compiled, new or in the middle of a training. Its optimizer's rate is the one that is judged; of a
            schedule, the highest rate of the run to come.
        x, y, batch_size, sample_weight, class_weight, steps_per_epoch: as in `model.fit`. A Python generator cannot be
            rewound: the batches that were read are gone from it.
        epochs: of the run that the rate is meant for. They say which part of a schedule is to come, and how often the
            run sees each row, which asks for a lower rate. Default 1.
        validation_split: the last fraction of the rows, which `fit` will keep for validation, is not tried.
        seed: of the choice of the batches. The process' own random generators are left as they were.
        progress: whether a diagnosis that lasts says every few seconds, on the error stream, how far it is; or a
            function, called as `progress(done, total, text)` after each lane.

    Returns:
        A `Diagnosis`: `.judgement`, `.factor`, `.suggested_learning_rate`, `.action`, `.signals`; it prints with the
        verdict first, plots with `.plot()` and saves as a page with `.save("page.html")`.

    Raises:
        TypeError: `model` is no Keras model.
        ValueError: the model is not compiled or has no trainable weights; its optimizer is `Ftrl`, or puts an average
            over the weights in mid-training; the rate is zero, negative or not finite; the number of steps cannot be
            known; the loss is not finite before any update.

    Costs: 180 to 425 optimizer steps, mostly up to 335; 26 losses with gradients and, for Keras' SGD, 15 products with
        the Hessian; a few copies of the weights and of the optimizer's slots. What looks at single steps is compiled
        once a call, the training step only where `fit` has not compiled it before, and nothing for any rate.

    Example:
    >>> import keras, keras_lr, numpy as np
    >>> x = np.random.default_rng(0).normal(size=(512, 4)).astype("float32")
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    >>> model.compile(optimizer=keras.optimizers.SGD(1e-4), loss="mse")
    >>> found = keras_lr.diagnose(model, x, x.sum(1, keepdims=True))
    >>> found.judgement.value, found.factor > 100
    ('too low', True)
    """
    refuse_no_model(model)
    check_seed("diagnose", seed)
    told = checked_progress(progress)
    data = TrainingData(
        x,
        y,
        sample_weight=sample_weight,
        class_weight=class_weight,
        batch_size=batch_size,
        steps_per_epoch=steps_per_epoch,
        validation_split=validation_split,
        together=executed_together(model),
    )
    with first_fit_unspent(model):
        prepare(model, data.example())
        optimizer = innermost(model.optimizer)
        refuse_ftrl(optimizer)
        refuse_overwritten_weights(optimizer)
        accumulation = accumulated_batches(optimizer)
        horizon = data.horizon(epochs)
        updates = max(1, horizon // accumulation)
        coming = _rates_to_come(optimizer, updates, data.steps_per_epoch / accumulation)
        rate = float(np.max(coming))
        stays, made = bool(coming[-1] > rate / 2), _updates_made(optimizer)
        with borrowed(model) as training:
            batches = data.batches(training, LANE_STEPS * accumulation, seed)
            lanes = Lanes(training, batches, accumulation)
            along = AlongStep(model)
            look = Look(along, training, accumulation)
            still = lanes.train(np.zeros(LANE_STEPS * accumulation))
            losses = _on_a_ladder(lanes, still, rate, accumulation, look, told)
            exponent = _seldom_moved.exponent_of(optimizer)
            few_move = exponent > 0 and _any_seldom_moved(lanes, rate)
            steps = Steps.of(look.seen)
            signals = _signals(steps, rate, optimizer, lambda: along.sharpness(batches[0], look.after))
    factors = np.array(sorted(losses))
    table = np.stack([losses[factor] for factor in factors])
    passes = data.passes(horizon)

    def back(factor: float) -> float:
        return _seldom_moved.step_back(rate * factor, LANE_STEPS, updates, passes, exponent)

    return Diagnosis(
        learning_rate=rate,
        verdict=judge(
            factors,
            table,
            still,
            stays=stays,
            updates=made,
            passes=passes,
            constant=constant_loss(model, batches),
            full_length_updates=updates if kind_of(optimizer) is FULL_LENGTH else 0,
            seldom_moved=back if few_move else None,
        ),
        signals=signals,
        factors=factors,
        losses=table,
        still=still,
        steps=steps,
        is_scheduled=_is_scheduled(optimizer._learning_rate),
        optimizer=type(optimizer).__name__,
        horizon_steps=updates * accumulation,
        total_steps=lanes.steps_run,
    )


def _rates_to_come(optimizer: keras.optimizers.Optimizer, updates: int, updates_per_epoch: float) -> np.ndarray:
    """Return the rates of the coming updates, a few hundred of them, the last one included.

    Lengths in epochs and fractions are those of this run: nobody has trained with such a schedule before.

    Raises:
        ValueError: all are zero or below, or one is not finite.
    """
    ahead = np.unique(np.linspace(0, updates - 1, 200).astype(int))
    at, rate = _updates_made(optimizer) + ahead, optimizer._learning_rate
    if isinstance(rate, Schedule):
        rates = rate.resolved(steps_per_epoch=updates_per_epoch, total_steps=updates).values(at)
    else:
        rates = rates_at(optimizer, at)
    if not 0 < np.max(rates) < np.inf:
        raise ValueError(
            f"The highest learning rate of the next {updates} updates is {np.max(rates):g}, and there is nothing to "
            "judge: give the optimizer a rate above 0, or, where a schedule has come to its end, a new one."
        )
    return rates


def _is_scheduled(rate: Any) -> bool:
    """Return whether an optimizer's `_learning_rate` changes by itself."""
    if isinstance(rate, Steerable):
        return rate.learning_rate is None and not isinstance(rate.schedule, Constant)
    return not isinstance(rate, keras.Variable)


def _updates_made(optimizer: keras.optimizers.Optimizer) -> int:
    return int(keras.ops.convert_to_numpy(optimizer.iterations))


def _on_a_ladder(
    lanes: Lanes, still: np.ndarray, rate: float, accumulation: int, look: "Look", progress: Progress
) -> dict[float, np.ndarray]:
    """Run lanes at the rate and around it, and at further rates while that can change the verdict."""
    waiting = list(range(-LANES_TO_EITHER_SIDE, LANES_TO_EITHER_SIDE + 1))
    losses: dict[int, np.ndarray] = {}
    while waiting:
        rung = waiting.pop(0)
        rates = np.full(LANE_STEPS * accumulation, rate * RUNG**rung)
        losses[rung] = lanes.train(rates, look.step if rung == 0 else None)
        progress(len(losses), len(losses) + len(waiting), f"trying the rate {rates[0]:.2g}")
        if not waiting and len(losses) < MOST_LANES:
            rungs = sorted(losses)
            way = rung_to_try(RUNG ** np.array(rungs), np.stack([losses[r] for r in rungs]), still)
            waiting = [rungs[0] - 1] if way < 0 else [rungs[-1] + 1] if way > 0 else []
    return {float(RUNG**rung): losses[rung] for rung in losses}


def _any_seldom_moved(lanes: Lanes, rate: float) -> bool:
    lanes.train(np.full(PROBE_STEPS * lanes.accumulation, rate))
    return lanes.any_seldom_moved(rate)


class Look:
    """Makes the steps of a lane and looks at some of them on their own batches.

    Attributes:
        seen: what was seen of each step that was looked at.
        after: the parts of a copy of all values after the last step that was looked at; None before there was one.
    """

    def __init__(self, along: AlongStep, training: TrainingSteps, accumulation: int) -> None:
        self._along, self._training, self._accumulation = along, training, accumulation
        self._made = 0
        self.seen: list[Step] = []
        self.after: Any = None

    def step(self, batch: Any, rate: float) -> Any:
        """Make a step of a lane, and look closely at every other update."""
        update, part = divmod(self._made, self._accumulation)
        self._made += 1
        if part < self._accumulation - 1 or update < FIRST_LOOK or (update - FIRST_LOOK) % LOOK_EVERY:
            return self._training.step(batch, rate)
        return self.closely(batch, rate)

    def closely(self, batch: Any, rate: float) -> Any:
        """Make a step and look at it."""
        before = self._training.copy()
        loss = self._training.step(batch, rate)
        self.after = self._training.parts(self._training.copy())
        self.seen.append(self._along.ends(batch, self._training.parts(before), self.after[0]))
        return loss


def _signals(
    steps: Steps, rate: float, optimizer: keras.optimizers.Optimizer, sharpness: Callable[[], float]
) -> tuple[Signal, ...]:
    found = [*signals_of(steps)]
    # Keras' SGD alone, which on PyTorch is a class of its own: what preconditions the gradient has another limit.
    if len(steps) and type(optimizer).__name__ == "SGD":
        found.append(stability(sharpness(), rate, float(optimizer.momentum), nesterov=bool(optimizer.nesterov)))
    return tuple(found)
