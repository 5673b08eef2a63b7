"""What if I have to give a rate, and it is far too high?

Run: KERAS_BACKEND=jax python examples/survive_a_wrong_rate.py
"""

import keras
from sklearn.datasets import load_digits

import keras_lr


def main(epochs: int = 10) -> tuple[float, float]:
    digits = load_digits()
    x, y = (digits.data / 16).astype("float32"), digits.target.astype("int32")

    def trained(callbacks: list[keras.callbacks.Callback]) -> float:
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [keras.Input((64,)), keras.layers.Dense(128, activation="relu"), keras.layers.Dense(10)]
        )
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer=keras.optimizers.SGD(30.0, momentum=0.9), loss=loss)
        return model.fit(x, y, epochs=epochs, verbose=0, callbacks=callbacks).history["loss"][-1]

    guard = keras_lr.callbacks.Guard()
    alone, guarded = trained([]), trained([guard])
    print(f"loss at the end without a guard {alone:.3g}, with a guard {guarded:.3g}")
    for event in guard.events:
        print(event)
    return alone, guarded


if __name__ == "__main__":
    main()
