"""`keras_lr.fit` on regressions whose targets are not around 0, with and without its rule for them.

    KERAS_BACKEND=jax python benchmarks/unscaled_targets.py [--tasks waves,friedman,...] [--seeds 3] [--smoke]

A network begins with answers around 0, and a dozen steps teach it little but the mean of such targets. With the rule,
what that wins does not count as learnt. Held-out loss over the lowest of 8 constant rates half a decade apart, from the
same weights; 1 = as good as the best of these. `--smoke` makes one short run of each, against two rates.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from unittest import mock

import keras
import numpy as np
from dead_networks import OPTIMIZERS, Arrays
from keras import layers
from sklearn import datasets
from tables import table

import keras_lr

RATES = 10.0 ** np.arange(-3.5, 0.1, 0.5)


@dataclass(frozen=True)
class Task:
    """Data, the widths of a network, how often it sees the rows, and with which optimizers."""

    load: Callable[[], Arrays]
    widths: tuple[int, ...]
    epochs: int
    optimizers: tuple[str, ...] = ("adam", "momentum")
    activation: str = "relu"


def diabetes() -> Arrays:
    x, y = datasets.load_diabetes(return_X_y=True)
    return x / x.std(axis=0), y / 100  # of 1.5 on average, with a standard deviation of 0.8


def friedman() -> Arrays:
    x, y = datasets.make_friedman1(2000, noise=1.0, random_state=0)
    return (x - 0.5) * 12**0.5, y  # 14, 5


def digit() -> Arrays:
    x, y = datasets.load_digits(return_X_y=True)
    return x / 16, y  # 4.5, 2.9


def made_up(rows: int, inputs: int, answer: Callable[[np.ndarray, np.random.Generator], np.ndarray]) -> Arrays:
    random = np.random.default_rng(0)
    x = random.uniform(-1.73, 1.73, (rows, inputs))
    return x, answer(x.T, random)


def waves() -> Arrays:
    return made_up(2000, 2, lambda x, _: 2 + 0.3 * np.sin(2.3 * x[0]) * np.cos(1.7 * x[1]))  # 2, 0.2


def line() -> Arrays:
    return made_up(2000, 10, lambda x, _: 5 + (x[:5].sum(axis=0) - x[5:].sum(axis=0)) / 3)  # 5, 1


def noisy() -> Arrays:
    return made_up(600, 8, lambda x, random: 6 + x[0] * x[1] + x[2] + random.normal(size=600))  # 6, 1.7


def prices() -> Arrays:
    def answer(x: np.ndarray, random: np.random.Generator) -> np.ndarray:
        return np.exp(1 + 0.5 * x[0] + 0.3 * x[1] * x[2] + 0.2 * random.normal(size=x.shape[1]))

    return made_up(4000, 12, answer)  # 3.3, 2.2


TASKS = {
    "diabetes": Task(diabetes, (32, 16), 30),
    "diabetes_long": Task(diabetes, (32, 16), 100, ("adam",)),
    "friedman": Task(friedman, (64, 64), 20),
    "digit": Task(digit, (64, 64), 10),
    "digit_sigmoid": Task(digit, (64, 64), 10, ("adam",), "sigmoid"),
    "waves": Task(waves, (64, 64), 30),
    "waves_short": Task(waves, (64, 64), 4, ("adam",)),
    "line": Task(line, (32,), 20),
    "noisy": Task(noisy, (64, 64), 10),
    "noisy_long": Task(noisy, (64, 64), 40),
    "prices": Task(prices, (64, 64), 20, ("adam", "momentum", "rmsprop")),
}


def parted(task: Task, seed: int) -> tuple[np.ndarray, ...]:
    """Return rows to train on and a quarter that is held out: x, y, x, y."""
    x, y = task.load()
    order = np.random.default_rng(seed).permutation(len(x))
    x, y = x[order].astype("float32"), y[order, None].astype("float32")
    kept = len(x) * 3 // 4
    return x[:kept], y[:kept], x[kept:], y[kept:]


def trained(task: Task, optimizer: str, seed: int, epochs: int, rate: float | None) -> tuple[float, float]:
    """Return the rate, found where none is given, and the held-out loss."""
    x, y, *held_out = parted(task, seed)
    keras.utils.set_random_seed(seed)
    hidden = [layers.Dense(width, activation=task.activation) for width in task.widths]
    model = keras.Sequential([keras.Input(x.shape[1:]), *hidden, layers.Dense(1)])
    model.compile(OPTIMIZERS[optimizer](), loss="mse")
    if rate is None:
        rate = keras_lr.fit(model, x, y, epochs=epochs, batch_size=32, verbose=0).learning_rate
    else:
        model.optimizer.learning_rate = rate
        model.fit(x, y, epochs=epochs, batch_size=32, verbose=0)
    loss = float(model.evaluate(*held_out, verbose=0))
    return rate, loss if np.isfinite(loss) else np.inf


def main() -> None:
    """Run what the command line asks for, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--smoke", action="store_true")
    arguments = parser.parse_args()
    seeds, rates = (1, RATES[[0, 2]]) if arguments.smoke else (arguments.seeds, RATES)
    rows, ratios = [], []
    for name in arguments.tasks.split(","):
        task = TASKS[name]
        epochs = 2 if arguments.smoke else task.epochs
        for optimizer in task.optimizers:
            for seed in range(seeds):
                run = (task, optimizer, seed, epochs)
                best = min(trained(*run, rate)[1] for rate in rates)
                with mock.patch("keras_lr.finder._race.constant_loss", return_value=np.inf):
                    _, without = trained(*run, None)
                rate, loss = trained(*run, None)
                ratios.append((without / best, loss / best))
                found = [f"{best:.3g}", f"{without / best:.2f}", f"{loss / best:.2f}", f"{rate:.2g}"]
                rows.append([name, optimizer, str(seed), *found])
    print(f"{keras.backend.backend()}\n{table(['task', 'optimizer', 'seed', 'best', 'without', 'with', 'rate'], rows)}")
    for label, column in zip(("without", "with"), np.array(ratios).T, strict=True):
        mean, worst = np.exp(np.mean(np.log(column))), np.max(column)
        print(f"{label:8} geometric mean {mean:.2f}, median {np.median(column):.2f}, worst {worst:.3g}")


if __name__ == "__main__":
    main()
