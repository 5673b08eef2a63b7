"""Factors on the rates of layers: exact, for any optimizer, and loud when a pattern is wrong."""

import json
import pathlib

import keras
import numpy as np
import pytest
from keras import ops

from keras_lr.optimizers import DoG, LineSearch, PerLayer, Prodigy, layerwise_decay, mup_adam, mup_sgd

SGD, Adam, AdamW = keras.optimizers.SGD, keras.optimizers.Adam, keras.optimizers.AdamW


def network(width=4):
    layers = [
        keras.layers.Dense(width, name="body"),
        keras.layers.Dense(width, name="neck"),
        keras.layers.Dense(1, name="head"),
    ]
    return keras.Sequential([keras.Input((3,)), *layers])


def trained(optimizer, start=None, steps=4):
    """Apply the same gradients for some steps and return the weights by layer."""
    keras.utils.set_random_seed(1)
    model = network()
    variables = model.trainable_variables
    optimizer.build(variables)
    random = np.random.RandomState(2)
    before = [ops.convert_to_numpy(v) for v in variables]
    for _ in range(steps):
        optimizer.apply([ops.convert_to_tensor(random.randn(*v.shape), "float32") for v in variables], variables)
    return before, [ops.convert_to_numpy(v) for v in variables]


@pytest.mark.parametrize(
    "make",
    [
        lambda rate: Adam(rate),
        lambda rate: AdamW(rate, weight_decay=0.1),
        lambda rate: SGD(rate, momentum=0.9, nesterov=True),
        lambda rate: keras.optimizers.RMSprop(rate),
        lambda rate: keras.optimizers.Lion(rate),
        lambda rate: keras.optimizers.Nadam(rate),  # which keeps a number of its own beside those of each variable
    ],
    ids=["Adam", "AdamW", "SGD", "RMSprop", "Lion", "Nadam"],
)
def test_a_factor_is_another_rate(make):
    _, mixed = trained(PerLayer(make(0.1), {"body": 0.1, "neck/kernel": 0}))
    before, slow = trained(make(0.01))
    _, quick = trained(make(0.1))
    for i in (0, 1):
        np.testing.assert_allclose(mixed[i], slow[i], rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(mixed[2], before[2])
    for i in (3, 4, 5):
        np.testing.assert_allclose(mixed[i], quick[i], rtol=1e-6, atol=1e-7)


def test_the_decay_of_a_step_is_not_that_of_the_next():
    """The factor that is used last is not 1."""
    _, mixed = trained(PerLayer(AdamW(0.1, weight_decay=0.1), {"head": 0.5}))
    _, slow = trained(AdamW(0.05, weight_decay=0.1))
    _, quick = trained(AdamW(0.1, weight_decay=0.1))
    for one, other in zip(mixed, [*quick[:4], *slow[4:]], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)


def test_an_optimizer_that_was_in_another_per_layer_has_the_new_factors_alone():
    variables = network().trainable_variables
    before, inner = ops.convert_to_numpy(variables[0]), SGD(0.1)
    PerLayer(inner, {"body": 0.5}).build(variables)
    optimizer = PerLayer(inner, {"body": 0.25})
    optimizer.build(variables)
    optimizer.apply([ops.ones(v.shape) for v in variables], variables)
    np.testing.assert_allclose(before - ops.convert_to_numpy(variables[0]), 0.025, rtol=1e-5)


@pytest.mark.parametrize("make", [Adam, lambda: DoG(relative_start=1e-2), lambda: Prodigy(initial_estimate=1e-2)])
def test_factors_of_one_change_nothing(make):
    _, with_factors = trained(PerLayer(make(), {"body": 1.0, "head": 1.0}))
    _, without = trained(make())
    for one, other in zip(with_factors, without, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)


def test_a_factor_scales_the_step_of_a_method_with_global_sums():
    before, mixed = trained(PerLayer(DoG(relative_start=1e-2), {"body": 0.1, "neck": 0.0}), steps=1)
    _, plain = trained(DoG(relative_start=1e-2), steps=1)
    # The frozen layer is no part of the sums, so that the steps of the others have their ratio, not their size.
    moved, wanted = mixed[0] - before[0], plain[0] - before[0]
    head = np.linalg.norm(mixed[4] - before[4]) / np.linalg.norm(plain[4] - before[4])
    assert head > 1.1
    np.testing.assert_allclose(moved, 0.1 * head * wanted, rtol=1e-3, atol=1e-6)
    np.testing.assert_array_equal(mixed[2], before[2])


def test_the_last_pattern_wins():
    before, after = trained(PerLayer(Adam(0.1), {".*": 0.0, "head": 1.0}))
    np.testing.assert_array_equal(after[0], before[0])
    assert not np.array_equal(after[4], before[4])


@pytest.mark.parametrize("pattern", ["bod", "ody"])
def test_a_pattern_that_matches_nothing_lists_what_there_is(pattern):
    with pytest.raises(ValueError, match=rf"\['{pattern}'\][\s\S]*body/kernel"):
        trained(PerLayer(Adam(), {pattern: 0.1}))


def test_what_cannot_work_is_refused():
    with pytest.raises(
        ValueError, match=r"^PerLayer takes a number of at least 0 as factors\['body'\]\. Received: .*=-1\. 0 freezes"
    ):
        PerLayer(Adam(), {"body": -1})
    with pytest.raises(ValueError, match=r"as factors.*='a tenth'"):
        PerLayer(Adam(), {"body": "a tenth"})
    with pytest.raises(ValueError, match="holds no regular expression: missing"):
        PerLayer(Adam(), {"(": 0.1})
    with pytest.raises(
        TypeError, match=r"a dictionary of factors by pattern, .*'encoder.* as factors\. Received: factors=0\.1"
    ):
        PerLayer(Adam(), 0.1)
    with pytest.raises(ValueError, match="froze every variable"):
        trained(PerLayer(Adam(), {".*": 0}))
    with pytest.raises(TypeError, match="LossScaleOptimizer"):
        PerLayer(keras.optimizers.LossScaleOptimizer(Adam()), {"body": 1})
    with pytest.raises(TypeError, match="direction"):
        PerLayer(LineSearch(), {"body": 1})


def test_a_pattern_that_cannot_be_a_part_of_another_is_refused_before_a_model_trains():
    with pytest.raises(ValueError, match=r"'\(\?i\)BODY'.*a flag is written as \(\?i:dense\)"):
        PerLayer(Adam(), {"(?i)BODY": 0.1})
    optimizer = PerLayer(Adam(), {"(?i:BODY)": 0.5, r"n(e)ck/k\1rnel": 0.25})  # the first group is the pattern's own
    optimizer.build(network().trainable_variables)
    assert optimizer.inner_optimizer._backend_update_step.__self__.factors == [0.5, 0.5, 0.25, 1.0, 1.0, 1.0]


def test_trains_saves_and_resumes(tmp_path):
    x = np.random.RandomState(0).randn(32, 3).astype("float32")
    model = network()
    model.compile(PerLayer(AdamW(0.01), {"body": 0.1, "neck": 0}), loss="mse")
    model.fit(x, x[:, :1], verbose=0, batch_size=8, shuffle=False)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    one = model.fit(x, x[:, :1], verbose=0, batch_size=8, shuffle=False).history["loss"]
    other = again.fit(x, x[:, :1], verbose=0, batch_size=8, shuffle=False).history["loss"]
    assert [float(v) for v in one] == [float(v) for v in other]
    model.optimizer.learning_rate = 0.5
    assert float(model.optimizer.inner_optimizer.learning_rate) == 0.5


def test_layerwise_decay_falls_towards_the_input():
    assert layerwise_decay(network(), 0.5) == {"body/.*": 0.25, "neck/.*": 0.5, "head/.*": 1.0}
    nested = keras.Sequential([keras.Input((3,)), network(), keras.layers.Dense(1, name="top")])
    assert list(layerwise_decay(nested, 0.5).values()) == [0.125, 0.25, 0.5, 1.0]
    trained_model = PerLayer(Adam(), layerwise_decay(nested, 0.5))
    trained_model.build(nested.trainable_variables)
    with pytest.raises(
        ValueError, match=r"^layerwise_decay takes a number above 0 and at most 1 as decay. Received: decay=2"
    ):
        layerwise_decay(network(), 2)


def test_layerwise_decay_tells_layers_from_the_models_around_them():
    class Inner(keras.Model):
        def __init__(self, **arguments):
            super().__init__(**arguments)
            self.parts = [keras.layers.Dense(2, name=name) for name in ("a", "stack", "k")]

        def call(self, x):
            for part in self.parts:
                x = part(x)
            return x

    class Outer(keras.Model):
        def __init__(self):
            super().__init__()
            self.stack = Inner(name="stack")

        def call(self, x):
            return self.stack(x)

    model = Outer()
    model(np.ones((1, 2), "float32"))
    factors = layerwise_decay(model, 0.5)
    assert factors == {"stack/a/.*": 0.25, "stack/stack/.*": 0.5, "stack/k/.*": 1.0}
    PerLayer(Adam(), factors).build(model.trainable_variables)


@pytest.mark.parametrize("width", ["8", "16", "64"])
def test_width_scaling_is_that_of_the_mup_package(width):
    record = json.loads((pathlib.Path(__file__).parents[1] / "oracles" / "mup.json").read_text())
    wide, narrow = network(int(width)), network(record["base_width"])
    # Their readout multiplies its outputs by a factor m, ours has none: there a step of Adam counts m times, and one
    # of SGD, whose gradient has the factor as well, m² times (tables 8 and 3 of the paper).
    readout = record[width]["readout"]
    for factors, theirs, share in ((mup_adam, "adam", readout), (mup_sgd, "sgd", readout**2)):
        wanted = record[width][theirs]
        wanted["head/kernel"] *= share
        assert factors(wide, narrow) == {name: factor for name, factor in wanted.items() if factor != 1.0}


def test_width_scaling_knows_a_table_of_embeddings_for_inputs():
    def words(width):
        layers = [keras.layers.Embedding(50, width, name="words"), keras.layers.Dense(1, use_bias=False, name="head")]
        return keras.Sequential([keras.Input((7,)), *layers])

    assert mup_adam(words(64), words(16)) == {"head/kernel": 0.25}
    assert mup_sgd(words(64), words(16)) == {"words/embeddings": 4.0, "head/kernel": 0.25}


def attention(width, heads, size):
    x = keras.Input((5, width))
    return keras.Model(x, keras.layers.MultiHeadAttention(heads, size, name="attention")(x, x))


def convolutions(width):
    layers = [
        keras.layers.Conv2D(width, 3, name="first"),
        keras.layers.DepthwiseConv2D(3, name="depthwise"),
        keras.layers.SeparableConv2D(width, 3, name="separable"),
        keras.layers.Conv2DTranspose(3, 3, name="last"),
    ]
    return keras.Sequential([keras.Input((16, 16, 3)), *layers])


@pytest.mark.parametrize("wide", [(8, 2), (2, 8)], ids=["heads", "size of a head"])
def test_width_scaling_knows_the_inputs_of_attention(wide):
    wide, narrow = attention(16, *wide), attention(4, 2, 2)
    kernels = [f"attention/{name}/kernel" for name in ("query", "key", "value", "attention_output")]
    assert mup_adam(wide, narrow) == dict.fromkeys(kernels, 0.25)
    biases = [f"attention/{name}/bias" for name in ("query", "key", "value", "attention_output")]
    assert mup_sgd(wide, narrow) == dict.fromkeys(biases, 4.0)


def test_width_scaling_knows_the_inputs_of_convolutions():
    # An output of a depthwise kernel sees one channel; the last axis of a transposed kernel is that of its inputs.
    wide, narrow = convolutions(16), convolutions(4)
    assert mup_adam(wide, narrow) == {"separable/pointwise_kernel": 0.25, "last/kernel": 0.25}
    inputs = [
        name for v in wide.trainable_variables if (name := v.path.partition("/")[2]).startswith(("first", "depth"))
    ]
    vectors = [*inputs, "separable/depthwise_kernel", "separable/bias"]
    assert mup_sgd(wide, narrow) == {**dict.fromkeys(vectors, 4.0), "last/kernel": 0.25}


def test_width_scaling_wants_models_that_differ_in_width_alone():
    with pytest.raises(ValueError, match="differ in width"):
        mup_adam(network(16), keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)]))


def test_a_rate_transfers_from_width_to_width():
    """The coordinate check: a step of Adam changes the outputs of hidden layers alike at every width."""
    changes = []
    for width in (16, 256):
        keras.utils.set_random_seed(0)
        model = network(width)
        optimizer = PerLayer(Adam(1e-2), mup_adam(model, network(16)) or {"body": 1.0})
        hidden = keras.Model(model.inputs[0], model.layers[1].output)
        x = np.random.RandomState(0).randn(16, 3).astype("float32")
        before = ops.convert_to_numpy(hidden(x))
        model.compile(optimizer, loss="mse")
        model.fit(x, x[:, :1], verbose=0, batch_size=16)
        changes.append(np.sqrt(np.mean((ops.convert_to_numpy(hidden(x)) - before) ** 2)))
    assert 0.4 < changes[1] / changes[0] < 2.5
