"""A small problem of which everything that a seed decides has a part: weights, order of the data, dropout."""

import keras
import numpy as np
from keras import layers

import keras_lr

X = np.random.default_rng(0).normal(size=(72, 4)).astype("float32")
Y = (X[:, :1] * X[:, 1:2] + 0.1 * X[:, 2:3]).astype("float32")


class Counted(keras.Model):
    """Counts how often its training step is run by Python: once a trace, or once a step where nothing is compiled."""

    traces = 0

    def train_step(self, *arguments):
        Counted.traces += 1
        return super().train_step(*arguments)


def build(optimizer=None, loss="mse", **compile_arguments):
    inputs = keras.Input((4,))
    hidden = layers.Dropout(0.2)(layers.BatchNormalization()(layers.Dense(8, activation="tanh")(inputs)))
    model = Counted(inputs, layers.Dense(1)(hidden))
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9) if optimizer is None else optimizer
    model.compile(optimizer, loss, metrics=["mae"], **compile_arguments)
    return model


def linear():
    """Return the cheapest model there is: a line without an offset, which diverges above a rate of about 1."""
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1, use_bias=False)])
    model.compile("sgd", "mse")
    return model


def classifier():
    """Return a deep model of a yes or no, which predicts NaN at a rate of 1e30."""
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(8, "relu"), layers.Dense(8, "relu"), layers.Dense(1, "sigmoid")]
    )
    model.compile("sgd", "binary_crossentropy")
    return model


def a_task(build=build, **arguments):
    held_out = {"validation_data": (X[64:], Y[64:])}
    return keras_lr.Task(build, X[:64], Y[:64], **{"batch_size": 12, "epochs": 2} | held_out | arguments)


def a_linear_task(**arguments):
    target = X @ np.ones((4, 1), "float32")
    return keras_lr.Task(linear, X, target, **{"batch_size": 12, "epochs": 2} | arguments)


def a_classification_task(**arguments):
    answers = (Y > 0).astype("float32")
    held_out = {"validation_data": (X[64:], answers[64:])}
    return keras_lr.Task(classifier, X[:64], answers[:64], **{"batch_size": 12, "epochs": 2} | held_out | arguments)
