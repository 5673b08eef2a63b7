"""The demonstration: real handwritten digits, the default Adam beside keras-lr, from the same weights, equally long."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

import keras_lr
from keras_lr.report import Chart, Line, Report, Shown, Table, Text
from keras_lr.report._extras import needed
from keras_lr.task import Task
from keras_lr.training._progress import Progress

EPOCHS = 10
BATCH_SIZE = 32
HELD_OUT = 500  # of 1,797 digits
SEED = 0


@dataclass(frozen=True, eq=False)
class Run:
    """One training of the demonstration.

    Attributes:
        name: how the rate was found.
        loss, accuracy: of the held-out digits at the end.
        steps: all optimizer steps, those of the race included.
        seconds: wall time, compiling and the race included.
        held_out_losses: the loss of the held-out digits after each epoch.
    """

    name: str
    loss: float
    accuracy: float
    steps: int
    seconds: float
    held_out_losses: np.ndarray


@dataclass(frozen=True, eq=False, repr=False)
class DemoResult(Shown):
    """The default Adam and keras-lr side by side.

    Attributes:
        runs: the default's, then ours.
        fit: what `keras_lr.fit` returned.
    """

    runs: tuple[Run, Run]
    fit: "keras_lr.FitResult"

    def report(self) -> Report:
        """Return the comparison, followed by how the rate was found."""
        rows = [(run.name, run.loss, f"{run.accuracy:.1%}", run.steps, run.seconds) for run in self.runs]
        epochs = np.arange(1, len(self.runs[0].held_out_losses) + 1)
        losses = [Line(run.name, epochs, run.held_out_losses) for run in self.runs]
        return Report(
            "Handwritten digits: the default Adam beside keras-lr",
            [
                Text(
                    "A small convolutional network learns 1,297 handwritten digits of 8 by 8 pixels, which "
                    f"scikit-learn ships, and is measured on {HELD_OUT} others. Both runs begin with the same "
                    "weights and train equally long."
                ),
                Table(
                    "At the end of training",
                    ("learning rate", "held-out loss", "held-out accuracy", "steps in all", "seconds in all"),
                    rows,
                    note="One run each. Steps and seconds of keras-lr include its race; seconds include compiling.",
                ),
                Chart("Loss of the held-out digits", "epoch", "loss", lines=losses, log_y=True),
                *self.fit.report().parts,
            ],
        )


def task(epochs: int = EPOCHS) -> Task:
    """Return the digits and a small convolutional network, compiled with the default Adam.

    Raises:
        ImportError: scikit-learn, which ships the digits, is not installed.
    """
    digits = needed("sklearn.datasets", "demo", "The demonstration").load_digits()
    order = np.random.default_rng(SEED).permutation(len(digits.target))
    x = (digits.images[order, :, :, None] / 16).astype("float32")
    y = digits.target[order].astype("int32")
    return Task(
        digits_model,
        x[:-HELD_OUT],
        y[:-HELD_OUT],
        validation_data=(x[-HELD_OUT:], y[-HELD_OUT:]),
        batch_size=BATCH_SIZE,
        epochs=epochs,
    )


def digits_model() -> keras.Model:
    """Return a small convolutional network for images of 8 by 8 pixels, compiled with the default Adam."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=loss, metrics=["accuracy"])
    return model


def run(
    epochs: int = EPOCHS,
    *,
    watch: Callable[[str], Sequence[keras.callbacks.Callback]] = lambda name: (),
    progress: Progress | bool = True,
) -> DemoResult:
    """Train with the default Adam, then with keras-lr.

    Args:
        epochs: of each training.
        watch: returns callbacks for the training of a name.
        progress: follows the race, as in `keras_lr.fit`.
    """
    problem = task(epochs)
    arguments: dict[str, Any] = problem.fit_arguments() | {"verbose": 0}

    default, began = problem.model(SEED), time.perf_counter()
    history = default.fit(**arguments, callbacks=[*watch("Adam(1e-3)")]).history
    steps = int(default.optimizer.iterations)
    theirs = _run("the default, 0.001", default, problem, history, steps, began)

    model, began = problem.model(SEED), time.perf_counter()
    fit = keras_lr.fit(model, **arguments, callbacks=[*watch("keras-lr")], progress=progress)
    ours = _run(f"keras-lr's, {fit.learning_rate:.2g} at its peak", model, problem, fit.history, fit.total_steps, began)
    return DemoResult((theirs, ours), fit)


def _run(name: str, model: keras.Model, problem: Task, history: dict[str, Any], steps: int, began: float) -> Run:
    seconds = time.perf_counter() - began
    loss, accuracy = model.evaluate(*problem.validation_data, batch_size=HELD_OUT, verbose=0)
    return Run(name, float(loss), float(accuracy), steps, seconds, np.asarray(history["val_loss"]))
