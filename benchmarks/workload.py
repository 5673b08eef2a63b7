"""What a benchmark workload is, the batches of one run, and the scoring of a trained model."""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np

Inputs = np.ndarray | tuple[np.ndarray, ...] | dict[str, np.ndarray]


def accuracy(y: np.ndarray, outputs: np.ndarray) -> float:
    """Share of the positions where the largest output is the class."""
    return float(np.mean(np.argmax(outputs, -1) == y))


def roc_auc(y: np.ndarray, outputs: np.ndarray) -> float:
    """Area under the ROC curve: the chance that a positive ranks above a negative (ties count half)."""
    ranks = np.unique(outputs.ravel(), return_inverse=True)[1].ravel()
    counts = np.bincount(ranks)
    middle = np.cumsum(counts) - (counts - 1) / 2
    positive = y.ravel() > 0.5
    positives, negatives = positive.sum(), (~positive).sum()
    return float((middle[ranks][positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def pixel_error(y: np.ndarray, outputs: np.ndarray) -> float:
    """Mean squared error of the pixels, the outputs being logits."""
    return float(np.mean((y - 0.5 * (1 + np.tanh(0.5 * outputs))) ** 2))


def r_squared(y: np.ndarray, outputs: np.ndarray) -> float:
    """Share of the variance that the model explains."""
    return float(1 - np.mean((y - outputs) ** 2) / np.var(y))


def classes_loss() -> keras.losses.Loss:
    """Cross-entropy of logits against class numbers."""
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def binary_loss() -> keras.losses.Loss:
    """Binary cross-entropy of logits."""
    return keras.losses.BinaryCrossentropy(from_logits=True)


@dataclass(frozen=True)
class Data:
    """Training part and validation part. Several inputs are a tuple of arrays, or a dictionary of named ones."""

    x: Inputs
    y: np.ndarray
    x_validation: Inputs
    y_validation: np.ndarray


@dataclass(frozen=True)
class Workload:
    """A model, its data, and how long and in what batches it is trained."""

    name: str
    load: Callable[[], Data]
    build: Callable[[], keras.Model]
    batch_size: int
    steps: int
    loss: Callable[[], keras.losses.Loss] = classes_loss
    metric_name: str = "accuracy"
    metric: Callable[[np.ndarray, np.ndarray], float] = accuracy
    optimizers: tuple[str, ...] = ("adam", "sgd")


class Feed(keras.utils.PyDataset):
    """The batches of one run, from shuffled epochs: the same for every method given the same seed.

    The whole run is one pass over it; with `steps_per_epoch` Keras goes on in it from epoch to epoch.
    """

    def __init__(self, data: Data, batch_size: int, steps: int, seed: int) -> None:
        super().__init__()
        self.data = data
        self.order = batch_order(len(data.y), batch_size, steps, seed)

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, index: int) -> tuple[Inputs, np.ndarray]:
        rows = self.order[index]
        return take(self.data.x, rows), self.data.y[rows]


def batch_order(rows: int, batch_size: int, steps: int, seed: int) -> np.ndarray:
    """Row numbers (steps, batch size): shuffled epochs, each without its incomplete last batch."""
    random = np.random.default_rng(1000 + seed)
    per_epoch = rows // batch_size
    epochs = -(-steps // per_epoch)
    order = [random.permutation(rows)[: per_epoch * batch_size].reshape(per_epoch, batch_size) for _ in range(epochs)]
    return np.concatenate(order)[:steps].astype(np.int32)


def take(x: Inputs, rows: np.ndarray | slice) -> Inputs:
    """The chosen rows of one array or of each of several."""
    taken: Inputs = keras.tree.map_structure(lambda part: part[rows], x)
    return taken


def evaluate(model: keras.Model, workload: Workload, data: Data) -> tuple[float, float]:
    """Validation loss and metric; an infinite loss when the outputs are not finite."""
    outputs = np.asarray(model.predict(data.x_validation, batch_size=500, verbose=0))
    if not np.all(np.isfinite(outputs)):
        return float("inf"), float("nan")
    loss = float(keras.ops.convert_to_numpy(workload.loss()(data.y_validation, outputs)))
    return loss, workload.metric(data.y_validation, outputs)
