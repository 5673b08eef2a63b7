"""Training is slow: is the learning rate too low, and by what factor?

Run: KERAS_BACKEND=jax python examples/is_this_rate_too_low.py
"""

import keras
from sklearn.datasets import load_digits

import keras_lr


def main(epochs: int = 10) -> tuple[float, float]:
    digits = load_digits()
    x, y = (digits.data / 16).astype("float32"), digits.target.astype("int32")
    model = keras.Sequential(
        [keras.Input((64,)), keras.layers.Dense(64, activation="relu"), keras.layers.Dense(10, activation="softmax")]
    )
    model.compile(optimizer=keras.optimizers.Adam(1e-5), loss="sparse_categorical_crossentropy")

    # While it trains: how much of the way to the lowest loss of its batch does a step go?
    monitor = keras_lr.callbacks.Monitor(every=10)
    before = model.fit(x, y, epochs=epochs, verbose=0, callbacks=[monitor]).history["loss"]
    print(monitor.diagnosis(), end="\n\n")

    # By what factor: the model is asked where it stands, and is afterwards as it was.
    diagnosis = keras_lr.diagnose(model, x, y, epochs=epochs)
    print(diagnosis)

    keras_lr.set_learning_rate(model, diagnosis.suggested_learning_rate)
    after = model.fit(x, y, epochs=epochs, verbose=0).history["loss"]
    print(f"\n{epochs} epochs at the old rate: loss {before[-1]:.3g}; as many at the new one: {after[-1]:.3g}")
    return before[-1], after[-1]


if __name__ == "__main__":
    main()
