"""What every optimizer of this room has to do, whatever its rule. A new one is a new row of the table."""

import inspect
import json
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import ops
from oracles.optimizer_problems import least_squares

from keras_lr import optimizers
from keras_lr.optimizers._across_batches import AcrossBatches
from keras_lr.optimizers._batch import hand_over
from keras_lr.optimizers._directions import AdamDirection, RMSpropDirection
from keras_lr.optimizers._global import GlobalOptimizer
from keras_lr.optimizers._moments import gathered
from keras_lr.training import attach

SGD, Adam = keras.optimizers.SGD, keras.optimizers.Adam

# What makes the optimizer from keyword arguments of the base class.
TABLE = {
    "AdaHessian": optimizers.AdaHessian,
    "AdGD": lambda **k: optimizers.AdGD(initial_rate=1e-3, **k),
    "BarzilaiBorwein": lambda **k: optimizers.BarzilaiBorwein(largest_rate=1.0, **k),
    "COCOB": optimizers.COCOB,
    "DAdaptAdaGrad": lambda **k: optimizers.DAdaptAdaGrad(initial_estimate=1e-2, **k),
    "DAdaptAdam": lambda **k: optimizers.DAdaptAdam(initial_estimate=1e-2, **k),
    "DAdaptLion": lambda **k: optimizers.DAdaptLion(initial_estimate=1e-2, **k),
    "DAdaptSGD": lambda **k: optimizers.DAdaptSGD(initial_estimate=1e-2, **k),
    "DoG": lambda **k: optimizers.DoG(relative_start=1e-2, **k),
    "DoWG": optimizers.DoWG,
    "HypergradientAdam": lambda **k: optimizers.HypergradientAdam(initial_rate=0.05, **k),
    "HypergradientSGD": lambda **k: optimizers.HypergradientSGD(initial_rate=0.05, **k),
    "LDoG": lambda **k: optimizers.LDoG(relative_start=1e-2, **k),
    "Mechanic": lambda **k: optimizers.Mechanic(SGD(1.0, momentum=0.9), initial_scale=1e-2, **k),
    "MoMo": optimizers.MoMo,
    "MoMoAdam": optimizers.MoMoAdam,
    "NormalizedHypergradient": lambda **k: optimizers.NormalizedHypergradient(initial_rate=0.05, **k),
    "PerLayer": lambda **k: optimizers.PerLayer(Adam(0.05, **k), {"v0": 0.5}),
    "Prodigy": lambda **k: optimizers.Prodigy(initial_estimate=1e-2, **k),
    "ScheduleFreeAdamW": lambda **k: optimizers.ScheduleFreeAdamW(0.05, **k),
    "ScheduleFreePlus": optimizers.ScheduleFreePlus,
    "ScheduleFreeRAdam": lambda **k: optimizers.ScheduleFreeRAdam(0.05, beta_2=0.9, **k),
    "ScheduleFreeSGD": lambda **k: optimizers.ScheduleFreeSGD(0.1, **k),
    "Sophia": lambda **k: optimizers.Sophia(**{"learning_rate": 0.1, "gamma": 1.0, **k}),
}
LAYERWISE = {"LDoG", "PerLayer", "AdaHessian", "Sophia"}  # a rate a layer, or random probes a variable
NO_CLIPPING = {"MoMo", "MoMoAdam", "ScheduleFreePlus"}
NO_RATE = {"COCOB", "Mechanic", "PerLayer"}  # the rate is the inner optimizer's, or there is none

every = pytest.mark.parametrize("name", TABLE)


def made(start, dtype="float32"):
    return [keras.Variable(v, dtype=dtype, name=f"v{i}") for i, v in enumerate(start)]


def values(variables):
    return [ops.convert_to_numpy(ops.cast(v, "float32")) for v in variables]


def built(optimizer, variables):
    with hand_over(SimpleNamespace()):
        optimizer.build(variables)
    return optimizer


def apply(optimizer, variables, gradients, loss=1.0):
    gradients = [ops.convert_to_tensor(g, dtype=v.dtype) for g, v in zip(gradients, variables, strict=True)]
    with hand_over(batch(loss)):
        optimizer.apply(gradients, variables)


def apply_conditionally(optimizer, variables, gradients, loss=1.0):
    """As ``apply``, where Keras decides within the step whether to take it: JAX wants that compiled."""
    if keras.backend.backend() != "jax":
        return apply(optimizer, variables, gradients, loss)
    import jax

    if not hasattr(optimizer, "compiled"):
        optimizer.compiled = jax.jit(lambda *state: stateless(optimizer, *state))
    gradients = [ops.convert_to_tensor(g, dtype=v.dtype) for g, v in zip(gradients, variables, strict=True)]
    state = [v.value for v in optimizer.variables], gradients, [v.value for v in variables]
    weights, others = optimizer.compiled(np.float32(loss), *state)
    for variable, value in zip([*variables, *optimizer.variables], [*weights, *others], strict=True):
        variable.assign(value)


def stateless(optimizer, loss, *state):
    with hand_over(batch(loss)):
        return optimizer.stateless_apply(*state)


def batch(loss):
    """A batch whose Hessian is the identity."""
    loss = ops.convert_to_tensor(loss, dtype="float32")
    return SimpleNamespace(loss=loss, hessian_vector_product=lambda vectors: list(vectors))


def walked(optimizer, variables, steps, first=0, batch_size=8):
    """Take steps on noisy least squares and return the losses met."""
    _, loss_and_gradients = least_squares(batch_size)
    losses = []
    for step in range(first, first + steps):
        loss, gradients = loss_and_gradients(values(variables), step)
        apply(optimizer, variables, gradients, loss)
        losses.append(loss)
    return losses


def fresh(name, dtype="float32", **arguments):
    variables = made(least_squares()[0], dtype)
    return built(TABLE[name](**arguments), variables), variables


def test_the_table_is_complete():
    own = {
        name
        for name, thing in vars(optimizers).items()
        if isinstance(thing, type) and issubclass(thing, GlobalOptimizer) and not issubclass(thing, AcrossBatches)
    }
    assert own <= set(TABLE)


@every
def test_descends(name):
    optimizer, variables = fresh(name)
    losses = walked(optimizer, variables, 40, batch_size=None)
    assert np.isfinite(losses).all()
    assert losses[-1] < 0.7 * losses[0]


@every
def test_each_variable_is_held_once_and_building_again_adds_none(name):
    optimizer, variables = fresh(name)
    held = [id(v) for v in optimizer.variables]
    assert len(set(held)) == len(held)
    optimizer.build(variables)  # outside of an attached step, where a new one is refused
    assert [id(v) for v in optimizer.variables] == held


@every
def test_keeps_shapes_and_dtypes(name):
    optimizer, variables = fresh(name, "bfloat16")
    before = [(v.shape, v.dtype) for v in [*variables, *optimizer.variables]]
    walked(optimizer, variables, 2)
    assert [(v.shape, v.dtype) for v in [*variables, *optimizer.variables]] == before
    assert all(v.dtype != "bfloat16" for v in optimizer.variables) or name in ("PerLayer", "Mechanic")


@pytest.mark.parametrize("name", [name for name in TABLE if name not in NO_RATE])
def test_a_rate_of_zero_leaves_the_weights_alone(name):
    optimizer, variables = fresh(name, learning_rate=0.0) if name[:8] != "Schedule" else fresh(name)
    optimizer.learning_rate = 0.0
    before = values(variables)
    walked(optimizer, variables, 3)
    for old, new in zip(before, values(variables), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("name", [name for name in TABLE if name not in LAYERWISE])
def test_how_weights_are_cut_into_variables_changes_nothing(name):
    whole, variables = fresh(name)
    start = least_squares()[0]
    pieces = made([start[1], start[0][2:], start[0][:2]])  # permuted and split
    cut = built(TABLE[name](), pieces)
    _, loss_and_gradients = least_squares()
    for step in range(6):
        loss, (matrix, bias) = loss_and_gradients(values(variables), step)
        apply(whole, variables, [matrix, bias], loss)
        apply(cut, pieces, [bias, matrix[2:], matrix[:2]], loss)
    bias, low, high = values(pieces)
    np.testing.assert_allclose(np.concatenate([high, low]), values(variables)[0], rtol=2e-4, atol=2e-5)
    np.testing.assert_allclose(bias, values(variables)[1], rtol=2e-4, atol=2e-5)


@every
def test_the_order_in_which_variables_are_named_changes_nothing(name):
    start = [np.linspace(-1, 1, 6).reshape(3, 2), np.ones((2, 3)), np.linspace(1, 2, 6).reshape(3, 2), np.ones(4)]
    ends = []
    for order in ([0, 1, 2, 3], [2, 3, 0, 1]):  # two are of one shape, and would be taken for each other
        variables = made(start)
        optimizer = built(TABLE[name](), variables)
        for _ in range(6):
            apply(optimizer, [variables[i] for i in order], [(0.1 + i) * values(variables)[i] for i in order])
        ends.append(values(variables))
    for one, other in zip(*ends, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@every
def test_is_rebuilt_from_its_config(name):
    optimizer = TABLE[name]()
    saved = keras.saving.serialize_keras_object(optimizer)
    again = keras.saving.deserialize_keras_object(json.loads(json.dumps(saved)))
    assert type(again) is type(optimizer)
    assert again.get_config() == optimizer.get_config()


@every
def test_resumes_bit_for_bit(name):
    optimizer, variables = fresh(name)
    walked(optimizer, variables, 3)
    resumed, copies = fresh(name)
    for copy, variable in zip([*copies, *resumed.variables], [*variables, *optimizer.variables], strict=True):
        copy.assign(ops.copy(ops.convert_to_tensor(variable)))
    walked(optimizer, variables, 3, first=3)
    walked(resumed, copies, 3, first=3)
    for one, other in zip(values(variables), values(copies), strict=True):
        np.testing.assert_array_equal(one, other)


@every
def test_accumulates(name):
    plain, variables = fresh(name)
    accumulating, others = fresh(name, gradient_accumulation_steps=2)
    _, loss_and_gradients = least_squares()
    for step in range(3):
        loss, gradients = loss_and_gradients(values(variables), step)
        apply(plain, variables, gradients, loss)
        apply_conditionally(accumulating, others, [0.5 * g for g in gradients], loss)
        apply_conditionally(accumulating, others, [1.5 * g for g in gradients], loss)
    for one, other in zip(values(variables), values(others), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", [name for name in TABLE if name not in NO_CLIPPING])
def test_sees_clipped_gradients(name):
    plain, variables = fresh(name)
    clipping, others = fresh(name, clipnorm=0.5)  # of each variable by itself, before small ones are joined
    _, loss_and_gradients = least_squares()
    for step in range(3):
        loss, gradients = loss_and_gradients(values(variables), step)
        apply(plain, variables, [g * min(1.0, 0.5 / np.linalg.norm(g)) for g in gradients], loss)
        apply(clipping, others, gradients, loss)
    for one, other in zip(values(variables), values(others), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@every
def test_an_overflow_under_loss_scaling_changes_nothing(name):
    variables = made(least_squares()[0])
    scaled = built(keras.optimizers.LossScaleOptimizer(TABLE[name]()), variables)
    _, loss_and_gradients = least_squares()
    loss, gradients = loss_and_gradients(values(variables), 0)
    apply_conditionally(scaled, variables, [g * 2.0**15 for g in gradients], loss)
    before = values([*variables, *scaled.inner_optimizer.variables])
    apply_conditionally(scaled, variables, [g * np.inf for g in gradients], loss)
    for old, new in zip(before, values([*variables, *scaled.inner_optimizer.variables]), strict=True):
        np.testing.assert_array_equal(old, new)
    plain, others = fresh(name)
    apply(plain, others, loss_and_gradients(values(others), 0)[1], loss)
    for one, other in zip(values(variables), values(others), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@every
def test_a_variable_without_a_gradient_stays(name):
    optimizer, variables = fresh(name)
    before = values(variables)
    for _ in range(8):  # RAdam is silent for five
        with hand_over(batch(1.0)):
            optimizer.apply([ops.ones(variables[0].shape)], variables[:1])
    optimizer.finalize_variable_values(variables)  # as at the end of `fit`, which puts an average in place
    np.testing.assert_array_equal(values(variables)[1], before[1])
    assert not np.array_equal(values(variables)[0], before[0])


@every
def test_the_rate_reads_as_it_was_written(name):
    optimizer, variables = fresh(name)
    walked(optimizer, variables, 8)
    assert 0.0 < float(optimizer.learning_rate) < np.inf
    if name[:4] != "MoMo":  # the rate of these is a cap
        optimizer.learning_rate = 0.125
        assert float(optimizer.learning_rate) == pytest.approx(0.125, rel=1e-6)


@every
@pytest.mark.usefixtures("built_while_traced")
def test_fits_compiled_once(name):
    traces = []

    def loss(y, y_pred):
        traces.append(None)
        return ops.mean(ops.square(y - y_pred))

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="v0"), keras.layers.Dense(1, name="v1")])
    optimizer = TABLE[name]()
    random = np.random.RandomState(0)
    x = random.randn(32, 3).astype("float32")
    model.compile(optimizer, loss=loss)
    if getattr(optimizer, "needs_batch", False):
        attach(model)
    model.fit(x, x.sum(1, keepdims=True), batch_size=8, verbose=0, shuffle=False)
    seen = len(traces)
    history = model.fit(x, x.sum(1, keepdims=True), batch_size=8, epochs=3, verbose=0, shuffle=False).history
    if keras.backend.backend() != "torch":
        assert len(traces) == seen
    assert np.isfinite([float(v) for v in history["loss"]]).all()


class WithNothing(keras.layers.Dense):
    """A layer with a weight that has no entries, as one for columns of which there are none."""

    def build(self, input_shape):
        super().build(input_shape)
        self.nothing = self.add_weight(shape=(0,), name="nothing")

    def call(self, inputs):
        return super().call(inputs) + ops.sum(self.nothing)


@pytest.mark.parametrize(
    "make",
    [optimizers.AdaHessian, optimizers.LDoG, optimizers.ProbabilisticLineSearch, lambda: optimizers.Prodigy(every=2)],
    ids=["AdaHessian", "LDoG", "ProbabilisticLineSearch", "Prodigy every 2"],
)
def test_a_weight_without_entries_is_let_be(make):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), WithNothing(1)])
    optimizer = make()
    model.compile(optimizer, "mse")
    if getattr(optimizer, "needs_batch", False):
        attach(model)
    x = np.random.RandomState(0).randn(32, 3).astype("float32")
    losses = model.fit(x, x.sum(1, keepdims=True), batch_size=8, epochs=2, verbose=0).history["loss"]
    assert losses[1] < losses[0]


BETAS = [
    (name, beta)
    for name in dir(optimizers)
    if name in TABLE
    for beta in inspect.signature(getattr(optimizers, name)).parameters
    if beta.startswith("beta")
]


@pytest.mark.parametrize(("name", "beta"), BETAS)
def test_the_weight_of_an_old_mean_is_below_1(name, beta):
    wrong = 1.5 if beta == "beta_3" else 1.0  # Prodigy's sums may go without a decay
    with pytest.raises(ValueError, match=f"^{name} takes a number .* as {beta}.*{beta}={wrong}"):
        getattr(optimizers, name)(**{beta: wrong})


@pytest.mark.parametrize(
    ("make", "argument", "wrong"),
    [
        (optimizers.DAdaptSGD, "momentum", 1.0),
        (optimizers.DAdaptAdaGrad, "momentum", 1.0),
        (optimizers.AdaHessian, "seed", 2**32),
        (optimizers.AdaHessian, "power", 1.1),
        (optimizers.AdaHessian, "power", -0.1),
        (optimizers.DoG, "relative_start", 0.0),
        (optimizers.ScheduleFreeRAdam, "beta_2", 0.6),
        (AdamDirection, "beta_2", 1.0),
        (RMSpropDirection, "rho", 1.0),
    ],
)
def test_what_is_out_of_its_range_is_named(make, argument, wrong):
    with pytest.raises(ValueError, match=rf"^{make.__name__} takes .* as {argument}\. Received: {argument}={wrong}"):
        make(**{argument: wrong})


@pytest.mark.parametrize("name", ["AdaHessian", "Sophia"])
def test_the_probes_of_the_hessian_are_signs_as_likely_plus_as_minus(name):
    optimizer, _ = fresh(name)
    drawn = np.stack([np.concatenate([s.ravel() for s in values(optimizer.random_signs())]) for _ in range(200)])
    np.testing.assert_array_equal(np.abs(drawn), 1.0)
    assert np.all(np.abs(drawn.mean(axis=0)) < 5 / np.sqrt(200))
    # Independent of each other, so that what lies beside the diagonal has the mean 0: u (H u) is its diagonal.
    assert np.all(np.abs(drawn.T @ drawn / 200 - np.eye(drawn.shape[1])) < 5 / np.sqrt(200))


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9, 0.999, 1 - 1e-6])
@pytest.mark.parametrize("steps", [1, 3, 1000])
def test_what_an_average_has_gathered_is_exact_in_single_precision(beta, steps):
    found = gathered(beta, ops.convert_to_tensor(steps, dtype="float32"))
    wanted = -np.expm1(steps * np.log1p(beta - 1.0)) if beta else 1.0
    assert float(found) == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("name", ["AdaHessian", "MoMo", "MoMoAdam", "ScheduleFreePlus", "Sophia"])
def test_a_saved_model_is_loaded_before_it_can_be_attached(name, tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(TABLE[name](), loss="mse")
    x = np.random.RandomState(0).randn(32, 3).astype("float32")
    attach(model).fit(x, x.sum(1, keepdims=True), verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    for old, new in zip(values(model.optimizer.variables), values(again.optimizer.variables), strict=True):
        np.testing.assert_array_equal(old, new)
    attach(again).fit(x, x.sum(1, keepdims=True), verbose=0)


@pytest.mark.parametrize("name", ["COCOB", "DAdaptSGD", "DAdaptAdaGrad"])
def test_what_would_contradict_weight_decay_refuses_it(name):
    with pytest.raises(
        ValueError, match=rf"^{name} takes no weight_decay, .*weight_decay=0\.1\. Use kernel_regularizer="
    ):
        TABLE[name](weight_decay=0.1)


MEASURES_GRADIENTS = ["AdGD", "BarzilaiBorwein", "DoG", "DoWG", "LDoG"]  # the decay is a part of what they measure
# MoMo and ScheduleFreePlus shrink by formulas of their own, which their records hold; PerLayer leaves it to Keras.
OWN_DECAY = {"COCOB", "DAdaptAdaGrad", "DAdaptSGD", "Mechanic", "MoMo", "MoMoAdam", "PerLayer", "ScheduleFreePlus"}
OWN_DECAY.update(MEASURES_GRADIENTS)


@pytest.mark.parametrize("name", [name for name in TABLE if name not in OWN_DECAY])
def test_weight_decay_uses_the_rate_that_was_found(name):
    decayed, variables = fresh(name, weight_decay=0.1)
    decayed.exclude_from_weight_decay(var_names=["v1"])
    plain, others = fresh(name)
    before = values(variables)
    _, gradients = least_squares()[1](before, 0)
    apply(decayed, variables, gradients)
    apply(plain, others, gradients)
    rate = float(decayed.learning_rate)
    if name == "LDoG":  # the rate of this layer, from its step
        rate = np.median((before[0] - values(others)[0]) / gradients[0])
    shrunk = values(others)[0] - 0.1 * rate * before[0]
    np.testing.assert_allclose(values(variables)[0], shrunk, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(values(variables)[1], values(others)[1])


@pytest.mark.parametrize("name", MEASURES_GRADIENTS)
def test_a_rate_that_is_measured_on_gradients_knows_of_the_decay(name):
    """As the authors of DoG have it: weight_decay · x is a part of the gradient from the beginning."""
    decayed, variables = fresh(name, weight_decay=0.1)
    decayed.exclude_from_weight_decay(var_names=["v1"])
    plain, others = fresh(name)
    _, loss_and_gradients = least_squares()
    for step in range(6):
        apply(decayed, variables, loss_and_gradients(values(variables), step)[1])
        matrix, bias = loss_and_gradients(values(others), step)[1]
        apply(plain, others, [matrix + 0.1 * values(others)[0], bias])
    for one, other in zip(values(variables), values(others), strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("name", [name for name in TABLE if name not in ("COCOB", "DAdaptAdaGrad", "DAdaptSGD")])
def test_without_gradients_the_decay_makes_weights_smaller_and_never_larger(name):
    decay = {} if name == "Mechanic" else {"weight_decay": 0.1}  # that is the inner optimizer's affair
    optimizer, variables = fresh(name, **decay)
    lengths = []
    for _ in range(6):
        lengths.append([np.abs(v).max() for v in values(variables)])
        apply(optimizer, variables, [0.0 * v for v in values(variables)])
    assert np.all(np.diff(lengths, axis=0) <= 0.0)
