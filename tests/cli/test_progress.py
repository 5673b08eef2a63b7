"""How far a training has come."""

import io
import re
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from rich.console import Console

from keras_lr.cli import _progress
from keras_lr.cli._progress import Watched

pytestmark = pytest.mark.above_backends


def test_the_bar_counts_the_steps_of_all_epochs_and_the_race(monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(_progress, "Console", lambda stderr: Console(file=screen, force_terminal=True, width=100))
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mse", metrics=[keras.metrics.F1Score()])  # a metric of several values
    with Watched() as watched:
        watched.race(1, 2, "racing the rate 0.01")
        watched.race(2, 2, "racing the rate 0.1")
        watched.race(3, 3, "racing a further rate")  # a race may grow
        model.fit(
            np.ones((40, 1)), np.ones((40, 1)), batch_size=10, epochs=3, verbose=0, callbacks=[watched.training()]
        )
    assert "/12" in screen.getvalue()
    assert re.search(r"epoch 3/3 .*\bloss \d", screen.getvalue())


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="Keras refuses steps_per_execution above 1 on PyTorch")
def test_steps_that_are_executed_together_are_counted_together():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mse", steps_per_execution=2)
    completed = []
    with Watched() as watched:
        look = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: completed.append(watched._progress.tasks[0].completed)
        )
        x = np.ones((40, 1))
        model.fit(x, x, batch_size=10, epochs=2, verbose=0, callbacks=[watched.training(), look])
    assert completed == [4, 8]


@pytest.mark.parametrize("done", [0, 1])
def test_a_run_that_goes_on_has_its_first_epochs_behind_it_and_compiling_is_not_counted_twice(monkeypatch, done):
    screen, seconds, completed = io.StringIO(), [0.0], []
    monkeypatch.setattr(_progress, "Console", lambda stderr: Console(file=screen, width=100))
    monkeypatch.setattr(_progress, "time", SimpleNamespace(monotonic=lambda: seconds[0]))

    class Clock(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seconds[0] += 100.0 if seconds[0] == 0.0 else 1.0  # the first batch compiles

        def on_epoch_end(self, epoch, logs=None):
            completed.append(watched._progress.tasks[0].completed)

    model, x = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]), np.ones((40, 1))
    model.compile(optimizer="sgd", loss="mse")
    with Watched() as watched:
        callbacks = [Clock(), watched.training()]
        model.fit(x, x, batch_size=10, initial_epoch=done, epochs=3, verbose=0, callbacks=callbacks)
    assert completed == [4, 8, 12][done:]
    lines = screen.getvalue().splitlines()
    assert lines[0].startswith(f"training  epoch {done + 1}/3")
    assert lines[0].endswith(f"{3 * (2 - done)} s left")
