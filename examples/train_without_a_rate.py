"""How do I train a model without choosing a learning rate?

Run: KERAS_BACKEND=jax python examples/train_without_a_rate.py
"""

import keras
from sklearn.datasets import load_digits

import keras_lr


def main(epochs: int = 20) -> keras_lr.FitResult:
    digits = load_digits()
    x, y = (digits.data / 16).astype("float32"), digits.target.astype("int32")
    model = keras.Sequential(
        [keras.Input((64,)), keras.layers.Dense(128, activation="relu"), keras.layers.Dense(10, activation="softmax")]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])

    result = keras_lr.fit(model, x[:1300], y[:1300], epochs=epochs, validation_data=(x[1300:], y[1300:]), verbose=0)
    print(result)
    return result


if __name__ == "__main__":
    main().save("report.html")
