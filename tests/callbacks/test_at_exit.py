"""A guarded training that an exception ended leaves nothing behind, however the process goes on."""

import gc
import subprocess
import sys
from contextlib import nullcontext
from weakref import ref

import keras
import numpy as np
import pytest
from keras import layers

import keras_lr

PROGRAM = """
import keras, numpy as np
import keras_lr

class Breaks(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        raise RuntimeError("the only error")

model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
model.compile(optimizer="sgd", loss="mse")
x = np.ones((8, 2), dtype="float32")
model.fit(x, x[:, :1], verbose=0, callbacks=[keras_lr.callbacks.Guard(), Breaks()])
"""


def test_a_process_that_an_error_ends_says_nothing_else():
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=240)
    assert ended.stderr.splitlines()[-1] == "RuntimeError: the only error"
    assert "Exception ignored" not in ended.stderr


@pytest.mark.parametrize("readable", [True, False])
def test_closing_a_guard_gives_the_rate_back_also_where_the_weights_cannot_be_read(readable, monkeypatch):
    def breaks():
        raise ArithmeticError("no weights")

    class Interrupts(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if not readable:
                monkeypatch.setattr(guard._run._steps, "whole", breaks)
            raise KeyboardInterrupt

    model = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.5), loss="mse")
    x = np.ones((8, 2), dtype="float32")
    guard = keras_lr.callbacks.Guard(learning_rate=lambda step: 0.1)
    guard.close()  # before there is anything to close
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, x[:, :1], verbose=0, callbacks=[guard, Interrupts()])
    with nullcontext() if readable else pytest.raises(ArithmeticError, match="no weights"):
        guard.close()
    assert float(keras.ops.convert_to_numpy(model.optimizer.learning_rate)) == 0.5
    guard.close()
    model.fit(x, x[:, :1], verbose=0)


def test_a_guard_that_refuses_a_model_leaves_it_as_it_was():
    class OfTwoOptimizers(keras.Model):
        def train_step(self, *given):
            return super().train_step(*given)

    inputs = keras.Input((2,))
    model = OfTwoOptimizers(inputs, layers.Dense(1)(inputs))
    model.compile(keras.optimizers.SGD(0.5), loss="mse")
    model.second_optimizer = keras.optimizers.SGD()
    x = np.ones((8, 2), dtype="float32")
    guard = keras_lr.callbacks.Guard()
    with pytest.raises(ValueError, match="second_optimizer"):
        model.fit(x, x[:, :1], verbose=0, callbacks=[guard])
    guard.close()
    assert not {"_assert_compile_called", "reset_metrics"} & set(vars(model))
    model.fit(x, x[:, :1], verbose=0)


def test_the_garbage_collector_sets_no_variable_of_a_training_that_was_broken_off(monkeypatch):
    class Interrupts(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            raise KeyboardInterrupt

    def break_off():
        model = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
        model.compile(keras.optimizers.SGD(0.5), loss="mse")
        x = np.ones((8, 2), dtype="float32")
        with pytest.raises(KeyboardInterrupt):
            model.fit(x, x[:, :1], verbose=0, callbacks=[keras_lr.callbacks.Guard(), Interrupts()])
        return ref(model)

    left, assigned = break_off(), []
    monkeypatch.setattr(keras.Variable, "assign", lambda variable, value: assigned.append(variable.name))
    gc.collect()  # which Python may also do where TensorFlow makes an operation, and setting one waits for it
    assert left() is None
    assert assigned == []
