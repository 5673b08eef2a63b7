"""How do I write, look at and use a schedule of my own?

Run: KERAS_BACKEND=jax python examples/my_own_schedule.py
"""

import keras
from sklearn.datasets import load_digits

from keras_lr import schedules


def main(epochs: int = 10) -> list[float]:
    digits = load_digits()
    x, y = (digits.data / 16).astype("float32"), digits.target.astype("int32")
    total_steps = epochs * -(-len(x) // 32)

    # Warm up, hold, and fall to zero over the last 30 %; a schedule is an ordinary Keras LearningRateSchedule.
    schedule = schedules.WSD(
        3e-3, total_steps, warmup_steps=max(1, total_steps // 20), decay_steps=round(0.3 * total_steps)
    )
    for step in range(0, total_steps, total_steps // 8):
        print(f"rate at step {step:3d} of {total_steps}: {schedule.values(step):.2g}")

    model = keras.Sequential(
        [keras.Input((64,)), keras.layers.Dense(128, activation="relu"), keras.layers.Dense(10, activation="softmax")]
    )
    model.compile(optimizer=keras.optimizers.Adam(schedule), loss="sparse_categorical_crossentropy")
    losses = model.fit(x, y, epochs=epochs, verbose=0).history["loss"]
    print(f"loss {losses[0]:.3g} -> {losses[-1]:.3g}")
    return losses


if __name__ == "__main__":
    main()
