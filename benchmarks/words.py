"""`keras_lr.fit` on words, of which a batch moves few rows of an `Embedding`, against five constant rates.

    KERAS_BACKEND=jax python benchmarks/words.py [--tasks pooled,lstm,...] [--optimizers adam,rmsprop,...]
        [--epochs 1,4] [--rows 16000] [--seeds 2] [--output runs.csv]

Of Tiny Shakespeare: which of the eight speakers who say most says these 16 words, or which word follows these five. A
sixth of the speeches is held out. The first two constant rates are those that people take: Keras' 0.001, and 0.003.
"""

import argparse
import gzip
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import keras
import numpy as np
from _data import data_path
from keras import layers
from tables import save, table
from workload import Data, classes_loss

import keras_lr

SPEAKERS, SPOKEN, CONTEXT = 8, 16, 5
HELD_OUT = 6  # every so many speeches
RATES = (0.001, 0.003, 0.0003, 0.01, 0.03)
OPTIMIZERS: dict[str, Callable[[], keras.optimizers.Optimizer]] = {
    "adam": lambda: keras.optimizers.Adam(),
    "nadam": lambda: keras.optimizers.Nadam(),
    "adamax": lambda: keras.optimizers.Adamax(),
    "rmsprop": lambda: keras.optimizers.RMSprop(),
}


@dataclass(frozen=True)
class Task:
    """Words in, one of some classes out."""

    load: Callable[[], Data]
    build: Callable[[Data], list[keras.Layer]]


@dataclass(frozen=True)
class Result:
    """One run of ours, and the constant rates from the same weights."""

    task: str
    optimizer: str
    epochs: int
    rows: int
    seed: int
    rate: float
    loss: float
    accuracy: float
    best_rate: float
    best_loss: float
    best_accuracy: float
    default_loss: float
    default_accuracy: float


@cache
def speeches() -> tuple[list[tuple[str, list[int]]], int]:
    """Who speaks, and the words as numbers from 1 on; and how many numbers there are."""
    text = gzip.decompress(data_path("tinyshakespeare.txt.gz").read_bytes()).decode()
    spoken = [speech.partition(":\n") for speech in text.split("\n\n")]
    said = [(who, re.findall(r"[a-z']+", words.lower())) for who, _, words in spoken]
    number = {word: i + 1 for i, word in enumerate(sorted({word for _, words in said for word in words}))}
    return [(who, [number[word] for word in words]) for who, words in said], len(number) + 1


def split(rows: list[tuple[int, list[int], int]]) -> Data:
    """Return rows of (speech, words, class), those of every sixth speech held out, the others in mixed order."""
    held_out = np.array([speech % HELD_OUT == 0 for speech, _, _ in rows])
    x, y = np.array([words for _, words, _ in rows], "int32"), np.array([answer for _, _, answer in rows], "int32")
    order = np.random.default_rng(0).permutation(np.flatnonzero(~held_out))
    return Data(x[order], y[order], x[held_out], y[held_out])


@cache
def speakers() -> Data:
    said, _ = speeches()
    counts = Counter({who: 0 for who, _ in said})
    for who, words in said:
        counts[who] += len(words)
    classes = {who: i for i, (who, _) in enumerate(counts.most_common(SPEAKERS))}
    return split(
        [
            (i, words[k : k + SPOKEN], classes[who])
            for i, (who, words) in enumerate(said)
            if who in classes
            for k in range(0, len(words) - SPOKEN + 1, SPOKEN // 2)
        ]
    )


@cache
def next_words() -> Data:
    said, _ = speeches()
    return split(
        [
            (i, words[k : k + CONTEXT], words[k + CONTEXT])
            for i, (_, words) in enumerate(said)
            for k in range(len(words) - CONTEXT)
        ]
    )


def classes_of(data: Data) -> int:
    return int(max(data.y.max(), data.y_validation.max())) + 1


def embedding(width: int, **given: bool) -> layers.Embedding:
    return layers.Embedding(speeches()[1], width, **given)


def pooled(data: Data) -> list[keras.Layer]:
    hidden = layers.Dense(64, activation="relu")
    return [embedding(64), layers.GlobalAveragePooling1D(), hidden, layers.Dense(classes_of(data))]


def lstm(data: Data) -> list[keras.Layer]:
    return [embedding(32), layers.LSTM(32), layers.Dense(classes_of(data))]


def convolutional(data: Data) -> list[keras.Layer]:
    convolution = layers.Conv1D(64, 3, activation="relu")
    return [embedding(32), convolution, layers.GlobalMaxPooling1D(), layers.Dense(classes_of(data))]


def counted(data: Data) -> list[keras.Layer]:
    count = layers.CategoryEncoding(num_tokens=speeches()[1], output_mode="multi_hot")
    return [count, layers.Dense(64, activation="relu"), layers.Dense(classes_of(data))]


def side_by_side(data: Data) -> list[keras.Layer]:
    hidden = layers.Dense(64, activation="relu")
    return [embedding(32), layers.Flatten(), hidden, layers.Dense(classes_of(data))]


TASKS = {
    "pooled": Task(speakers, pooled),
    "lstm": Task(speakers, lstm),
    "convolutional": Task(speakers, convolutional),
    "counted": Task(speakers, counted),
    "next_word": Task(next_words, side_by_side),
}


def compare(name: str, optimizer: str, epochs: int, rows: int, seed: int) -> Result:
    """Train without a rate, and with each constant rate."""
    task = TASKS[name]
    data = task.load()
    x, y, held_out = data.x[:rows], data.y[:rows], (data.x_validation[:8000], data.y_validation[:8000])

    def compiled() -> keras.Model:
        keras.utils.set_random_seed(seed)
        model = keras.Sequential([keras.Input(x.shape[1:], dtype="int32"), *task.build(data)])
        model.compile(OPTIMIZERS[optimizer](), classes_loss(), metrics=["accuracy"])
        return model

    def judged(model: keras.Model) -> tuple[float, float]:
        loss, accuracy = model.evaluate(*held_out, batch_size=500, verbose=0)
        return float(loss), float(accuracy)

    found = {}
    for rate in RATES:
        model = compiled()
        model.optimizer.learning_rate = rate
        model.fit(x, y, epochs=epochs, verbose=0)
        found[rate] = judged(model)
    best = min(found, key=lambda rate: found[rate])
    model = compiled()
    result = keras_lr.fit(model, x, y, epochs=epochs, verbose=0)
    ours = (result.learning_rate, *judged(model))
    return Result(name, optimizer, epochs, len(x), seed, *ours, best, *found[best], *found[RATES[0]])


def main() -> None:
    """Run what the command line asks for, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--optimizers", default="adam")
    parser.add_argument("--epochs", default="1,4")
    parser.add_argument("--rows", type=int, default=16_000)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--output", type=Path, help="a CSV file for the runs")
    given = parser.parse_args()
    results = []
    for name in given.tasks.split(","):
        for optimizer in given.optimizers.split(","):
            for epochs in map(int, given.epochs.split(",")):
                for seed in range(given.seeds):
                    results.append(compare(name, optimizer, epochs, given.rows, seed))
                    print(results[-1], flush=True)
    header = ["task, optimizer, rows x epochs, seed", "our rate", "loss", "accuracy"]
    header += ["best constant", "loss", "accuracy", "at 0.001: loss", "accuracy"]
    rows = [
        [
            f"{r.task}, {r.optimizer}, {r.rows} x {r.epochs}, {r.seed}",
            f"{r.rate:.2g}",
            f"{r.loss:.3f}",
            f"{r.accuracy:.3f}",
            f"{r.best_rate:g}",
            f"{r.best_loss:.3f}",
            f"{r.best_accuracy:.3f}",
            f"{r.default_loss:.3f}",
            f"{r.default_accuracy:.3f}",
        ]
        for r in results
    ]
    print(table(header, rows))
    against = {"the best": [r.loss / r.best_loss for r in results], "0.001": [r.loss / r.default_loss for r in results]}
    for name, ratios in against.items():
        print(f"our loss over that of {name}: mean {np.mean(ratios):.2f}, {min(ratios):.2f} to {max(ratios):.2f}")
    if given.output:
        save(given.output, [asdict(result) for result in results])


if __name__ == "__main__":
    main()
