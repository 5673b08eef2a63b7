"""Eight tasks that train in a second, from linear and convex to six layers and a badly scaled loss."""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
from keras import layers
from sklearn import datasets
from workload import binary_loss, classes_loss

Arrays = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class SmallTask:
    """Data, a model and a loss; the batch size is 32 throughout."""

    name: str
    load: Callable[[], Arrays]
    build: Callable[[], keras.Model]
    loss: Callable[[], keras.losses.Loss]


def digits() -> Arrays:
    data = datasets.load_digits()
    return (data.data / 16).astype("float32"), data.target.astype("int32")


def cancer() -> Arrays:
    data = datasets.load_breast_cancer()
    return standardised(data.data), data.target.astype("float32")[:, None]


def diabetes() -> Arrays:
    data = datasets.load_diabetes()
    return standardised(data.data), data.target.astype("float32")[:, None] / 50


def wine() -> Arrays:
    data = datasets.load_wine()
    return standardised(data.data), data.target.astype("int32")


def moons() -> Arrays:
    x, y = datasets.make_moons(1000, noise=0.2, random_state=0)
    return x.astype("float32"), y.astype("float32")[:, None]


def teacher() -> Arrays:
    """Outputs of another network, of size 20 to 60: a squared error in the hundreds."""
    random = np.random.default_rng(0)
    x = random.normal(size=(1000, 10)).astype("float32")
    inner, outer = random.normal(size=(10, 16)), random.normal(size=(16, 1))
    y = np.tanh(x @ inner / 3) @ outer * 20 + random.normal(size=(1000, 1))
    return x, y.astype("float32")


def standardised(x: np.ndarray) -> np.ndarray:
    x = np.asarray(x, np.float32)
    return (x - x.mean(0)) / (x.std(0) + 1e-6)


def network(inputs: int, widths: list[int], outputs: int, activation: str = "relu") -> Callable[[], keras.Model]:
    def build() -> keras.Model:
        hidden = [layers.Dense(width, activation=activation) for width in widths]
        return keras.Sequential([keras.Input((inputs,)), *hidden, layers.Dense(outputs)])

    return build


TASKS = [
    SmallTask("digits_linear", digits, network(64, [], 10), classes_loss),
    SmallTask("digits_2", digits, network(64, [32], 10), classes_loss),
    SmallTask("digits_6", digits, network(64, [32] * 5, 10), classes_loss),
    SmallTask("cancer", cancer, network(30, [16], 1), binary_loss),
    SmallTask("diabetes", diabetes, network(10, [32], 1), keras.losses.MeanSquaredError),
    SmallTask("wine", wine, network(13, [16], 3), classes_loss),
    SmallTask("moons", moons, network(2, [32, 32], 1, "tanh"), binary_loss),
    SmallTask("teacher", teacher, network(10, [32], 1), keras.losses.MeanSquaredError),
]
OPTIMIZERS: dict[str, Callable[[], keras.optimizers.Optimizer]] = {
    "sgd": lambda: keras.optimizers.SGD(0.01),
    "momentum": lambda: keras.optimizers.SGD(0.01, momentum=0.9),
    "adam": lambda: keras.optimizers.Adam(1e-3),
}
LION_AND_MUON: dict[str, Callable[[], keras.optimizers.Optimizer]] = {
    "lion": lambda: keras.optimizers.Lion(1e-3),
    "muon": lambda: keras.optimizers.Muon(1e-3),
}
