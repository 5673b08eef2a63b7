"""Methods without a package to compare with: against their formulas, restated slowly in NumPy."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import ops
from oracles.optimizer_problems import PROBLEMS

from keras_lr import optimizers
from keras_lr.optimizers._batch import hand_over
from keras_lr.optimizers._hessian_diagonal import window_mean


def adgd(first=1e-3):
    """Malitsky, Mishchenko 2020, algorithm 1."""
    rate, growth, old = first, np.inf, None

    def step(x, g):
        nonlocal rate, growth, old
        if old is not None:
            moved, turned = np.linalg.norm(x - old[0]), np.linalg.norm(g - old[1])
            new = min(np.sqrt(1 + growth) * rate, moved / (2 * turned))
            rate, growth = new, new / rate
        old = x, g
        return x - rate * g

    return step


def barzilai_borwein(short, first=1e-2):
    old = None

    def step(x, g):
        nonlocal old
        rate = first
        if old is not None:
            s, y = x - old[0], g - old[1]
            rate = abs(s @ y) / (y @ y) if short else (s @ s) / abs(s @ y)
        old = x, g
        return x - rate * g

    return step


def hypergradient_sgd(rate=0.01, beta=1e-3):
    """Baydin et al. 2018, algorithm 4."""
    old = 0.0

    def step(x, g):
        nonlocal rate, old
        rate += beta * np.sum(g * old)
        old = g
        return x - rate * g

    return step


def hypergradient_adam(rate=0.01, beta=1e-4, b1=0.9, b2=0.999, epsilon=1e-8):
    """Baydin et al. 2018, algorithm 5."""
    m = v = u = 0.0
    t = 0

    def step(x, g):
        nonlocal rate, m, v, u, t
        t += 1
        rate += beta * np.sum(g * u)
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        u = m / (1 - b1**t) / (np.sqrt(v / (1 - b2**t)) + epsilon)
        return x - rate * u

    return step


def normalized_hypergradient(rate=0.01, beta=0.05):
    old, seen = None, 0.0

    def step(x, g):
        nonlocal rate, old, seen
        if old is not None:
            h = g @ old / (old @ old)
            seen += h * h
            rate += beta * h / np.sqrt(seen)
        old = g
        return x - rate * g

    return step


def schedule_free_refined(rate=0.1, beta=0.9, decoupling=30.0):
    """Song et al. 2025: x is a mean of z whose span is set apart from beta."""
    x = z = None
    total = 0.0

    def step(y, g):
        nonlocal x, z, total
        if z is None:
            x = z = y
        total += rate**2
        c = min(1.0, rate**2 / total * (1 - beta) * decoupling)
        z = z - rate * g
        x = (1 - c) * x + c * z
        return (1 - beta) * z + beta * x

    return step


CASES = {
    "AdGD": (optimizers.AdGD(initial_rate=1e-3), adgd),
    "BarzilaiBorwein long": (optimizers.BarzilaiBorwein(initial_rate=1e-2), lambda: barzilai_borwein(False)),
    "BarzilaiBorwein short": (
        optimizers.BarzilaiBorwein(initial_rate=1e-2, short=True),
        lambda: barzilai_borwein(True),
    ),
    "HypergradientSGD": (optimizers.HypergradientSGD(initial_rate=0.01, hyper_rate=1e-3), hypergradient_sgd),
    "HypergradientAdam": (optimizers.HypergradientAdam(initial_rate=0.01, hyper_rate=1e-4), hypergradient_adam),
    "NormalizedHypergradient": (
        optimizers.NormalizedHypergradient(initial_rate=0.01, hyper_rate=0.05),
        normalized_hypergradient,
    ),
    "ScheduleFreeSGD refined": (optimizers.ScheduleFreeSGD(0.1, decoupling=30.0), schedule_free_refined),
}


@pytest.mark.parametrize("name", CASES)
def test_is_its_formula(name):
    optimizer, oracle = CASES[name]
    optimizer, oracle = type(optimizer).from_config(optimizer.get_config()), oracle()
    start, loss_and_gradients = PROBLEMS["least_squares"](batch_size=None)
    variables = [keras.Variable(v, name=f"v{i}") for i, v in enumerate(start)]
    shapes, cuts = [v.shape for v in start], np.cumsum([v.size for v in start])[:-1]
    x = np.concatenate([v.ravel() for v in start])
    for step in range(12):
        pieces = [piece.reshape(shape) for piece, shape in zip(np.split(x, cuts), shapes, strict=True)]
        x = oracle(x, np.concatenate([g.ravel() for g in loss_and_gradients(pieces, step)[1]]))
        values = [ops.convert_to_numpy(v).astype("float64") for v in variables]
        optimizer.apply([ops.convert_to_tensor(g, "float32") for g in loss_and_gradients(values, step)[1]], variables)
    ours = np.concatenate([ops.convert_to_numpy(v).ravel() for v in variables])
    np.testing.assert_allclose(ours, x, rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize("name", ["AdGD", "BarzilaiBorwein long", "BarzilaiBorwein short"])
def test_solves_a_full_batch_problem(name):
    optimizer = type(CASES[name][0]).from_config(CASES[name][0].get_config())
    start, loss_and_gradients = PROBLEMS["least_squares"](batch_size=None)
    variables = [keras.Variable(v, name=f"v{i}") for i, v in enumerate(start)]
    norms = []
    for step in range(200):
        _, gradients = loss_and_gradients([ops.convert_to_numpy(v).astype("float64") for v in variables], step)
        norms.append(np.sqrt(sum(np.sum(g**2) for g in gradients)))
        optimizer.apply([ops.convert_to_tensor(g, "float32") for g in gradients], variables)
    assert norms[-1] < 1e-2 * norms[0]


@pytest.mark.parametrize("lost", ["rounding", "no gradient"])
def test_adgd_measures_nothing_where_the_weights_stood_still(lost):
    """Of the weight 1 bfloat16 rounds off steps below 0.004, and the gradient of another batch is another one there."""
    variable = keras.Variable(np.ones(4), dtype="bfloat16" if lost == "rounding" else "float32")
    optimizer = optimizers.AdGD()
    optimizer.build([variable])
    noise = np.random.RandomState(0).randn(300, 4) * 1e-3
    for step in range(300):
        x = ops.convert_to_numpy(ops.cast(variable, "float32"))
        gradient = x - 0.5 + noise[step] if lost == "rounding" or step >= 200 else np.zeros(4)
        optimizer.apply([ops.convert_to_tensor(gradient, variable.dtype)], [variable])
    np.testing.assert_allclose(ops.convert_to_numpy(ops.cast(variable, "float32")), 0.5, atol=0.02)


def test_adgd_takes_its_first_step_at_the_initial_rate():
    variable = keras.Variable(np.ones(4), dtype="float32")
    optimizer = optimizers.AdGD(initial_rate=0.125)
    optimizer.build([variable])
    optimizer.apply([ops.convert_to_tensor(np.ones(4), "float32")], [variable])
    np.testing.assert_array_equal(ops.convert_to_numpy(variable), np.full(4, 0.875, "float32"))


@pytest.mark.parametrize("short", [False, True], ids=["long", "short"])
def test_barzilai_borwein_keeps_its_rate_where_the_weights_stood_still(short):
    """A warm-up that begins at 0, as Keras' own do, makes a step of nothing first."""
    variable = keras.Variable(np.ones(4), dtype="float32")
    optimizer = optimizers.BarzilaiBorwein(0.0, initial_rate=1e-2, short=short)
    optimizer.build([variable])
    for multiplier in (0.0, 0.0, 1.0):
        optimizer._learning_rate.assign(multiplier)
        optimizer.apply([ops.convert_to_tensor(np.ones(4), "float32")], [variable])
    np.testing.assert_allclose(ops.convert_to_numpy(variable), 0.99, rtol=1e-6)


@pytest.mark.parametrize(("rate", "step"), [(5.0, 0.5), (0.25, 0.25)], ids=["Polyak", "capped"])
def test_momo_reads_the_step_that_it_took(rate, step):
    """The line along a gradient of 2 from a loss of 2 is at 0 after a step of one half."""
    variable, optimizer = keras.Variable([1.0]), optimizers.MoMo(rate, beta=0.0)
    with hand_over(SimpleNamespace(loss=ops.convert_to_tensor(2.0))):
        optimizer.apply([ops.convert_to_tensor([2.0])], [variable])
    assert float(ops.convert_to_numpy(variable)[0]) == 1.0 - 2.0 * step
    assert float(optimizer.learning_rate) == step


@pytest.mark.parametrize("excluded", [[], ["bias"], ["kernel", "bias"]], ids=["none", "one", "all"])
@pytest.mark.parametrize("kind", [optimizers.MoMo, optimizers.MoMoAdam])
def test_a_polyak_step_of_momo_ends_where_the_model_of_the_loss_is_at_its_bound(kind, excluded):
    """Decay and step make one proximal step, so that this holds for the decayed weights, whichever are decayed."""
    start, gradients = {"kernel": [1.0, -2.0], "bias": [3.0]}, [np.array([0.3, -0.1]), np.array([0.2])]
    variables = [keras.Variable(value, name=name) for name, value in start.items()]
    optimizer = kind(100.0, weight_decay=0.02, lower_bound=0.5)
    optimizer.exclude_from_weight_decay(var_names=excluded)
    with hand_over(SimpleNamespace(loss=ops.convert_to_tensor(2.0))):
        optimizer.build(variables)
        optimizer.apply([ops.convert_to_tensor(g, "float32") for g in gradients], variables)
    moved = [ops.convert_to_numpy(v) - start[v.name] for v in variables]
    assert 2.0 + sum(np.sum(g * m) for g, m in zip(gradients, moved, strict=True)) == pytest.approx(0.5, abs=1e-4)


@pytest.mark.parametrize("kind", [optimizers.MoMo, optimizers.MoMoAdam])
def test_a_step_of_momo_and_its_decay_have_the_factor_of_a_layer(kind):
    """With a cap far below Polyak's step, a factor is another cap."""
    weights = {}
    for name, rate, factors in (("slow", 0.05, {}), ("quick", 0.1, {}), ("mixed", 0.1, {"body": 0.5})):
        variables = [keras.Variable([1.0, -2.0], name=name) for name in ("body", "head")]
        optimizer = optimizers.PerLayer(kind(rate, weight_decay=0.1), factors)
        for _ in range(3):
            with hand_over(SimpleNamespace(loss=ops.convert_to_tensor(1e6))):
                optimizer.apply([ops.convert_to_tensor([0.3, -0.1])] * 2, variables)
        weights[name] = [ops.convert_to_numpy(v) for v in variables]
    assert not np.allclose(weights["slow"][0], weights["quick"][0])
    np.testing.assert_allclose(weights["mixed"][0], weights["slow"][0], rtol=1e-6)
    np.testing.assert_allclose(weights["mixed"][1], weights["quick"][1], rtol=1e-6)


def test_sophia_leaves_a_weight_alone_that_has_neither_gradient_nor_curvature():
    variable, optimizer = keras.Variable([1.0, 1.0]), optimizers.Sophia(0.1)
    with hand_over(SimpleNamespace(hessian_vector_product=lambda vectors: [0.0 * v for v in vectors])):
        optimizer.apply([ops.convert_to_tensor([0.0, 2.0])], [variable])
    np.testing.assert_allclose(ops.convert_to_numpy(variable), [1.0, 0.9], rtol=1e-6)


@pytest.mark.parametrize(("shape", "axes"), [((4,), ()), ((2, 3), (0,)), ((3, 2, 2), (0,)), ((3, 2, 2, 2), (0, 1))])
def test_curvature_is_averaged_over_the_inputs_of_a_matrix_and_the_window_of_a_convolution(shape, axes):
    diagonal = np.random.RandomState(0).randn(*shape).astype("float32")
    (averaged,) = window_mean([ops.convert_to_tensor(diagonal)])
    wanted = np.broadcast_to(np.mean(np.abs(diagonal), axis=axes, keepdims=True), shape)
    np.testing.assert_allclose(ops.convert_to_numpy(averaged), wanted, rtol=1e-6)
