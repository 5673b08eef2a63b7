"""Which rate does my model need, if I want to train it myself?

Run: KERAS_BACKEND=jax python examples/which_rate.py
"""

import keras
from sklearn.datasets import load_digits

import keras_lr


def main(epochs: int = 20) -> keras_lr.RaceResult:
    digits = load_digits()
    x, y = (digits.data / 16).astype("float32"), digits.target.astype("int32")
    model = keras.Sequential(
        [keras.Input((64,)), keras.layers.Dense(128, activation="relu"), keras.layers.Dense(10, activation="softmax")]
    )
    model.compile(optimizer=keras.optimizers.SGD(momentum=0.9, nesterov=True), loss="sparse_categorical_crossentropy")

    # The race borrows the model: weights, optimizer and random generators are afterwards as they were.
    race = keras_lr.race(model, x, y, epochs=epochs)
    print(race)

    model.optimizer.learning_rate = race.learning_rate
    losses = model.fit(x, y, epochs=epochs, verbose=0).history["loss"]
    print(f"\nmodel.fit at the constant rate {race.learning_rate:.3g}: loss {losses[0]:.3g} -> {losses[-1]:.3g}")
    return race


if __name__ == "__main__":
    main()
