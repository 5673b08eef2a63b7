"""`keras_lr.fit` in runs of 20 to 200 steps, against a grid of peaks with the same schedule and the default rate.

    KERAS_BACKEND=jax python benchmarks/short_runs.py [--tasks chosen | reported | slow | plateau | digits_mlp,...]
        [--optimizers sgd,momentum,adam] [--steps 20,50,100,200] [--seeds 2] [--output runs.csv]

Digits, MNIST and Fashion-MNIST; fully connected and convolutional, with and without BatchNormalization; SGD, SGD with
momentum 0.9, Adam. The gap is (loss - best) / (ln 10 - best) on held-out rows, where `best` is the lowest loss of 13
peaks a quarter of a decade apart, trained with the schedule of `fit`; 0 = as good as the best of these, 1 = nothing
learnt. A run that ends above ln 10 counts as 1, and one with a gap above 0.5 as lost. The first rules were chosen on
the tasks `chosen`, the last one, of losses that fall faster and faster, on these and `reported`. The tasks `slow` were
written afterwards: networks on digits whose loss begins to fall only after some steps; and so were those of `plateau`,
which a dozen steps at no rate bring off it.
"""

import argparse
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import keras
import numpy as np
from _data import images
from keras import layers
from sklearn import datasets
from tables import save, table
from workload import Data, Feed, classes_loss

import keras_lr
from keras_lr._fit_plan import run_schedule
from keras_lr.finder import _ladder
from keras_lr.finder._lanes import Lanes
from keras_lr.training._borrow import borrowed, prepare
from keras_lr.training._training_data import TrainingData

NOTHING_LEARNT = math.log(10)
PEAKS = 13
LOST = 0.5
OPTIMIZERS: dict[str, Callable[[], keras.optimizers.Optimizer]] = {
    "sgd": lambda: keras.optimizers.SGD(),
    "momentum": lambda: keras.optimizers.SGD(momentum=0.9),
    "adam": lambda: keras.optimizers.Adam(),
}


@dataclass(frozen=True)
class Task:
    """A classification into ten classes."""

    load: Callable[[], Data]
    build: Callable[[], keras.Model]
    batch_size: int


@dataclass(frozen=True)
class Result:
    """One run of ours, the best of the grid and the default rate, on the same batches from the same weights."""

    task: str
    optimizer: str
    steps: int
    seed: int
    best_rate: float
    best_loss: float
    default_gap: float
    rate: float
    gap: float
    cost: float
    events: int


@cache
def digits() -> Data:
    x, y = datasets.load_digits(return_X_y=True)
    order = np.random.default_rng(7).permutation(len(y))
    x, y = (x / 16).astype("float32")[order].reshape(-1, 8, 8, 1), y[order].astype("int32")
    return Data(x[400:], y[400:], x[:400], y[:400])


def pictures(folder: str) -> Callable[[], Data]:
    def load() -> Data:
        x, y, x_test, y_test = images(folder)
        return Data(x[:12_800], y[:12_800], x_test[:2000], y_test[:2000])

    return load


def connected(
    side: int, *widths: int, activation: str = "relu", deviation: float | None = None, last: str = "glorot_uniform"
) -> Callable[[], keras.Model]:
    """Return what builds a network; its hidden weights begin with the deviation, or as Keras begins them."""

    def build() -> keras.Model:
        def hidden(width: int) -> layers.Dense:
            first = "glorot_uniform" if deviation is None else keras.initializers.RandomNormal(stddev=deviation)
            return layers.Dense(width, activation=activation, kernel_initializer=first)

        inputs = [keras.Input((side, side, 1)), layers.Flatten()]
        return keras.Sequential([*inputs, *map(hidden, widths), layers.Dense(10, kernel_initializer=last)])

    return build


@cache
def symbols() -> Data:
    """Return the digits as rows of 64 symbols."""
    data = digits()
    x, x_validation = ((part.reshape(-1, 64) * 16).astype("int32") for part in (data.x, data.x_validation))
    return Data(x, data.y, x_validation, data.y_validation)


def embedded(*widths: int) -> Callable[[], keras.Model]:
    def build() -> keras.Model:
        hidden = [layers.Dense(width, activation="relu") for width in widths]
        embedding = [keras.Input((64,), dtype="int32"), layers.Embedding(17, 4), layers.Flatten()]
        return keras.Sequential([*embedding, *hidden, layers.Dense(10)])

    return build


def convolutional(side: int, *filters: int, normalised: bool = False, dense: int = 64) -> Callable[[], keras.Model]:
    def build() -> keras.Model:
        model = keras.Sequential([keras.Input((side, side, 1))])
        for count in filters:
            model.add(layers.Conv2D(count, 3, strides=2, padding="same", use_bias=not normalised))
            if normalised:
                model.add(layers.BatchNormalization())
            model.add(layers.Activation("relu"))
        model.add(layers.Flatten())
        model.add(layers.Dense(dense, activation="relu"))
        model.add(layers.Dense(10))
        return model

    return build


CHOSEN = {
    "digits_mlp": Task(digits, connected(8, 64, 64), 32),
    "digits_cnn": Task(digits, convolutional(8, 16, 32, dense=32), 32),
    "digits_cnn_bn": Task(digits, convolutional(8, 16, 32, normalised=True, dense=32), 32),
    "mnist_mlp": Task(pictures("mnist"), connected(28, 128, 64), 64),
    "fashion_cnn": Task(pictures("fashion-mnist"), convolutional(28, 16, 32), 128),
    "digits_mlp3": Task(digits, connected(8, 32, 32, 32), 32),
    "digits_cnn3": Task(digits, convolutional(8, 16, 16, 32, dense=32), 32),
    "mnist_mlp3": Task(pictures("mnist"), connected(28, 64, 64, 64), 64),
    "mnist_cnn2": Task(pictures("mnist"), convolutional(28, 8, 16), 64),
    "fashion_mlp4": Task(pictures("fashion-mnist"), connected(28, 64, 64, 64, 64), 64),
    "fashion_cnn3": Task(pictures("fashion-mnist"), convolutional(28, 16, 32, 32), 64),
}
REPORTED = {
    "digits_deep": Task(digits, connected(8, 48, 48, 48, 48), 32),
    "mnist_cnn": Task(pictures("mnist"), convolutional(28, 16, 32, 32), 64),
    "mnist_cnn_bn": Task(pictures("mnist"), convolutional(28, 16, 32, normalised=True), 64),
    "fashion_mlp": Task(pictures("fashion-mnist"), connected(28, 128), 128),
    "fashion_cnn_bn": Task(pictures("fashion-mnist"), convolutional(28, 16, 32, normalised=True), 128),
}
SLOW = {
    "digits_sigmoid": Task(digits, connected(8, 64, 64, activation="sigmoid"), 32),
    "digits_small_weights": Task(digits, connected(8, 64, 64, deviation=0.01), 32),
    "digits_last_zero": Task(digits, connected(8, 64, 64, last="zeros"), 32),
    "symbols_mlp": Task(symbols, embedded(64), 32),
    "symbols_mlp2": Task(symbols, embedded(64, 64), 32),
}
PLATEAU = {
    "plateau_relu": Task(digits, connected(8, 48, 48, 48, deviation=0.01), 32),
    "plateau_tanh": Task(digits, connected(8, 48, 48, 48, activation="tanh", deviation=0.01), 32),
    "plateau_higher": Task(digits, connected(8, 48, 48, 48, deviation=0.03), 32),
}
TASKS = CHOSEN | REPORTED | SLOW | PLATEAU


def compiled(task: Task, optimizer: str, seed: int) -> keras.Model:
    keras.utils.set_random_seed(seed)
    model = task.build()
    model.compile(OPTIMIZERS[optimizer](), classes_loss())
    return model


def held_out_loss(model: keras.Model, data: Data) -> float:
    outputs = np.asarray(model.predict(data.x_validation, batch_size=500, verbose=0))
    loss = float(keras.ops.convert_to_numpy(classes_loss()(data.y_validation, outputs)))
    return loss if math.isfinite(loss) else math.inf


def grid(task: Task, data: Data, optimizer: str, steps: int, seed: int) -> tuple[dict[float, float], float]:
    """The held-out loss of every peak with the schedule of `fit`, and that of the default rate, held constant."""
    model = compiled(task, optimizer, seed)
    source = TrainingData(Feed(data, task.batch_size, steps, seed))
    prepare(model, source.example())
    default = float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))
    with borrowed(model) as trainer:
        batches = source.batches(trainer, steps, seed)
        lanes = Lanes(trainer, batches, 1)

        def loss_after(rates: np.ndarray) -> float:
            lanes.train(rates)
            trainer.finish()
            loss = held_out_loss(model, data)
            trainer.start()
            return loss

        peaks = _ladder.centre(lanes.movement) * 10.0 ** (0.25 * (np.arange(PEAKS) - PEAKS // 2))
        found = {float(peak): loss_after(run_schedule(peak, steps).values(np.arange(steps))) for peak in peaks}
        return found, loss_after(np.full(steps, default))


def compare(name: str, optimizer: str, steps: int, seed: int) -> Result:
    """Train without a rate, and with each rate of the grid."""
    task = TASKS[name]
    data = task.load()
    losses, default = grid(task, data, optimizer, steps, seed)
    best_rate = min(losses, key=lambda rate: losses[rate])
    best = losses[best_rate]

    def gap(loss: float) -> float:
        return min(1.0, (loss - best) / (NOTHING_LEARNT - best))

    model = compiled(task, optimizer, seed)
    result = keras_lr.fit(model, Feed(data, task.batch_size, steps, seed), verbose=0, shuffle=False)
    cost = result.total_steps / steps
    ours = gap(held_out_loss(model, data))
    found = (result.learning_rate, ours, cost, len(result.events))
    return Result(name, optimizer, steps, seed, best_rate, best, gap(default), *found)


def summary(results: list[Result]) -> str:
    """One row for every number of steps and optimizer, over tasks and seeds."""
    header = ["steps, optimizer", "our gap: mean", "median", "worst", "default's mean", "cost", "lost", "events"]
    rows = []
    keys = list(dict.fromkeys((r.steps, r.optimizer) for r in results))
    for key in [*sorted(keys), None]:
        some = [r for r in results if key in (None, (r.steps, r.optimizer))]
        gaps = [r.gap for r in some]
        rows.append(
            [
                f"{key[0]}, {key[1]}" if key else "all",
                f"{np.mean(gaps):.3f}",
                f"{np.median(gaps):.3f}",
                f"{max(gaps):.3f}",
                f"{np.mean([r.default_gap for r in some]):.3f}",
                f"{np.mean([r.cost for r in some]):.2f}",
                f"{sum(g > LOST for g in gaps)} of {len(gaps)}",
                str(sum(r.events for r in some)),
            ]
        )
    return table(header, rows)


def main() -> None:
    """Run what the command line asks for, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", default="reported")
    parser.add_argument("--optimizers", default=",".join(OPTIMIZERS))
    parser.add_argument("--steps", default="20,50,100,200")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--output", type=Path, help="a CSV file for the runs")
    given = parser.parse_args()
    groups = {"chosen": list(CHOSEN), "reported": list(REPORTED), "slow": list(SLOW), "plateau": list(PLATEAU)}
    results = []
    for name in groups.get(given.tasks, given.tasks.split(",")):
        for optimizer in given.optimizers.split(","):
            for steps in map(int, given.steps.split(",")):
                for seed in range(given.seeds):
                    r = compare(name, optimizer, steps, seed)
                    results.append(r)
                    print(
                        f"{name} {optimizer} {steps} steps, seed {seed}: rate {r.rate:.3g} (best {r.best_rate:.3g}), "
                        f"gap {r.gap:.3f}, default's {r.default_gap:.3f}, {r.events} events",
                        flush=True,
                    )
        if given.output:
            save(given.output, [asdict(r) for r in results])
    print(f"\n{keras.backend.backend()}\n{summary(results)}")


if __name__ == "__main__":
    main()
