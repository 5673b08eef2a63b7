"""What it is worth that a race looks for lanes that died: `keras_lr.fit` with and without.

    KERAS_BACKEND=torch python benchmarks/dead_networks.py [--tasks pixels,lower_half] [--seeds 3] [--smoke]

Tasks that a constant prediction solves in part, on networks of ReLUs, with three optimizers. A loss is that on held-out
rows, over that of the best constant. `--smoke` makes one short run of each.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from unittest import mock

import keras
import numpy as np
from keras import layers
from sklearn import datasets

import keras_lr
from keras_lr.finder._lanes import Lanes

Arrays = tuple[np.ndarray, np.ndarray]
ROWS = 1000  # to train on; the others are held out
WIDTHS = ((64, 64), (32, 8, 32), (32, 32, 32, 32, 32))
OPTIMIZERS = {
    "adam": lambda: keras.optimizers.Adam(),
    "momentum": lambda: keras.optimizers.SGD(momentum=0.9),
    "rmsprop": lambda: keras.optimizers.RMSprop(),
}


@dataclass(frozen=True)
class Task:
    """Data, and what the last layer and the loss are."""

    load: Callable[[], Arrays]
    loss: str
    activation: str | None = None


def pixels() -> Arrays:
    x = (datasets.load_digits().data / 16).astype("float32")
    return x, x


def lower_half() -> Arrays:
    x, _ = pixels()
    return x[:, :32], x[:, 32:]


def made_up(answer: Callable[[np.ndarray], np.ndarray]) -> Callable[[], Arrays]:
    def load() -> Arrays:
        x = np.random.default_rng(1).normal(size=(1500, 6)).astype("float32")
        return x, answer(x.T)[:, None].astype("float32")

    return load


TASKS = {
    "pixels": Task(pixels, "binary_crossentropy", "sigmoid"),
    "pixels_relu": Task(pixels, "mse", "relu"),
    "lower_half": Task(lower_half, "mse", "relu"),
    "rare_event": Task(made_up(lambda x: x[0] + x[1] ** 2 > 3), "binary_crossentropy", "sigmoid"),
    "sign_of_product": Task(made_up(lambda x: x[0] * x[1] * x[2] > 0), "binary_crossentropy", "sigmoid"),
    "exponential": Task(made_up(lambda x: np.exp(x[0] + 0.5 * x[1])), "mse", "relu"),
    "sine_and_product": Task(made_up(lambda x: np.sin(x[0]) + x[1] * x[2] + 5), "mse"),
}


def fitted(task: Task, widths: tuple[int, ...], optimizer: str, seed: int, epochs: int) -> tuple[float, float, bool]:
    """Train without a rate; return the rate that was found, the loss, and whether the network answers all alike."""
    x, y = task.load()
    keras.utils.set_random_seed(seed)
    hidden = [layers.Dense(width, activation="relu") for width in widths]
    last = layers.Dense(y.shape[1], activation=task.activation)
    model = keras.Sequential([keras.Input(x.shape[1:]), *hidden, last])
    model.compile(OPTIMIZERS[optimizer](), loss=task.loss)
    found = keras_lr.fit(model, x[:ROWS], y[:ROWS], epochs=epochs, batch_size=32, verbose=0)
    held_out = y[ROWS:]
    best_constant = np.broadcast_to(y[:ROWS].mean(axis=0), held_out.shape)
    to_beat = np.mean(keras.ops.convert_to_numpy(keras.losses.get(task.loss)(held_out, best_constant)))
    outputs = model.predict(x[ROWS:], verbose=0)
    loss = model.evaluate(x[ROWS:], held_out, verbose=0) / to_beat
    return found.learning_rate, float(loss), bool(np.max(np.ptp(outputs, axis=0)) < 1e-5)


def main() -> None:
    """Run what the command line asks for; print the runs that differ, and the sums."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--smoke", action="store_true")
    arguments = parser.parse_args()
    widths, seeds, epochs = (WIDTHS[:1], 1, 2) if arguments.smoke else (WIDTHS, arguments.seeds, 8)
    with_look, without = [], []
    for name in arguments.tasks.split(","):
        for shape in widths:
            for optimizer in OPTIMIZERS:
                for seed in range(seeds):
                    run = (TASKS[name], shape, optimizer, seed, epochs)
                    with_look.append(fitted(*run))
                    with mock.patch.object(Lanes, "died", return_value=False):
                        without.append(fitted(*run))
                    (rate, loss, _), (old_rate, old_loss, _) = with_look[-1], without[-1]
                    if rate != old_rate:
                        found = f"{loss:.3f} at {rate:.3g}, without {old_loss:.3f} at {old_rate:.3g}"
                        print(f"{name} {shape} {optimizer} seed {seed}: {found}", flush=True)
    better = sum(one[1] < other[1] for one, other in zip(with_look, without, strict=True))
    worse = sum(one[1] > other[1] for one, other in zip(with_look, without, strict=True))
    print(f"{len(without)} pairs of runs: {better} end lower with the look, {worse} higher")
    for label, runs in (("with", with_look), ("without", without)):
        losses = [loss for _, loss, _ in runs]
        print(f"{label:8} mean loss {np.mean(losses):.3f}, answering all alike {sum(dead for *_, dead in runs)}")


if __name__ == "__main__":
    main()
