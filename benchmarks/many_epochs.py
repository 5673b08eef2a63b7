"""`keras_lr.fit` over 5 to 50 epochs of small data, against a grid of peaks, the default rate, and without a rule.

    KERAS_BACKEND=jax python benchmarks/many_epochs.py [--tasks chosen | reported | afterwards | wine,...]
        [--optimizers adam,momentum,lion,muon] [--epochs 10,30] [--seeds 2] [--output runs.csv]

The held-out loss over the lowest of 6 peaks half a decade apart, trained with the schedule of `fit`; 1 = as good as the
best of these, and a hundredth is added to both, for a loss may be all but 0. `once` is `fit` without its rule for rows
that are seen again and again, whose exponent was chosen on the tasks `chosen`; those of `reported` had no part in it,
and `afterwards` was written last.
"""

import argparse
import gzip
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import keras
import numpy as np
from _data import data_path
from keras import layers
from other_workloads import omniglot_data
from sklearn import datasets
from tables import save, table
from workload import Data

import keras_lr
from keras_lr._fit_plan import run_schedule
from keras_lr.finder import _choice

ADDED = 0.01
OPTIMIZERS: dict[str, Callable[[float], keras.optimizers.Optimizer]] = {
    "adam": lambda rate: keras.optimizers.Adam(rate),
    "momentum": lambda rate: keras.optimizers.SGD(rate, momentum=0.9),
    "sgd": lambda rate: keras.optimizers.SGD(rate),
    "rmsprop": lambda rate: keras.optimizers.RMSprop(rate),
    "lion": lambda rate: keras.optimizers.Lion(rate),
    "muon": lambda rate: keras.optimizers.Muon(rate),
}
HIGHEST = {"adam": 0.1, "momentum": 1.0, "sgd": 3.2, "rmsprop": 0.1, "lion": 0.03, "muon": 0.3}
DEFAULT = {"adam": 0.001, "momentum": 0.01, "sgd": 0.01, "rmsprop": 0.001, "lion": 0.001, "muon": 0.001}
PEAKS = 6


@dataclass(frozen=True)
class Task:
    """Few rows, a model, a loss."""

    load: Callable[[], Data]
    build: Callable[[], keras.Model]
    loss: str = "sparse_categorical_crossentropy"
    batch_size: int = 32


@dataclass(frozen=True)
class Result:
    """Held-out losses of one run of each kind, from the same weights."""

    task: str
    optimizer: str
    epochs: int
    seed: int
    best_peak: float
    best: float
    default: float
    rate: float
    ours: float
    rate_once: float
    once: float


def parted(x: np.ndarray, y: np.ndarray, held_out: int, *, scale: float | None = None) -> Data:
    """Shuffled rows, the last ones held out; divided by a number, or to mean 0 and standard deviation 1."""
    order = np.random.default_rng(7).permutation(len(y))
    x, y = np.asarray(x, "float32")[order], y[order]
    known = x[:-held_out]
    x = x / scale if scale else (x - known.mean(0)) / np.where(known.std(0) > 0, known.std(0), 1)
    return Data(x[:-held_out], y[:-held_out], x[-held_out:], y[-held_out:])


@cache
def digits(scale: float | None = None) -> Data:
    return parted(*datasets.load_digits(return_X_y=True), 450, scale=scale)


def diabetes() -> Data:
    x, y = datasets.load_diabetes(return_X_y=True)
    return parted(x, ((y - y.mean()) / y.std()).astype("float32"), 110)


def satellite() -> Data:
    packed = np.load(data_path("satellite.npz"))
    x, classes = packed["x"], np.unique(packed["y"], return_inverse=True)[1]
    return parted(x[:4000], classes[:4000], 2500)


def flights() -> Data:
    packed = np.load(data_path("nycflights13.npz"))
    rows = np.random.default_rng(0).permutation(len(packed["month"]))[:6000]
    numbers = [packed[name][rows] for name in ("month", "day", "hour", "distance", "dep_delay", "air_time")]
    delay = packed["arr_delay"][rows].astype("float32")
    carriers = np.eye(16)[packed["carrier"][rows]]
    return parted(np.column_stack([*numbers, carriers]), (delay - delay.mean()) / delay.std(), 3000)


@cache
def syllables() -> Data:
    """Words as rows of twelve letters, and how many syllables they have, up to four."""
    lines = gzip.decompress(data_path("cmudict.dict.gz").read_bytes()).decode().splitlines()
    pairs = [line.split("#")[0].split() for line in lines]
    pairs = [pair for pair in pairs if pair[0].isascii() and pair[0].isalpha() and 3 <= len(pair[0]) <= 12]
    chosen = np.random.default_rng(0).permutation(len(pairs))[:5000]
    x, y = np.zeros((5000, 12), "int32"), np.zeros(5000, "int32")
    for row, (word, *sounds) in enumerate(pairs[i] for i in chosen):
        x[row, : len(word)] = [ord(letter) - 96 for letter in word]
        y[row] = min(4, sum(sound[-1].isdigit() for sound in sounds))
    return Data(x[:3000], y[:3000], x[3000:], y[3000:])


def shakespeare() -> Data:
    text = gzip.decompress(data_path("tinyshakespeare.txt.gz").read_bytes()).decode()[:400_000]
    codes = np.unique(list(text), return_inverse=True)[1].astype("int32")
    lines = codes[: len(codes) // 33 * 33].reshape(-1, 33)
    lines = lines[np.random.default_rng(0).permutation(len(lines))[:2500]]
    return Data(lines[:1500, :-1], lines[:1500, 1:], lines[1500:, :-1], lines[1500:, 1:])


def clothing() -> Data:
    packed = np.load(data_path("clothing32.npz"))
    held_out = [np.concatenate([packed[f"{kind}_validation"], packed[f"{kind}_test"]]) for kind in "xy"]
    return Data(packed["x_train"] / np.float32(255), packed["y_train"], held_out[0] / np.float32(255), held_out[1])


def connected(
    *widths: int, outputs: int, last: str | None = "softmax", dropout: float = 0.0
) -> Callable[[], keras.Model]:
    def build() -> keras.Model:
        hidden = [(layers.Dense(width, activation="relu"), layers.Dropout(dropout)) for width in widths]
        flat = [layer for pair in hidden for layer in pair[: 2 if dropout else 1]]
        return keras.Sequential([*flat, layers.Dense(outputs, activation=last)])

    return build


def recurrent(symbols: int, units: int, outputs: int, *, every: bool) -> Callable[[], keras.Model]:
    def build() -> keras.Model:
        inner = [layers.Embedding(symbols, 16), layers.LSTM(units, return_sequences=every)]
        return keras.Sequential([*inner, layers.Dense(outputs, activation="softmax")])

    return build


def attention() -> keras.Model:
    letters = keras.Input((12,), dtype="int32")
    x = layers.Embedding(27, 32)(letters) + layers.Embedding(12, 32)(keras.ops.arange(12))
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(4, 8)(x, x))
    x = layers.LayerNormalization()(x + layers.Dense(32)(layers.Dense(64, activation="gelu")(x)))
    return keras.Model(letters, layers.Dense(5, activation="softmax")(layers.GlobalAveragePooling1D()(x)))


def convolutional(*filters: int, units: int, outputs: int) -> Callable[[], keras.Model]:
    def build() -> keras.Model:
        inner = [layers.Conv2D(count, 3, strides=2, padding="same", activation="relu") for count in filters]
        top = [layers.Flatten(), layers.Dropout(0.3), layers.Dense(units, activation="relu")]
        return keras.Sequential([*inner, *top, layers.Dense(outputs, activation="softmax")])

    return build


CHOSEN = {
    "digits": Task(lambda: digits(16.0), connected(64, 64, outputs=10)),
    "digits_standardised": Task(digits, connected(64, 64, outputs=10)),
    "digits_dropout": Task(digits, connected(128, 64, outputs=10, dropout=0.3)),
    "cancer": Task(
        lambda: parted(*datasets.load_breast_cancer(return_X_y=True), 140),
        connected(32, 16, outputs=1, last="sigmoid"),
        "binary_crossentropy",
    ),
    "wine": Task(lambda: parted(*datasets.load_wine(return_X_y=True), 45), connected(32, outputs=3), batch_size=16),
    "iris": Task(lambda: parted(*datasets.load_iris(return_X_y=True), 38), connected(16, 16, outputs=3), batch_size=16),
    "diabetes": Task(diabetes, connected(32, 16, outputs=1, last=None), "mse"),
}
REPORTED = {
    "satellite": Task(satellite, connected(64, 64, outputs=6)),
    "flights": Task(flights, connected(64, 32, outputs=1, last=None), "mse", 64),
    "syllables_lstm": Task(syllables, recurrent(27, 32, 5, every=False)),
    "syllables_attention": Task(syllables, attention),
    "shakespeare": Task(shakespeare, recurrent(65, 64, 65, every=True)),
    "clothing": Task(clothing, convolutional(16, 32, 32, units=64, outputs=10), batch_size=64),
}
AFTERWARDS = {"omniglot": Task(omniglot_data, convolutional(32, 64, 64, units=128, outputs=136))}
TASKS = CHOSEN | REPORTED | AFTERWARDS


@contextmanager
def rows_seen_once() -> Iterator[None]:
    """Leave out the rule for rows that are seen again and again."""
    exponent, _choice.PASSES_EXPONENT = _choice.PASSES_EXPONENT, 0.0
    try:
        yield
    finally:
        _choice.PASSES_EXPONENT = exponent


def compare(name: str, optimizer: str, epochs: int, seed: int) -> Result:
    """Train without a rate, with and without the rule, and with each rate of the grid."""
    task = TASKS[name]
    data = task.load()

    def compiled(rate: float | keras.optimizers.schedules.LearningRateSchedule) -> keras.Model:
        keras.utils.set_random_seed(seed)
        model = task.build()
        model.build((None, *data.x.shape[1:]))
        model.compile(OPTIMIZERS[optimizer](rate), task.loss)
        return model

    def loss_of(model: keras.Model) -> float:
        loss = float(model.evaluate(data.x_validation, data.y_validation, batch_size=500, verbose=0))
        return loss if np.isfinite(loss) else np.inf

    def trained(rate: float | keras.optimizers.schedules.LearningRateSchedule) -> float:
        model = compiled(rate)
        model.fit(data.x, data.y, batch_size=task.batch_size, epochs=epochs, verbose=0)
        return loss_of(model)

    def ours() -> tuple[float, float]:
        model = compiled(0.01)
        found = keras_lr.fit(model, data.x, data.y, batch_size=task.batch_size, epochs=epochs, verbose=0)
        return found.learning_rate, loss_of(model)

    steps = epochs * -(-len(data.y) // task.batch_size)
    peaks = HIGHEST[optimizer] * 10.0 ** (-0.5 * np.arange(PEAKS))
    losses = {float(peak): trained(run_schedule(float(peak), steps)) for peak in peaks}
    best_peak = min(losses, key=lambda peak: losses[peak])
    with rows_seen_once():
        once = ours()
    best = (best_peak, losses[best_peak])
    return Result(name, optimizer, epochs, seed, *best, trained(DEFAULT[optimizer]), *ours(), *once)


def summary(results: list[Result]) -> str:
    """A row for every task, optimizer and number of epochs, and one for each optimizer; ratios are geometric means."""
    header = ["task", "optimizer", "epochs", "best peak", "its loss", "default", "once", "ours", "worst", "our rates"]
    keys = list(dict.fromkeys((r.task, r.optimizer, r.epochs) for r in results))
    keys += [("all", optimizer, 0) for optimizer in dict.fromkeys(r.optimizer for r in results)]
    rows = []
    for task, optimizer, epochs in keys:
        some = [r for r in results if r.optimizer == optimizer]
        some = [r for r in some if task == "all" or (r.task, r.epochs) == (task, epochs)]

        def over(losses: list[float], some: list[Result] = some) -> np.ndarray:
            return (np.array(losses) + ADDED) / (np.array([r.best for r in some]) + ADDED)

        kinds = [[r.default for r in some], [r.once for r in some], [r.ours for r in some]]
        ratios = [f"{np.exp(np.mean(np.log(over(losses)))):.2f}" for losses in kinds]
        one = task != "all"
        rows.append(
            [
                task,
                optimizer,
                str(epochs) if one else "",
                f"{np.median([r.best_peak for r in some]):.2g}" if one else "",
                f"{np.mean([r.best for r in some]):.3g}" if one else "",
                *ratios,
                f"{max(over(kinds[-1])):.2f}",
                " ".join(f"{r.rate:.2g}" for r in some) if one else "",
            ]
        )
    return table(header, rows)


def main() -> None:
    """Run what the command line asks for, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", default="reported")
    parser.add_argument("--optimizers", default="adam,momentum")
    parser.add_argument("--epochs", default="10,30")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--output", type=Path, help="a CSV file for the runs")
    given = parser.parse_args()
    groups = {"chosen": list(CHOSEN), "reported": list(REPORTED), "afterwards": list(AFTERWARDS)}
    results = []
    for name in groups.get(given.tasks, given.tasks.split(",")):
        for optimizer in given.optimizers.split(","):
            for epochs in map(int, given.epochs.split(",")):
                for seed in range(given.seeds):
                    results.append(compare(name, optimizer, epochs, seed))
                    print(results[-1], flush=True)
    print(f"\n{keras.backend.backend()}\n{summary(results)}")
    if given.output:
        save(given.output, [asdict(result) for result in results])


if __name__ == "__main__":
    main()
