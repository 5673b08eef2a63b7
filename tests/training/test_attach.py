"""An attached model trains as before where the optimizer does not ask, and hands over the batch where it does."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_lr.line_search import PAL, Backtracking, Polyak, Status
from keras_lr.optimizers import LineSearch
from keras_lr.training import attach

rng = np.random.default_rng(0)
X = rng.normal(size=(64, 6)).astype("float32")
Y = (X[:, :1] * 2 + np.sin(X[:, 1:2])).astype("float32")


def network(dropout=True):
    keras.utils.set_random_seed(3)
    parts = [layers.Dense(8, activation="tanh", kernel_regularizer="l2"), layers.BatchNormalization()]
    if dropout:
        parts.append(layers.Dropout(0.3, seed=5))
    return keras.Sequential([keras.Input((6,)), *parts, layers.Dense(1)])


def state(model):
    return [ops.convert_to_numpy(v) for v in model.variables]


def fit(model, **arguments):
    arguments = {"batch_size": 16, "epochs": 2, "shuffle": False, "verbose": 0, **arguments}
    return model.fit(arguments.pop("x", X), arguments.pop("y", Y), **arguments).history


@pytest.mark.parametrize("eager", [False, True])
def test_bit_for_bit_the_plain_fit_when_the_optimizer_does_not_ask(eager):
    plain, attached = network(), network()
    for model in (plain, attached):
        model.compile(keras.optimizers.Adam(0.01), loss="mse", metrics=["mae"], run_eagerly=eager)
    attach(attached)
    assert fit(plain, validation_data=(X, Y)) == fit(attached, validation_data=(X, Y))
    for a, b in zip(state(plain), state(attached), strict=True):
        np.testing.assert_array_equal(a, b)


class Asking(keras.optimizers.Optimizer):
    """Plain gradient descent that asks the batch everything on its way."""

    needs_batch = True

    def build(self, variables):
        if not self.built:
            super().build(variables)
            self.logged_variables = {
                q: self.add_variable((), initializer="zeros", name=f"answer{i}", dtype="float32")
                for i, q in enumerate(QUESTIONS)
            }

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        from keras_lr.optimizers._batch import batch_at_hand

        batch = batch_at_hand(self)
        values = [ops.copy(v) for v in trainable_variables]
        for name, question in QUESTIONS.items():
            self.logged_variables[name].assign(question(batch, values, grads))
        for g, v in zip(grads, trainable_variables, strict=True):
            v.assign(values_minus(v, g, learning_rate))


def values_minus(variable, gradient, rate):
    return ops.convert_to_tensor(variable) - ops.cast(rate, gradient.dtype) * gradient


def norm(tensors):
    return ops.sqrt(sum(ops.sum(t * t) for t in tensors))


def shifted(values, grads, step):
    return [v - step * g for v, g in zip(values, grads, strict=True)]


QUESTIONS = {
    "start": lambda b, v, g: b.loss,
    "again": lambda b, v, g: b.loss_at(v),
    "gradient_error": lambda b, v, g: (
        norm([x - y for x, y in zip(b.loss_and_gradient_at(v)[1], g, strict=True)]) / norm(g)
    ),
    "mean_of_losses": lambda b, v, g: ops.mean(b.losses_and_slopes(g)[0]),
    "mean_of_slopes": lambda b, v, g: ops.mean(b.losses_and_slopes(g)[1]) / norm(g) ** 2,
    "curvature": lambda b, v, g: sum(ops.sum(h * x) for h, x in zip(b.hessian_vector_product(g), g, strict=True)),
    "curvature_by_differences": lambda b, v, g: (
        sum(
            ops.sum((p - m) * x)
            for p, m, x in zip(
                b.loss_and_gradient_at(shifted(v, g, -3e-3))[1],
                b.loss_and_gradient_at(shifted(v, g, 3e-3))[1],
                g,
                strict=True,
            )
        )
        / 6e-3
    ),
}


@pytest.mark.parametrize("weighted", [False, True])
def test_the_batch_answers_truly_and_leaves_no_trace(weighted):
    """Evaluations agree with the step's own loss and gradient; nothing but the weights moves, and that as in SGD."""
    weights = np.linspace(0.5, 1.5, 64).astype("float32") if weighted else None
    plain, asked = network(), network()
    plain.compile(keras.optimizers.SGD(0.05), loss="mse", metrics=["mae"])
    asked.compile(Asking(0.05), loss="mse", metrics=["mae"])
    attach(asked)
    expected = fit(plain, sample_weight=weights)
    answers = fit(asked, sample_weight=weights)
    np.testing.assert_allclose(answers["loss"], expected["loss"], rtol=1e-5)
    np.testing.assert_allclose(answers["mae"], expected["mae"], rtol=1e-5)
    for a, b in zip(state(plain), state(asked), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-6)
    np.testing.assert_allclose(answers["again"], answers["start"], rtol=1e-6)
    np.testing.assert_allclose(answers["mean_of_losses"], answers["start"], rtol=1e-5)
    np.testing.assert_allclose(answers["mean_of_slopes"], 1.0, rtol=1e-4)
    np.testing.assert_allclose(answers["gradient_error"], 0.0, atol=1e-5)
    np.testing.assert_allclose(answers["curvature"], answers["curvature_by_differences"], rtol=2e-2)


def first_step_decreases(model, x=X, y=Y, **arguments):
    """Whether the loss that the search accepted is the loss that the model has afterwards, with no dropout."""
    history = fit(model, x=x, y=y, batch_size=len(X), epochs=1, **arguments)
    assert history["search_status"] == [Status.ACCEPTED]
    assert history["alpha"][0] > 0
    again = fit(model, x=x, y=y, batch_size=len(X), epochs=1, **arguments)
    assert again["loss"][0] < history["loss"][0]


@pytest.mark.parametrize(
    "compiled",
    [{}, {"run_eagerly": True}, {"jit_compile": keras.backend.backend() != "torch"}],
    ids=["default", "eager", "jit"],
)
@pytest.mark.parametrize("search", [PAL(), Backtracking(), Polyak()], ids=lambda s: type(s).__name__)
def test_a_step_decreases_the_loss_of_its_batch(search, compiled):
    model = network()
    model.compile(LineSearch(search), loss="mse", **compiled)
    first_step_decreases(attach(model))


def test_sample_weights_class_weights_several_outputs_and_metrics():
    a, b = keras.Input((6,)), keras.Input((6,))
    h = layers.Dense(8, activation="tanh")(layers.Concatenate()([a, b]))
    keras.utils.set_random_seed(2)
    model = keras.Model([a, b], {"r": layers.Dense(1, name="r")(h), "c": layers.Dense(2, name="c")(h)})
    losses = {"r": "mse", "c": keras.losses.SparseCategoricalCrossentropy(from_logits=True)}
    model.compile(LineSearch(Backtracking()), loss=losses, metrics={"r": ["mae"], "c": ["accuracy"]})
    targets = {"r": Y, "c": (Y[:, 0] > 0).astype("int32")}
    first_step_decreases(attach(model), [X, X[::-1].copy()], targets)
    history = fit(model, x=[X, X[::-1].copy()], y=targets, epochs=1)
    # The means that the losses of the outputs keep are over one evaluation a batch.
    assert history["loss"][0] == pytest.approx(history["r_loss"][0] + history["c_loss"][0], rel=1e-5)

    classifier = keras.Sequential([keras.Input((6,)), layers.Dense(2)])
    classifier.compile(LineSearch(PAL()), loss=losses["c"])
    first_step_decreases(attach(classifier), X, targets["c"], class_weight={0: 1.0, 1: 3.0})


class OwnLoss(keras.Model):
    """A subclassed model with its own loss."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(1)

    def call(self, x):
        return self.dense(x)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return ops.mean((y - y_pred) ** 4) + 1e-3 * ops.sum(self.dense.kernel**2)


def test_subclassed_models_with_their_own_loss():
    model = OwnLoss()
    model.compile(LineSearch(Backtracking()))
    first_step_decreases(attach(model))


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_with_loss_scaling(policy):
    keras.config.set_dtype_policy(policy)
    try:
        model = keras.Sequential([keras.Input((6,)), layers.Dense(16, activation="relu"), layers.Dense(1)])
    finally:
        keras.config.set_dtype_policy("float32")
    model.compile(LineSearch(Backtracking(decrease=1e-3)), loss="mse")
    attach(model)
    scales = policy == "mixed_float16"
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer) == scales
    history = fit(model, epochs=4)
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    assert history["search_status"][-1] in (Status.ACCEPTED, Status.BUDGET_SPENT)


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="Keras refuses it on PyTorch")
def test_steps_per_execution():
    one, four = network(), network()
    for model, steps in ((one, 1), (four, 4)):
        model.compile(LineSearch(PAL()), loss="mse", steps_per_execution=steps)
        fit(attach(model))
    for a, b in zip(state(one), state(four), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_normalisation_and_seeds_move_once_a_step():
    searched, plain = network(), network()
    searched.compile(LineSearch(Backtracking()), loss="mse")
    plain.compile(keras.optimizers.SGD(0.0), loss="mse")
    fit(attach(searched), epochs=1, batch_size=64)
    fit(plain, epochs=1, batch_size=64)
    for a, b in zip(searched.non_trainable_variables, plain.non_trainable_variables, strict=True):
        np.testing.assert_allclose(ops.convert_to_numpy(a), ops.convert_to_numpy(b), rtol=1e-5, atol=1e-7)


def test_unseeded_dropout_sees_one_mask_in_a_search():
    model = keras.Sequential([keras.Input((6,)), layers.Dense(32), layers.Dropout(0.5), layers.Dense(1)])
    model.compile(LineSearch(Backtracking(max_evaluations=60)), loss="mse")
    history = fit(attach(model), epochs=8)
    assert set(history["search_status"]) == {Status.ACCEPTED}


def test_attach_twice_is_attach_once_and_another_compile_is_seen():
    model = network()
    model.compile(LineSearch(PAL()), loss="mse")
    assert attach(attach(model)) is model
    assert "alpha" in fit(model, epochs=1)
    model.compile("sgd", loss="mse")
    assert "alpha" not in fit(model, epochs=1)


def test_the_step_is_traced_once():
    traces = []

    class Traced(OwnLoss):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            traces.append(1)
            return super().compute_loss(x, y, y_pred, sample_weight, training)

    model = Traced()
    model.compile(LineSearch(PAL()))
    attach(model)
    fit(model, epochs=1)
    after_one_epoch = len(traces)
    fit(model, epochs=3)
    if keras.backend.backend() == "torch":
        pytest.skip("PyTorch is eager")
    assert len(traces) == after_one_epoch
