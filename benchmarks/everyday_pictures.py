"""Pictures as the code examples of Keras train on them: data, models and losses of `everyday_workloads.py`."""

from functools import cache

import keras
import numpy as np
from _data import data_path, images
from keras import layers, ops
from workload import Data, classes_loss

VALIDATION_PICTURES = 1000


# --- fashion_vit: attention between the 16 patches of a picture


def fashion_data() -> Data:
    x, y, x_test, y_test = images("fashion-mnist")
    return Data(x, y, x_test[:VALIDATION_PICTURES], y_test[:VALIDATION_PICTURES])


class Patches(layers.Layer):
    """Cuts pictures into squares, and adds a learned embedding of where each was."""

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.size = size
        self.projection, self.position = layers.Dense(width), layers.Embedding(16, width)

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        patches = ops.image.extract_patches(x, self.size)
        patches = ops.reshape(patches, (-1, 16, self.size**2))
        return self.projection(patches) + self.position(ops.arange(16))


def vision_transformer() -> keras.Model:
    inputs = keras.Input((28, 28, 1))
    x = Patches(7, 32)(inputs)
    for _ in range(2):
        h = layers.LayerNormalization(epsilon=1e-6)(x)
        x = layers.Add()([x, layers.MultiHeadAttention(4, 8, dropout=0.1)(h, h)])
        h = layers.Dense(64, activation="gelu")(layers.LayerNormalization(epsilon=1e-6)(x))
        x = layers.Add()([x, layers.Dense(32)(layers.Dropout(0.1)(h))])
    x = layers.Flatten()(layers.LayerNormalization(epsilon=1e-6)(x))
    return keras.Model(inputs, layers.Dense(10)(layers.Dropout(0.3)(x)))


# --- fashion_vae: a variational autoencoder, whose sampling layer adds its own loss


def pictures_data() -> Data:
    pictures = fashion_data()
    return Data(pictures.x, pictures.x, pictures.x_validation, pictures.x_validation)


class Sampling(layers.Layer):
    """Draws a code from its mean and log variance, and adds the divergence from a standard normal to the loss."""

    def __init__(self) -> None:
        super().__init__()
        self.seeds = keras.random.SeedGenerator(5)

    def call(self, mean: keras.KerasTensor, log_variance: keras.KerasTensor) -> keras.KerasTensor:
        divergence = -0.5 * (1 + log_variance - ops.square(mean) - ops.exp(log_variance))
        self.add_loss(ops.mean(ops.sum(divergence, 1)))
        return mean + ops.exp(0.5 * log_variance) * keras.random.normal(ops.shape(mean), seed=self.seeds)


class SummedPixels(keras.losses.Loss):
    """Binary cross-entropy, summed over the pixels of a picture."""

    def call(self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        return ops.sum(keras.losses.binary_crossentropy(y_true, y_pred), axis=(1, 2))


def variational_autoencoder() -> keras.Model:
    convolution = {"strides": 2, "padding": "same", "activation": "relu"}
    inputs = keras.Input((28, 28, 1))
    x = layers.Conv2D(16, 3, **convolution)(layers.Conv2D(8, 3, **convolution)(inputs))
    x = layers.Dense(16, activation="relu")(layers.Flatten()(x))
    code = Sampling()(layers.Dense(4)(x), layers.Dense(4)(x))
    x = layers.Reshape((7, 7, 16))(layers.Dense(784, activation="relu")(code))
    x = layers.Conv2DTranspose(8, 3, **convolution)(layers.Conv2DTranspose(16, 3, **convolution)(x))
    return keras.Model(inputs, layers.Conv2D(1, 3, padding="same", activation="sigmoid")(x))


def squared_pixels(y: np.ndarray, outputs: np.ndarray) -> float:
    """Mean squared error."""
    return float(np.mean((y - outputs) ** 2))


# --- clothing_xception: separable convolutions, BatchNormalization as it comes, dropout


def photographs_data() -> Data:
    with np.load(data_path("clothing32.npz")) as file:
        x = {part: file[f"x_{part}"].astype(np.float32) for part in ("train", "validation", "test")}
        y = {part: file[f"y_{part}"].astype(np.int32) for part in x}
    held_out = ("validation", "test")
    return Data(
        x["train"],
        y["train"],
        np.concatenate([x[part] for part in held_out]),
        np.concatenate([y[part] for part in held_out]),
    )


def xception() -> keras.Model:
    inputs = keras.Input((32, 32, 3))
    x = layers.Conv2D(16, 3, strides=2, padding="same")(layers.Rescaling(1 / 255)(inputs))
    x = previous = layers.Activation("relu")(layers.BatchNormalization()(x))
    for filters in (24, 32):
        x = layers.SeparableConv2D(filters, 3, padding="same")(layers.Activation("relu")(x))
        x = layers.BatchNormalization()(x)
        x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
        x = previous = layers.Add()([x, layers.Conv2D(filters, 1, strides=2)(previous)])
    x = layers.Activation("relu")(layers.BatchNormalization()(layers.SeparableConv2D(48, 3, padding="same")(x)))
    return keras.Model(inputs, layers.Dense(10)(layers.Dropout(0.25)(layers.GlobalAveragePooling2D()(x))))


# --- digits_siamese: do two pictures show the same digit? by the distance of their codes


def pairs_data() -> Data:
    x, y, x_test, y_test = images("mnist")

    def pairs(x: np.ndarray, y: np.ndarray, count: int, seed: int) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
        random = np.random.default_rng(seed)
        rows = [np.flatnonzero(y == digit) for digit in range(10)]
        first = random.integers(0, len(y), count)
        differs = np.arange(count) % 2
        second = []
        for i, other in zip(first, differs, strict=True):
            digit = (y[i] + other * random.integers(1, 10)) % 10
            second.append(random.choice(rows[digit]))
        return (x[first], x[second]), differs.astype(np.float32)[:, None]

    return Data(*pairs(x, y, 12_000, 1), *pairs(x_test, y_test, 1000, 2))


class Contrastive(keras.losses.Loss):
    """`mean((1 - y) d^2 + y max(0, 1 - d)^2)` of a distance `d` (Hadsell, Chopra and LeCun 2006)."""

    def call(self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        return ops.mean((1 - y_true) * y_pred**2 + y_true * ops.relu(1 - y_pred) ** 2, -1)


class Distance(layers.Layer):
    """Euclidean distance."""

    def call(self, a: keras.KerasTensor, b: keras.KerasTensor) -> keras.KerasTensor:
        return ops.sqrt(ops.maximum(ops.sum(ops.square(a - b), 1, keepdims=True), 1e-7))


def siamese_model() -> keras.Model:
    tower = keras.Sequential([keras.Input((28, 28, 1)), layers.BatchNormalization()])
    for filters in (4, 8):
        tower.add(layers.Conv2D(filters, 5, activation="tanh"))
        tower.add(layers.AveragePooling2D(2))
    tower.add(layers.Flatten())
    tower.add(layers.BatchNormalization())
    tower.add(layers.Dense(10, activation="tanh"))
    a, b = keras.Input((28, 28, 1)), keras.Input((28, 28, 1))
    distance = layers.BatchNormalization()(Distance()(tower(a), tower(b)))
    return keras.Model([a, b], layers.Dense(1, activation="sigmoid")(distance))


def same_accuracy(y: np.ndarray, outputs: np.ndarray) -> float:
    """Share of the pairs on the right side of one half."""
    return float(np.mean((outputs > 0.5) == (y > 0.5)))


# --- digits_unet: which pixels belong to a digit below five, which to another, of two that overlap


def overlapping_data() -> Data:
    x, y, x_test, y_test = images("mnist")

    def composed(x: np.ndarray, y: np.ndarray, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        random = np.random.default_rng(seed)

        def some(those: np.ndarray) -> np.ndarray:
            pictures = x[random.choice(np.flatnonzero(those), count)]
            return np.stack([np.roll(p, random.integers(-6, 7, 2), (0, 1)) for p in pictures])

        low, high = some(y < 5), some(y >= 5)
        both = np.maximum(low, high)
        return both, np.where(both < 0.3, 0, np.where(low >= high, 1, 2)).astype(np.int32)[..., 0]

    return Data(*composed(x, y, 4000, 3), *composed(x_test, y_test, 500, 4))


def unet() -> keras.Model:
    def convolved(x: keras.KerasTensor, filters: int) -> keras.KerasTensor:
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        return layers.ReLU()(layers.BatchNormalization()(x))

    inputs = keras.Input((28, 28, 1))
    fine = convolved(inputs, 8)
    middle = convolved(layers.MaxPooling2D()(fine), 16)
    x = convolved(convolved(layers.MaxPooling2D()(middle), 32), 32)
    x = layers.Concatenate()([layers.Conv2DTranspose(16, 2, strides=2)(x), middle])
    x = layers.Concatenate()([layers.Conv2DTranspose(8, 2, strides=2)(convolved(x, 16)), fine])
    return keras.Model(inputs, layers.Conv2D(3, 1)(convolved(x, 8)))


# --- digits_frozen_trunk: a new head on a net that was trained on clothes and stays as it is


def few_digits_data() -> Data:
    _trained_trunk()  # here rather than in `build`, where it would disturb the seed
    x, y, x_test, y_test = images("mnist")
    return Data(x[:2000], y[:2000], x_test[:VALIDATION_PICTURES], y_test[:VALIDATION_PICTURES])


def _trunk() -> keras.Model:
    trunk = keras.Sequential([keras.Input((28, 28, 1))])
    for filters in (16, 32, 32):
        trunk.add(layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False))
        trunk.add(layers.BatchNormalization(momentum=0.9))
        trunk.add(layers.ReLU())
    return trunk


@cache
def _trained_trunk() -> list[np.ndarray]:
    x, y, _, _ = images("fashion-mnist")
    keras.utils.set_random_seed(0)
    trunk = _trunk()
    model = keras.Sequential([trunk, layers.Flatten(), layers.Dense(10)])
    model.compile("adam", classes_loss())
    model.fit(x[:19_200], y[:19_200], batch_size=64, verbose=0)
    return trunk.get_weights()


def frozen_trunk_model() -> keras.Model:
    trunk = _trunk()
    trunk.set_weights(_trained_trunk())
    trunk.trainable = False
    inputs = keras.Input((28, 28, 1))
    x = layers.Dropout(0.2)(layers.Flatten()(trunk(inputs, training=False)))
    return keras.Model(inputs, layers.Dense(10)(x))
