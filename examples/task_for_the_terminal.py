"""How do I hand a problem to the terminal?

Run: KERAS_BACKEND=jax keras-lr fit examples/task_for_the_terminal.py --report report.html --save digits.keras
Or:  KERAS_BACKEND=jax keras-lr race examples/task_for_the_terminal.py
"""

import keras
from sklearn.datasets import load_digits

import keras_lr


def build_model() -> keras.Model:
    model = keras.Sequential(
        [keras.Input((64,)), keras.layers.Dense(128, activation="relu"), keras.layers.Dense(10, activation="softmax")]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def task() -> keras_lr.Task:
    digits = load_digits()
    x, y = (digits.data / 16).astype("float32"), digits.target.astype("int32")
    held_out = (x[1300:], y[1300:])
    return keras_lr.Task(build_model, x[:1300], y[:1300], validation_data=held_out, batch_size=32, epochs=20)
