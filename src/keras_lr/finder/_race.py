"""A race of learning rates: short complete schedules from the same weights on the same batches."""

import math
from typing import Any

import keras
import numpy as np

from keras_lr._arguments import check_seed
from keras_lr._backends.wrapped_optimizers import accumulated_batches, innermost
from keras_lr.callbacks._velocity import velocity
from keras_lr.finder import _choice, _ladder, _seldom_moved
from keras_lr.finder._lanes import Lanes
from keras_lr.finder._own_rule import ADAPTIVE, FULL_LENGTH, PLAIN, kind_of
from keras_lr.finder._race_result import RaceResult
from keras_lr.finder._raced_ladder import RacedLadder
from keras_lr.training._borrow import borrowed, prepare, refuse_ftrl, refuse_no_model, refuse_overwritten_weights
from keras_lr.training._constant_answer import constant_loss
from keras_lr.training._executed_together import executed_together
from keras_lr.training._first_fit import first_fit_unspent
from keras_lr.training._progress import Progress, checked_progress, silent
from keras_lr.training._training_data import TrainingData

# With these a step grows to the length of the rate, when the larger gradients that they remember are forgotten.
_FORGETTING = (keras.optimizers.Adam, keras.optimizers.Adamax, keras.optimizers.Nadam, keras.optimizers.RMSprop)


def run_race(
    model: keras.Model, data: TrainingData, horizon_steps: int, *, seed: int, progress: Progress = silent
) -> RaceResult:
    """Race rates on a built model for a run of `horizon_steps`, and give the model back as it was."""
    optimizer = innermost(model.optimizer)
    if getattr(optimizer, "tuning_free", False):
        return _not_raced(optimizer, horizon_steps)
    refuse_ftrl(optimizer)
    refuse_overwritten_weights(optimizer)
    accumulation = accumulated_batches(model.optimizer)
    if accumulation > horizon_steps:
        raise ValueError(
            f"gradient_accumulation_steps={accumulation} is more than the {horizon_steps} steps of the run, so no "
            "update would be made. Accumulate fewer batches, or train for more epochs."
        )
    # The step of Adam and its kin does not grow where the surface becomes steep, but where they remember the larger
    # gradients of a run before; these make the first steps short.
    kind, remembers = kind_of(optimizer), int(keras.ops.convert_to_numpy(optimizer.iterations)) > 0
    adaptive = kind in (ADAPTIVE, FULL_LENGTH)
    bounded = adaptive and not remembers
    updates = horizon_steps // accumulation
    length = _ladder.lane_steps(updates)
    with borrowed(model) as steps:
        batches = data.batches(steps, max(length, _ladder.PROBE_STEPS) * accumulation, seed)
        constant = constant_loss(model, batches)
        lanes = Lanes(steps, batches, accumulation, _uncorrected_decay(optimizer) if length else 0.0)
        probed = lanes.centre(_ladder.USUAL_LENGTH)
        exponent = _seldom_moved.exponent_of(optimizer)
        seldom_moved = length > 0 and exponent > 0 and lanes.any_seldom_moved(probed)
        centre = probed / (_ladder.RUNG if adaptive and remembers else 1.0)
        if not length and remembers and isinstance(optimizer, _FORGETTING):
            centre = min(centre, lanes.full_step_centre(sum(math.prod(v.shape) for v in model.trainable_weights)))
        most = _ladder.most_steps(updates) * accumulation
        trusted = 0 if bounded else 1
        ladder = RacedLadder(lanes, length, most, trusted, bounded, progress)
        if length:
            ladder.climb(centre)
    raced = ladder.losses()
    rates = np.array(sorted(raced))
    losses = np.array([raced[rate] for rate in rates]).reshape(len(rates), length * accumulation)
    short = length < _ladder.LANE_STEPS and not bounded
    choice = (
        _choice.choose(rates, losses, short=short, bounded=bounded, untouched=ladder.untouched, constant=constant)
        if raced
        else _choice.unraced(centre)
    )
    momentum = float(optimizer.momentum) if velocity(optimizer) else 0.0
    passes = 1.0 if kind is PLAIN else data.passes(horizon_steps)
    factor, why = _choice.run_factor(choice, momentum, length, updates, passes, kind is FULL_LENGTH)
    reason = _choice.reason(choice, rates, factor, horizon_steps, why, passes)
    peak = choice.rate * factor
    back = _seldom_moved.step_back(peak, length, updates, passes, exponent) if seldom_moved else 1.0
    if back < 1:
        factor *= back
        reason += (
            " A batch moves few rows of an embedding, or of other weights whose inputs are mostly 0; the run moves "
            f"them more often than a lane of {length} steps, so the peak is {back:.2g} of that."
        )
    return RaceResult(
        learning_rate=choice.rate * factor,
        low=choice.low * factor,
        high=choice.high * factor,
        rates=rates,
        losses=losses,
        scores=choice.scores,
        best_rate=choice.rate,
        horizon_steps=horizon_steps,
        total_steps=lanes.steps_run,
        optimizer=type(optimizer).__name__,
        reason=reason,
    )


def _uncorrected_decay(optimizer: keras.optimizers.Optimizer) -> float:
    return float(optimizer.rho) if isinstance(optimizer, keras.optimizers.RMSprop) else 0.0


def _not_raced(optimizer: keras.optimizers.Optimizer, horizon_steps: int) -> RaceResult:
    """Return the result for a method that needs no rate: the factor that it was given."""
    given, name = optimizer._learning_rate, type(optimizer).__name__
    factor = float(keras.ops.convert_to_numpy(given)) if isinstance(given, keras.Variable) else 1.0
    return RaceResult(
        learning_rate=factor,
        low=factor,
        high=factor,
        rates=np.empty(0),
        losses=np.empty((0, 0)),
        scores=np.empty(0),
        best_rate=factor,
        horizon_steps=horizon_steps,
        total_steps=0,
        optimizer=name,
        reason=f"{name} finds the rate itself, so no rates were raced. Its learning_rate is a factor on what it finds: "
        f"{factor:.3g}, times a schedule that falls to 0 at the end of the run.",
    )


def race(
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
) -> RaceResult:
    """Find the peak rate for a training to come, and leave the model as it was.

    Short complete schedules, each with another peak, are run from the model's own weights over the same batches. The
    best peak, corrected for the length of the run to come and for how often it sees the same rows, is the answer.
    `keras_lr.fit` begins with the same race.

    Args:
        model: compiled with any Keras optimizer, whose own rate is not used.
        x, y, batch_size, sample_weight, class_weight, steps_per_epoch: as in `model.fit`. A Python generator cannot be
            rewound: the batches that were read are gone from it.
        epochs: of the run to come; with the data they say how long it will be. Default 1.
        validation_split: the last fraction of the rows, which `fit` will keep for validation, is not tried.
        seed: of the choice of the batches. The process' own random generators are left as they were.
        progress: whether a race that lasts says every few seconds, on the error stream, how far it is; or a function,
            called as `progress(done, total, text)` after each peak.

    Returns:
        A `RaceResult`: `.learning_rate`, `.low`, `.high`, `.reason`, `.losses`; it prints as a table, plots with
        `.plot()` and saves as a page with `.save("page.html")`.

    Raises:
        TypeError: `model` is no Keras model.
        ValueError: the model is not compiled or has no trainable weights; its optimizer is `Ftrl`, or puts an average
            over the weights in mid-training; the number of steps cannot be known, or is too small for one update; the
            loss is not finite before any update, or soon becomes so at every rate.

    Costs: 40 to 100 steps, up to a tenth of a run of more than 1,000 steps, and never more than 0.3 of the run; three
        copies of the weights and the optimizer's slots. No rate is compiled: the step is that of `model.fit`.

    Example:
    >>> import keras, keras_lr, numpy as np
    >>> x = np.random.default_rng(0).normal(size=(512, 4)).astype("float32")
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    >>> model.compile(optimizer=keras.optimizers.SGD(), loss="mse")
    >>> result = keras_lr.race(model, x, x.sum(1, keepdims=True), epochs=20)
    >>> result.low < result.learning_rate < result.high
    True
    """
    refuse_no_model(model)
    check_seed("race", seed)
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
        return run_race(model, data, data.horizon(epochs), seed=seed, progress=told)
