"""The learning-rate range test: train a few steps while the rate rises, watch the loss, and leave no trace.

After Smith, "Cyclical Learning Rates for Training Neural Networks", arXiv 1506.01186, section 3.3. Here the sweep
lies around a rate that moves the weights, and several sweeps from the same weights are pooled into a curve with a band.
"""

import enum
import itertools
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import keras
import numpy as np

from keras_lr._arguments import check_seed, within
from keras_lr._backends.steps_interface import TrainingSteps
from keras_lr._backends.wrapped_optimizers import accumulated_batches, innermost
from keras_lr.finder._ladder import NoRateMoves
from keras_lr.finder._lanes import Lanes
from keras_lr.finder._own_rule import kind_of
from keras_lr.finder._range_test_result import RangeTestResult
from keras_lr.finder._seldom_moved import exponent_of
from keras_lr.training._borrow import borrowed, prepare, refuse_ftrl, refuse_no_model, refuse_overwritten_weights
from keras_lr.training._first_fit import first_fit_unspent
from keras_lr.training._progress import Progress, checked_progress
from keras_lr.training._training_data import TrainingData
from keras_lr.training._validation_data import checked_validation_data

READ_EVERY = 10  # losses are fetched in groups, so that an asynchronous backend is not held up at every step
DECADES_BELOW, DECADES_ABOVE = 2.5, 2.0


class Spacing(enum.Enum):
    """How the rates of a sweep lie.

    Example:
    >>> import keras, keras_lr, numpy as np
    >>> from keras_lr.finder import Spacing
    >>> x = np.ones((32, 1), "float32")
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile(optimizer=keras.optimizers.SGD(), loss="mse")
    >>> keras_lr.range_test(model, x, x, low=0.1, high=1.0, steps=10, spacing=Spacing.LINEAR).rates.round(1).tolist()
    [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    """

    EXPONENTIAL = "a constant factor from step to step"
    LINEAR = "a constant difference from step to step"


def range_test(
    model: keras.Model,
    x: Any = None,
    y: Any = None,
    *,
    low: float | None = None,
    high: float | None = None,
    steps: int = 100,
    sweeps: int = 1,
    spacing: Spacing = Spacing.EXPONENTIAL,
    batch_size: int | None = None,
    sample_weight: Any = None,
    class_weight: dict[int, float] | None = None,
    steps_per_epoch: int | None = None,
    validation_split: float = 0.0,
    validation_data: tuple[Any, ...] | None = None,
    seed: int = 0,
    progress: Progress | bool = True,
) -> RangeTestResult:
    """Train a few steps while the learning rate rises, and give the model back as it was, bit for bit.

    Args:
        model: compiled; it may have been trained before. A schedule that was compiled stays and is not used.
        x, y, batch_size, sample_weight, class_weight, steps_per_epoch: as in `model.fit`. A Python generator cannot be
            rewound: the batches that the test read are gone from it.
        low, high: the first and the last learning rate. Default: 2.5 decades below and 2 above the rate at which four
            steps move all weights by a third of their length, which a probe of 4 to 12 steps finds; 1e-6 and 100
            where it finds none, for example because all weights are zero.
        steps: optimizer updates of one sweep. Default 100.
        sweeps: how often the sweep is repeated from the same weights with other batches, for a firmer curve and band.
            The default of 1 is as accurate on average.
        spacing: exponential by default. A linear sweep makes sense within one decade only.
        validation_split: the last fraction of the rows, which `fit` will keep for validation, is not tried.
        validation_data: `(x, y)` or `(x, y, sample_weight)`, evaluated whole after every step. The curve is then the
            validation loss. Default: the loss of the training batch before its update.
        seed: of the order of the batches. The process' own random generators are left as they were.
        progress: whether a test that lasts says after a sweep, on the error stream, how far it is; or a function,
            called as `progress(done, total, text)` after each sweep, with numbers of updates.

    Returns:
        The curve: `.rates`, `.losses`, `.band`, `.suggest()`; printed, it is a table, and `.plot()` draws it.

    Raises:
        TypeError: `model` is no Keras model.
        ValueError: the model is not compiled or has no trainable weights; its optimizer is `Ftrl`, or puts an average
            over the weights in mid-training; an argument is out of its range; the loss is not finite before any update.

    A batch whose loss or gradient is not finite at any rate, as with NaN in its data, is left out.

    Costs: at most `steps * sweeps` training steps and the probe's, for a sweep ends at divergence, and up to two more
    of each batch where one is left out; two copies of the weights and of the optimizer's slots, and the batches of one
    sweep in memory.

    Example:
    >>> import keras, keras_lr, numpy as np
    >>> x = np.random.default_rng(0).normal(size=(512, 4)).astype("float32")
    >>> y = x @ np.ones((4, 1), "float32")
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    >>> model.compile(optimizer=keras.optimizers.SGD(), loss="mse")
    >>> test = keras_lr.range_test(model, x, y)
    >>> 0.01 < test.suggest().learning_rate < 1
    True
    """
    refuse_no_model(model)
    check_seed("range_test", seed)
    told = checked_progress(progress)
    _check(low, high, steps, sweeps, spacing, validation_data)
    data = TrainingData(
        x,
        y,
        sample_weight=sample_weight,
        class_weight=class_weight,
        batch_size=batch_size,
        steps_per_epoch=steps_per_epoch,
        validation_split=validation_split,
    )
    watch = partial(_validation_loss, model, validation_data) if validation_data else None
    with first_fit_unspent(model):
        prepare(model, data.example())
        checked_validation_data(model, validation_data)
        optimizer = innermost(model.optimizer)
        refuse_ftrl(optimizer)
        refuse_overwritten_weights(optimizer)
        accumulation = accumulated_batches(optimizer)
        with borrowed(model) as training:
            start = training.copy()  # before the probe, which moves the weights a little
            batches = data.batches(training, steps * accumulation, seed)
            lanes = Lanes(training, batches, accumulation)
            moving_rate = _moving_rate(lanes)
            keeps_length = exponent_of(optimizer) > 0
            seldom_moved = moving_rate is not None and keeps_length and lanes.any_seldom_moved(moving_rate)
            rates = _rates(low, high, moving_rate, steps, spacing)
            losses, swept = np.full((sweeps, steps), np.nan), 0
            for i in range(sweeps):
                training.put(start)
                if i:
                    batches = data.batches(training, steps * accumulation, seed + i)
                taken, last = _swept(training, _endless(batches, seed + i), rates, accumulation, watch)
                swept += len(taken)
                finite = bool(np.all(np.isfinite(taken)))
                # An activation that turns NaN into 0, as TensorFlow's ReLU does, hides dead weights.
                if not (finite and training.finite()) and not all(map(lanes.is_sound, batches if finite else last)):
                    sound = [batch for batch in batches if lanes.is_sound(batch)] or batches
                    training.put(start)
                    taken, _ = _swept(training, _endless(sound, seed + i), rates, accumulation, watch)
                    swept += len(taken)
                losses[i, : len(taken)] = taken
                text = f"sweep {i + 1} of {sweeps} ended at the rate {rates[len(taken) - 1]:.2g}"
                told((i + 1) * steps, sweeps * steps, text)
    return RangeTestResult(
        rates=rates,
        sweeps=losses,
        kind=kind_of(optimizer),
        moving_rate=moving_rate,
        optimizer=type(optimizer).__name__,
        is_validation=watch is not None,
        total_steps=lanes.steps_run + swept * accumulation,
        seldom_moved=seldom_moved,
    )


def _swept(
    training: TrainingSteps,
    batches: Iterator[Any],
    rates: np.ndarray,
    accumulation: int,
    watch: Callable[[TrainingSteps], float] | None,
) -> tuple[list[float], list[Any]]:
    """Train on a borrowed model while the rate rises, up to the divergence.

    Returns:
        The loss at each rate, and the batches of the last few.
    """
    losses: list[float] = []
    waiting: list[list[Any]] = []
    last: deque[Any] = deque(maxlen=READ_EVERY * accumulation)
    for step, rate in enumerate(rates):
        taken = list(itertools.islice(batches, accumulation))
        last += taken
        parts = [training.step(batch, float(rate)) for batch in taken]
        waiting.append([watch(training)] if watch else parts)
        if len(waiting) == READ_EVERY or step == len(rates) - 1:
            losses += [float(np.mean([keras.ops.convert_to_numpy(part) for part in parts])) for parts in waiting]
            waiting = []
            if has_diverged(np.array(losses), len(rates)):
                break
    return losses, list(last)


def _validation_loss(model: keras.Model, data: tuple[Any, ...], training: TrainingSteps) -> float:
    """Return the loss of held-out data under the weights that the steps have in hand."""
    training.finish()
    loss = model.test_on_batch(*data, return_dict=True)["loss"]
    model.reset_metrics()
    training.start()
    return float(loss)


def has_diverged(losses: np.ndarray, planned_steps: int) -> bool:
    """Say whether a sweep is over: a loss that is not finite, or one far above its start.

    Far is ten times the descent so far or ten times the noise of the first losses, whichever is more: a difference, so
    that it works for losses that are negative or near zero.
    """
    if not np.all(np.isfinite(losses)):
        return True
    first = losses[: max(2, planned_steps // 8)]
    if len(losses) < len(first) + 3:
        return False
    start = np.median(first)
    noise = np.median(np.abs(first - start))
    smallest = min(np.median(losses[i : i + 3]) for i in range(len(losses) - 2))
    return bool(np.median(losses[-3:]) - start > 10 * max(start - smallest, noise, 1e-3 * abs(start)))


def _endless(batches: list[Any], seed: int) -> Iterator[Any]:
    """Give the batches again and again, each time in another order."""
    random = np.random.default_rng(seed)
    return (batches[i] for _ in itertools.count() for i in random.permutation(len(batches)))


def _moving_rate(lanes: Lanes) -> float | None:
    """Return the rate at which four steps move all weights by a third of their length; None where none does."""
    try:
        return lanes.centre()
    except NoRateMoves:
        return None


def _rates(
    low: float | None, high: float | None, moving_rate: float | None, steps: int, spacing: Spacing
) -> np.ndarray:
    low = float(low or (moving_rate / 10**DECADES_BELOW if moving_rate else 1e-6))
    high = float(high or (moving_rate * 10**DECADES_ABOVE if moving_rate else 100.0))
    if low >= high:
        raise ValueError(
            f"The sweep would go from {low:.3g} to {high:.3g}: the end that you left out was chosen by the movement of "
            "the weights. Give both low and high."
        )
    if spacing is Spacing.LINEAR:
        return np.linspace(low, high, steps)
    return np.geomspace(low, high, steps)


def _check(
    low: float | None, high: float | None, steps: int, sweeps: int, spacing: Spacing, validation_data: Any
) -> None:
    if not all(end is None or within(end, above=0.0) for end in (low, high)) or (low and high and low >= high):
        raise ValueError(f"low={low!r} and high={high!r}: give two rates with 0 < low < high, or leave them out.")
    if not within(steps, least=10, whole=True):
        raise ValueError(f"steps={steps!r}: a curve needs at least 10 steps; the default is 100.")
    if not within(sweeps, least=1, whole=True):
        raise ValueError(f"sweeps={sweeps!r}: give at least 1; several show how sure the curve is.")
    if not isinstance(spacing, Spacing):
        raise ValueError(f"spacing={spacing!r}: give keras_lr.finder.Spacing.EXPONENTIAL or Spacing.LINEAR.")
    if validation_data is not None and not (isinstance(validation_data, tuple) and len(validation_data) in (2, 3)):
        raise ValueError(
            f"validation_data={type(validation_data).__name__}: give arrays or tensors as a tuple (x, y) or "
            "(x, y, sample_weight); all of it is evaluated after every step, so a few hundred rows are enough."
        )
