"""How far a training has come."""

import io
import re

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
