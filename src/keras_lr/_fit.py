"""The main job: train a model without giving a learning rate."""

import dataclasses
import os
import pathlib
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_lr._arguments import check_flags, check_seed
from keras_lr._backends.wrapped_optimizers import accumulated_batches
from keras_lr._fit_events import (
    before_run,
    end_of_run,
    is_left_out,
    over_fit,
)
from keras_lr._fit_plan import plan_of_run, updates_as_far_as
from keras_lr._fit_result import FitResult, by_epoch
from keras_lr.callbacks._backup import Backup, read_backup
from keras_lr.callbacks._divergence import usual_window_steps
from keras_lr.callbacks._guard import Guarding
from keras_lr.callbacks._guarded_run import GuardedRun
from keras_lr.finder import RaceResult
from keras_lr.finder._race import run_race
from keras_lr.training._borrow import borrowed, prepare, refuse_no_model
from keras_lr.training._checkpoint import Checkpoint, plain
from keras_lr.training._dead_network import is_dead, most_telling
from keras_lr.training._described import described
from keras_lr.training._executed_together import executed_together
from keras_lr.training._progress import Progress, checked_progress
from keras_lr.training._spoilt_rows import leave_out_spoilt_rows
from keras_lr.training._training_data import TrainingData, check_counts
from keras_lr.training._validation_data import checked_validation_data, checked_validation_freq

LOOKED_THROUGH = 12  # batches, for one that tells a dead network


def fit(
    model: keras.Model,
    x: Any = None,
    y: Any = None,
    *,
    batch_size: int | None = None,
    epochs: int = 1,
    verbose: str | int = "auto",
    callbacks: Any = None,
    validation_split: float = 0.0,
    validation_data: Any = None,
    shuffle: bool = True,
    class_weight: dict[int, float] | None = None,
    sample_weight: Any = None,
    initial_epoch: int = 0,
    steps_per_epoch: int | None = None,
    validation_steps: int | None = None,
    validation_batch_size: int | None = None,
    validation_freq: int | list[int] = 1,
    backup_dir: str | os.PathLike[str] | None = None,
    seed: int = 0,
    progress: Progress | bool = True,
) -> FitResult:
    """Train a compiled model without being told a learning rate.

    Race, schedule, guard, train: short complete schedules of a few rates are tried from the model's own weights, the
    best peak is corrected for the length of the run and for how often it sees the same rows, and `model.fit` runs once,
    with 5 % of warm-up, a hold until 70 % of the steps and a linear decay to zero, under a guard that goes back to good
    weights and lowers the rate when the loss diverges.

    Args:
        model: compiled with any Keras optimizer. Its kind and its other arguments are kept; its own rate is not used,
            and is back in the optimizer afterwards.
        x, y, batch_size, epochs, verbose, callbacks, validation_split, validation_data, shuffle, class_weight,
            sample_weight, initial_epoch, steps_per_epoch, validation_steps, validation_batch_size, validation_freq:
            as in `model.fit`. Unless `verbose` is 0, the race and the events print a line each as well. Rows of arrays
            that hold NaN or infinity are left out where a step on them, which is taken back, leaves no finite weights;
            of an `np.memmap` they are only named.
        backup_dir: where the state of the run is kept at the end of every epoch: weights, optimizer, the rate and the
            plan that were found, guard, history, and all random generators. After a crash, a kill or Ctrl-C the same
            call goes on at the start of the epoch that was broken off, without another race, and ends bit for bit where
            the unbroken run would have ended. When the run is through, the backup is deleted. Default `None`: none is
            kept.
        seed: of the batches that are raced on.
        progress: whether the race prints a line for each rate, unless `verbose` is 0; or a function, called in place of
            that as `progress(done, total, text)`.

    Returns:
        A `FitResult`: `.history`, `.learning_rate`, `.schedule`, `.race`, `.events`, `.total_steps`; it prints as a
        table, plots with `.plot()` and saves as a page with `.save("report.html")`. Ctrl-C during the run ends it
        early: the model keeps what it has learnt, and `.completed` is False.

    Raises:
        TypeError: `model` is no Keras model, `backup_dir` no path, `progress` no function, or a callback is none of
            Keras'.
        ValueError: the model is not compiled, or has no trainable weights; the number of steps cannot be known; an
            argument is none that `model.fit` could use, or `validation_data` do not fit the model, of which a batch is
            evaluated before the race; the loss is not finite before any update; the backup in `backup_dir` is of
            another run; a callback of keras_lr steers the rate as well (`Guard`, `ReduceOnPlateau`), or Keras'
            `BackupAndRestore` would go on without the plan of the rate (`backup_dir` does it with the plan). A rate
            that another callback sets has no effect; `events` says so of Keras' own, which are left out, as is
            `TerminateOnNaN`: a loss that is not finite is answered here.

    Costs: 40 to 100 steps for the race, up to a tenth of a run of more than 1,000 steps, never more than 0.3 of the
        run. Three copies of the weights and the optimizer's slots in the race, two in the run, and three in a backup,
        which is written once an epoch. No rate is compiled: race and run share the step of `model.fit`. At the end, and
        up to 8 times where the losses do not get lower, a few steps on one batch, which are taken back, tell whether
        the network has died; at the end 12 batches are read, for one whose targets tell.

    Example:
    >>> import keras, numpy as np, keras_lr
    >>> x = np.random.default_rng(0).normal(size=(512, 4)).astype("float32")
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    >>> model.compile(optimizer="sgd", loss="mse")
    >>> result = keras_lr.fit(model, x, x.sum(1, keepdims=True), epochs=20, verbose=0)
    >>> result.history["loss"][-1] < 1e-3, result.completed
    (True, True)
    """
    refuse_no_model(model)
    check_seed("fit", seed)
    check_counts(validation_steps=validation_steps, validation_batch_size=validation_batch_size)
    validation_freq = checked_validation_freq(validation_freq)
    check_flags("fit", shuffle=shuffle)
    _check_verbose(verbose)
    told = checked_progress(progress)
    directory = _directory(backup_dir)
    data = TrainingData(
        x,
        y,
        sample_weight=sample_weight,
        class_weight=class_weight,
        batch_size=batch_size,
        steps_per_epoch=steps_per_epoch,
        shuffle=shuffle,
        validation_split=0.0 if validation_data is not None else validation_split,
        together=executed_together(model),
    )
    example = data.example()
    prepare(model, example)
    given = data.training_arrays or (x, y)
    spoilt = leave_out_spoilt_rows(model, data)
    horizon = data.horizon(epochs, initial_epoch)
    validation_data = checked_validation_data(model, validation_data, validation_batch_size or batch_size)
    others = _flat(callbacks)
    run = _identity(model, data, batch_size, initial_epoch, epochs) if directory else {}
    found = read_backup(directory, run) if directory else None
    held_out = data.validation_arrays if validation_data is None else validation_data
    events = before_run(model, others, horizon, example, x=given[0], y=given[1], held_out=held_out, spoilt=spoilt)
    others = [callback for callback in others if not is_left_out(callback)]

    say = print if verbose else _silent
    told = _lines(say) if progress is True else told
    race = _raced_before(found) if found else run_race(model, data, horizon, seed=seed, progress=told)
    say(race.sentence, *events, sep="\n")
    made = found.facts["plan"]["updates_made"] if found else int(keras.ops.convert_to_numpy(model.optimizer.iterations))
    accumulation = accumulated_batches(model.optimizer)
    updates = max(1, horizon // accumulation)
    schedule = plan_of_run(model.optimizer, race.learning_rate, made, updates)
    guard = GuardedRun(
        schedule,
        # Of data whose length Keras learns on the way, the guard would not know how long the run is.
        window_steps=usual_window_steps(horizon),
        probation=False,
        verbose=bool(verbose),
        trial_loss=race.best_loss,
        trial_steps=accumulation * updates_as_far_as(race, schedule, updates),
    )

    begun, backup = initial_epoch, None
    if directory:
        plan = dataclasses.asdict(race) | {"updates_made": made}
        backup = Backup(directory, guard, run, plan, found, initial_epoch, data.is_generator)
        begun = backup.epoch
    completed = _completes(
        model,
        guard,
        **{"validation_data": validation_data} | data.for_fit((begun - initial_epoch) * data.steps_per_epoch),
        batch_size=batch_size,
        epochs=epochs,
        verbose=verbose,
        callbacks=[Guarding(guard), *others, *([backup] if backup else ())],
        validation_split=validation_split,
        initial_epoch=begun,
        steps_per_epoch=data.steps_given,
        validation_steps=validation_steps,
        validation_batch_size=validation_batch_size,
        validation_freq=validation_freq,
    )
    dead = completed and _ends_dead(model, data, seed)
    next_epoch = backup.epoch if backup else None
    ends = end_of_run(guard.step, horizon, guard.factor, completed=completed, dead=dead, next_epoch=next_epoch)
    history = {name: [plain(v) for v in values] for name, values in model.history.history.items()}
    losses, validation_losses = (by_epoch(history, n, initial_epoch, validation_freq) for n in ("loss", "val_loss"))
    ends += over_fit(guard.step, losses, validation_losses)
    if not completed and verbose in ("auto", 1):  # in the middle of its bar
        say()
    for event in ends:
        say(event)
    return FitResult(
        history=history,
        learning_rate=race.learning_rate,
        schedule=schedule,
        race=race,
        events=tuple(sorted((*guard.events, *events, *ends), key=lambda event: event.step)),
        steps=guard.step,
        completed=completed,
        initial_epoch=initial_epoch,
        validation_freq=validation_freq,
        gradient_accumulation_steps=accumulation,
    )


def _check_verbose(verbose: str | int) -> None:
    if isinstance(verbose, str) and verbose != "auto":
        raise ValueError(f"verbose={verbose!r}: give 0 for silence, 1 for a bar, 2 for a line an epoch, or 'auto'.")


def _directory(backup_dir: str | os.PathLike[str] | None) -> pathlib.Path | None:
    if backup_dir is not None and not isinstance(backup_dir, str | os.PathLike):
        raise TypeError(f"backup_dir={backup_dir!r}: give the path of a directory, or leave it out.")
    return None if backup_dir is None else pathlib.Path(backup_dir)


def _silent(*_: Any, **__: Any) -> None:
    pass


def _lines(say: Callable[..., None]) -> Progress:
    return lambda done, total, text: say(f"{text} ({done} of {total})")


def _completes(model: keras.Model, guard: GuardedRun, **arguments: Any) -> bool:
    """Run `model.fit`; return whether it came to its end, and was not interrupted by Ctrl-C."""
    try:
        model.fit(**arguments)
    except KeyboardInterrupt:
        return False
    finally:
        guard.close()
    return True


def _ends_dead(model: keras.Model, data: TrainingData, seed: int) -> bool:
    """Return whether the network has died, as far as a batch tells; a generator has none left."""
    if data.is_generator or executed_together(model) > 1:
        return False
    with borrowed(model) as steps:
        return is_dead(steps, most_telling(data.batches(steps, LOOKED_THROUGH, seed)))


def _identity(
    model: keras.Model, data: TrainingData, batch_size: int | None, initial_epoch: int, epochs: int
) -> dict[str, Any]:
    """Return what must be the same in a run that goes on, and refuse data whose place cannot be found again."""
    data.check_position()
    steps = {"steps per epoch": int(data.steps_per_epoch), "batch size": batch_size and int(batch_size)}
    return {"epochs": f"{initial_epoch} to {epochs}", **steps, **described(model)}


def _raced_before(found: Checkpoint) -> RaceResult:
    plan: dict[str, Any] = {name: value for name, value in found.facts["plan"].items() if name != "updates_made"}
    plan |= {name: np.asarray(value) for name, value in plan.items() if isinstance(value, list)}
    return RaceResult(**plan)


def _flat(callbacks: Any) -> list[keras.callbacks.Callback]:
    """Return the callbacks as `model.fit` takes them: one, several, nested, or as a `CallbackList`."""
    if isinstance(callbacks, keras.callbacks.CallbackList):
        return list(callbacks.callbacks)
    return [] if callbacks is None else list(keras.tree.flatten(callbacks))
