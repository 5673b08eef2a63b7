"""Forward pass and loss take short cuts on PyTorch, and compute what Keras computes."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_lr._backends.forward import forward_again, loss_of
from keras_lr._backends.lists import copy

pytestmark = pytest.mark.only_on_torch

ROWS = 6
GENERATOR = np.random.default_rng(0)
NUMBERS = GENERATOR.normal(size=(ROWS, 8)).astype("float32")
SYMBOLS = GENERATOR.integers(0, 5, (ROWS, 7))
PICTURES = GENERATOR.normal(size=(ROWS, 8, 8, 3)).astype("float32")


class Shifting(layers.Layer):
    """A layer of a user, with a loss of its own and a mode that it takes from the call around it."""

    def call(self, x, training=False):
        self.add_loss(ops.mean(x**2))
        return x + 1.0 if training else x


class Doubling(keras.Sequential):
    def call(self, x, training=None):
        return 2.0 * super().call(x, training=training)


class Called(keras.Sequential):
    def __call__(self, x, training=None):
        return 2.0 * super().__call__(x, training=training)


class Announced(keras.Model):
    def __init__(self):
        super().__init__()
        self.first, self.second = layers.Dense(4, activation="relu"), layers.Dense(1)

    def call(self, x, training=False):
        return self.second(self.first(x)) + (1.0 if training else 0.0)


class Louder(layers.Dense):
    def call(self, x, training=False):
        return (3.0 if training else 1.0) * super().call(x)


def chain(*parts, shape=(8,), **kwargs):
    return keras.Sequential([keras.Input(shape, **kwargs), *parts])


def of_pictures():
    convolution = layers.Conv2D(4, 3, padding="same")
    parts = [convolution, layers.BatchNormalization(), layers.ReLU(), layers.MaxPooling2D(), layers.Flatten()]
    return chain(*parts, layers.Dropout(0.5), layers.Dense(1), shape=(8, 8, 3)), PICTURES


def of_a_sequence(**kwargs):
    embedding = layers.Embedding(5, 4, **kwargs)
    return chain(embedding, layers.Dense(3), layers.LSTM(3), layers.Dense(1), shape=(7,), dtype="int32"), SYMBOLS


def masked(dtype):
    parts = [layers.Embedding(5, 4, mask_zero=True), layers.Dropout(0.1), layers.Dense(1)]
    return chain(*parts, shape=(7,), dtype=dtype), SYMBOLS.astype(dtype)


def masked_by_a_value():
    return chain(layers.Masking(0.0), layers.LSTM(3), layers.Dense(1), shape=(8, 8)), np.round(PICTURES.mean(-1))


def attending():
    x = keras.Input((8, 3))
    attended = layers.MultiHeadAttention(2, 4, dropout=0.2)(x, value=x)
    y = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x + attended))
    return keras.Model(x, layers.Dense(1)(y)), PICTURES[:, 0]


def of_two_inputs():
    first, second = keras.Input((8,), name="first"), keras.Input((8,), name="second")
    joined = layers.Concatenate()([layers.Dense(3)(first), layers.Dense(3)(second)])
    return keras.Model({"first": first, "second": second}, layers.Dense(1)(layers.Add()([joined, joined]))), {
        "first": NUMBERS,
        "second": -NUMBERS,
    }


def of_two_outputs():
    x = keras.Input((8,))
    return keras.Model(x, [layers.Dense(1)(x), layers.Dense(1)(layers.Dropout(0.5)(x))]), NUMBERS


def hooked():
    made = chain(layers.Dense(4), layers.Dense(1))
    made.layers[0].register_forward_hook(lambda layer, given, returned: 2.0 * returned)
    return made, NUMBERS


def hooked_before():
    made = chain(layers.Dense(4), layers.Dense(1))
    made.layers[0].register_forward_pre_hook(lambda layer, given: (3.0 * given[0],))
    return made, NUMBERS


def hooked_as_a_whole():
    made = chain(layers.Dense(1))
    made.register_forward_hook(lambda layer, given, returned: 2.0 * returned)
    return made, NUMBERS


def quantized():
    made = chain(layers.Dense(4), layers.Dense(1))
    made.layers[0].quantize("int8")
    return made, NUMBERS


def of_mixed_precisions():
    mixed = [layers.Dense(3, dtype="mixed_bfloat16"), layers.Dense(3, dtype="mixed_bfloat16")]
    return chain(layers.Dense(4), *mixed, layers.Dense(1, dtype="float32")), NUMBERS


def named():
    x = keras.Input((8,))
    return keras.Model(x, layers.Dense(1)(inputs=layers.Dense(4)(x))), NUMBERS


MODELS = {
    "a chain": lambda: (chain(layers.Dense(4, activation="relu"), layers.Dense(1)), NUMBERS),
    "of pictures": of_pictures,
    "of a sequence": of_a_sequence,
    "of a sequence with a mask": lambda: of_a_sequence(mask_zero=True),
    "a mask on the loss": lambda: masked("int32"),
    "a mask on the loss, of floats": lambda: masked("float32"),
    "masked by a value": masked_by_a_value,
    "attending": attending,
    "of two inputs": of_two_inputs,
    "of two outputs": of_two_outputs,
    "a model within": lambda: (chain(chain(layers.BatchNormalization(), layers.Dense(2)), layers.Dense(1)), NUMBERS),
    "a layer of a user": lambda: (chain(layers.Dense(4), Shifting(), layers.Dense(1)), NUMBERS),
    "a model of a user": lambda: (Announced(), NUMBERS),
    "a chain of a user": lambda: (Doubling([keras.Input((8,)), layers.Dense(1)]), NUMBERS),
    "a chain that is called otherwise": lambda: (Called([keras.Input((8,)), layers.Dense(1)]), NUMBERS),
    "unbuilt until called": lambda: (keras.Sequential([layers.Dense(1)]), NUMBERS),
    "hooked": hooked,
    "hooked before": hooked_before,
    "hooked as a whole": hooked_as_a_whole,
    "quantized": quantized,
    "of mixed precisions": of_mixed_precisions,
    "of another precision": lambda: (chain(layers.Dense(1, dtype="float64"), layers.Activation("tanh")), NUMBERS),
    "named": named,
    "a layer around one of a user": lambda: (chain(layers.SpectralNormalization(Louder(1))), NUMBERS),
    "regularised": lambda: (chain(layers.Dense(1, kernel_regularizer="l2")), NUMBERS),
    "of regular activities": lambda: (chain(layers.Dense(4, activity_regularizer="l2"), layers.Dense(1)), NUMBERS),
}


def tensors(data):
    return keras.tree.map_structure(ops.convert_to_tensor, data)


def loss_and_more(model, x, y, weight, predict, evaluate):
    """Prediction, loss and the state left behind, from the state before, which is put back."""
    variables = [v.value for v in model.non_trainable_variables]
    before = copy(variables)

    def put_back():
        for variable, value in zip(variables, before, strict=True):
            variable.copy_(value)

    model(keras.tree.map_structure(ops.ones_like, x), training=True)  # leaves other losses of layers
    put_back()
    keras.utils.set_random_seed(3)
    y_pred = predict(model, x)
    loss = evaluate(model, x, y, y_pred, weight)
    left = copy(variables)
    put_back()
    return [ops.convert_to_numpy(v) for v in (*keras.tree.flatten(y_pred), loss, *left)]


def ordinarily(model, x):
    return model(x, training=True)


def ordinary_loss(model, x, y, y_pred, weight):
    return model.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=weight)


def assert_the_same(model, x, y, weight=None):
    import torch

    x, y = tensors(x), tensors(y)
    weight = None if weight is None else tensors(weight)
    with torch.no_grad():
        model.compute_loss(x=x, y=y, y_pred=model(x, training=True))
        expected = loss_and_more(model, x, y, weight, ordinarily, ordinary_loss)
        seen = loss_and_more(model, x, y, weight, forward_again, loss_of)
    for value, other in zip(expected, seen, strict=True):
        np.testing.assert_array_equal(value, other)


@pytest.mark.parametrize("name", MODELS)
def test_prediction_loss_and_what_a_pass_leaves_are_those_of_keras(name):
    model, x = MODELS[name]()
    model.compile("sgd", "mse")
    shape = (ROWS, 7, 1) if name.startswith("a mask on the loss") else (ROWS, 1)
    targets = np.full(shape, 0.5, "float32")
    assert_the_same(model, x, [targets, targets] if name == "of two outputs" else targets)


def one_per_row(y_true, y_pred):
    return ops.sum(ops.abs(y_true - y_pred), -1)


class Tripled(keras.losses.MeanSquaredError):
    def __call__(self, *arguments, **named):
        return 3.0 * super().__call__(*arguments, **named)


LOSSES = {
    "called otherwise": Tripled(),
    "a function in double precision": lambda y_true, y_pred: ops.cast(one_per_row(y_true, y_pred), "float64") / 7.1,
    "huber": "huber",
    "a function": one_per_row,
    "a function of all rows": lambda y_true, y_pred: ops.mean(one_per_row(y_true, y_pred)),
    "a sum": keras.losses.MeanSquaredError(reduction="sum"),
    "in double precision": keras.losses.MeanSquaredError(dtype="float64"),
    "of labels": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("weighted", [False, True])
def test_losses_of_all_kinds(name, weighted):
    model = chain(layers.Dense(4))
    model.compile("sgd", LOSSES[name])
    y = np.arange(ROWS) % 4 if name == "of labels" else np.ones((ROWS, 4), "float32")
    assert_the_same(model, NUMBERS, y, np.arange(1.0, ROWS + 1, dtype="float32") if weighted else None)


@pytest.mark.parametrize("name", ["huber", "of labels"])
def test_gradients_are_those_of_keras(name):
    import torch

    model = chain(layers.Dense(4))
    model.compile("sgd", LOSSES[name])
    x, y = tensors(NUMBERS), tensors(np.arange(ROWS) % 4 if name == "of labels" else np.ones((ROWS, 4), "float32"))
    weights = [v.value for v in model.trainable_variables]
    expected = torch.autograd.grad(model.compute_loss(x=x, y=y, y_pred=model(x)), weights)
    seen = torch.autograd.grad(loss_of(model, x, y, model(x), None), weights)
    for value, other in zip(expected, seen, strict=True):
        assert torch.equal(value, other)


def test_what_keras_has_yet_to_prepare_or_to_refuse_is_left_to_it():
    import torch

    model, x = chain(layers.Dense(1)), tensors(NUMBERS)
    y_pred = model(x).detach()
    model.compile("sgd", "mse")
    with torch.no_grad():
        assert float(loss_of(model, x, y_pred + 2.0, y_pred, None)) == pytest.approx(4.0)
    with pytest.raises(ValueError, match="No loss to compute"):
        loss_of(chain(layers.Dense(1)), x, y_pred, y_pred, None)


def test_a_weight_of_the_loss():
    model = chain(layers.Dense(1))
    model.compile("sgd", "mse", loss_weights=3.0)
    assert_the_same(model, NUMBERS, np.ones((ROWS, 1), "float32"))


def test_a_loss_in_double_precision_of_such_predictions():
    model = chain(layers.Dense(1, dtype="float64"))
    model.compile("sgd", keras.losses.MeanSquaredError(dtype="float64"))
    assert_the_same(model, NUMBERS, np.ones((ROWS, 1)))


def test_targets_in_a_list():
    model = chain(layers.Dense(1))
    model.compile("sgd", "mse")
    assert_the_same(model, NUMBERS, [np.arange(6.0, dtype="float32")[:, None]])


def test_a_loss_that_a_model_defines():
    class Doubled(keras.Sequential):
        def compute_loss(self, *arguments, **named):
            return 2.0 * super().compute_loss(*arguments, **named)

    model = Doubled([keras.Input((8,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    assert_the_same(model, NUMBERS, np.ones((ROWS, 1), "float32"))


def test_layers_and_losses_of_keras_are_asked_for_what_they_compute_alone(monkeypatch):
    import torch

    model, x = of_pictures()
    model.compile("sgd", "mse")

    def refuse(*arguments, **named):
        raise AssertionError("called with all that is around it")

    monkeypatch.setattr(layers.Layer, "__call__", refuse)
    monkeypatch.setattr(keras.losses.Loss, "__call__", refuse)
    with torch.no_grad():
        y_pred = forward_again(model, tensors(x))
    model._compile_loss.build(y_pred, y_pred)
    assert float(loss_of(model, x, y_pred, y_pred, None)) == 0.0
