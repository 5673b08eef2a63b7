"""L-BFGS against SciPy and PyTorch on the classical functions and on a logistic regression, and inside `fit`."""

import contextlib

import keras
import numpy as np
import pytest
import scipy.optimize
import torch
from keras import ops
from sklearn.datasets import load_breast_cancer

from keras_lr.line_search import Status, StrongWolfe
from keras_lr.optimizers import LBFGS
from keras_lr.optimizers._lbfgs import Curvature, Iterate, fingerprint_of, minimize, with_pair
from keras_lr.training import attach


def rosenbrock(x):
    return scipy.optimize.rosen(x), scipy.optimize.rosen_der(x)


def wood(x):
    a, b, c, d = x
    value = 100 * (b - a * a) ** 2 + (1 - a) ** 2 + 90 * (d - c * c) ** 2 + (1 - c) ** 2
    value += 10 * (b + d - 2) ** 2 + 0.1 * (b - d) ** 2
    return value, np.array(
        [
            -400 * a * (b - a * a) - 2 * (1 - a),
            200 * (b - a * a) + 20 * (b + d - 2) + 0.2 * (b - d),
            -360 * c * (d - c * c) - 2 * (1 - c),
            180 * (d - c * c) + 20 * (b + d - 2) - 0.2 * (b - d),
        ]
    )


def powell(x):
    a, b, c, d = x
    value = (a + 10 * b) ** 2 + 5 * (c - d) ** 2 + (b - 2 * c) ** 4 + 10 * (a - d) ** 4
    return value, np.array(
        [
            2 * (a + 10 * b) + 40 * (a - d) ** 3,
            20 * (a + 10 * b) + 4 * (b - 2 * c) ** 3,
            10 * (c - d) - 8 * (b - 2 * c) ** 3,
            -10 * (c - d) - 40 * (a - d) ** 3,
        ]
    )


def breast_cancer():
    x, y = load_breast_cancer(return_X_y=True)
    return ((x - x.mean(0)) / x.std(0)).astype("float64"), y.astype("float64")


def logistic(w):
    x, y = breast_cancer()
    margin = x @ w[:-1] + w[-1]
    value = np.mean(np.logaddexp(0, margin) - y * margin) + 1e-3 * w @ w
    residual = 1 / (1 + np.exp(-margin)) - y
    return value, np.append(x.T @ residual, residual.sum()) / len(y) + 2e-3 * w


PROBLEMS = {
    "rosenbrock": (rosenbrock, np.array([-1.2, 1.0])),
    "rosenbrock_10": (rosenbrock, np.tile([-1.2, 1.0], 5)),
    "wood": (wood, np.array([-3.0, -1.0, -3.0, -1.0])),
    "powell": (powell, np.array([3.0, -1.0, 0.0, 1.0])),
    "logistic": (logistic, np.zeros(31)),
}


@contextlib.contextmanager
def double_precision():
    """Float64 tensors, and loops in Python so that NumPy can evaluate the functions."""

    def while_loop(condition, body, loop_vars, maximum_iterations=None):
        state = tuple(loop_vars)
        while bool(ops.convert_to_numpy(condition(*state))):
            state = tuple(body(*state))
        return state

    with contextlib.ExitStack() as stack:
        if keras.backend.backend() == "jax":
            import jax

            stack.enter_context(jax.enable_x64(True))
        stack.enter_context(pytest.MonkeyPatch.context()).setattr(keras.ops, "while_loop", while_loop)
        yield


def double(value):
    return ops.convert_to_tensor(np.asarray(value, "float64"), dtype="float64")


def ours(function, x, tolerance, pairs=10):
    calls = []

    def evaluate(x):
        calls.append(x)
        loss, gradient = function(np.asarray(ops.convert_to_numpy(x)))
        return double(loss), double(gradient)

    with double_precision():
        loss, gradient = evaluate(double(x))
        nothing = Curvature(double(np.zeros((pairs, len(x)))), double(np.zeros((pairs, len(x)))))
        zero = ops.convert_to_tensor(0, dtype="int32")
        start = Iterate(double(x), loss, gradient, nothing, double(0.0), zero + 1, zero, zero)
        end = minimize(evaluate, start, 500, StrongWolfe(), tolerance)
        assert int(end.evaluations) == len(calls)
        return int(end.evaluations), np.asarray(ops.convert_to_numpy(end.gradient)), int(end.steps)


@pytest.mark.parametrize("name", PROBLEMS)
def test_no_worse_than_scipy_and_pytorch_in_at_most_1_3_times_the_evaluations(name):
    function, x = PROBLEMS[name]
    tolerance = 1e-6
    evaluations, gradient, _ = ours(function, x, tolerance)
    options = {"gtol": tolerance, "ftol": 0.0, "maxcor": 10, "maxiter": 500}
    scipys = scipy.optimize.minimize(function, x, jac=True, method="L-BFGS-B", options=options)
    w = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    calls = [0]

    def closure():
        calls[0] += 1
        loss, w.grad = (torch.tensor(v, dtype=torch.float64) for v in function(w.detach().numpy()))
        return loss

    with torch.enable_grad():
        torch.optim.LBFGS([w], 1, 500, 2000, tolerance, 0, history_size=10, line_search_fn="strong_wolfe").step(closure)
    assert np.abs(gradient).max() <= tolerance
    assert evaluations <= 1.3 * min(scipys.nfev, calls[0])


def one_layer(loss="binary_crossentropy"):
    x, y = breast_cancer()
    regularizer = keras.regularizers.L2(1e-3)
    layer = keras.layers.Dense(1, kernel_regularizer=regularizer, bias_regularizer=regularizer)
    model = keras.Sequential([keras.Input((30,)), layer])
    return model, x.astype("float32"), y.astype("float32")[:, None]


def fitted(model, x, y, **arguments):
    return model.fit(x, y, batch_size=len(x), verbose=0, **arguments).history


def test_plain_fit_with_one_batch_an_epoch_reaches_the_minimum():
    model, x, y = one_layer()
    model.compile(LBFGS(10), loss=keras.losses.BinaryCrossentropy(from_logits=True))
    history = fitted(attach(model), x, y, epochs=6)
    best = scipy.optimize.minimize(logistic, np.zeros(31), jac=True).fun
    assert model.evaluate(x, y, verbose=0) == pytest.approx(best, rel=1e-4)
    assert set(history) == {"loss", "alpha", "evaluations", "search_status"}


def test_a_changing_batch_is_refused_and_the_weights_stay():
    model, x, y = one_layer()
    model.compile(LBFGS(2), loss=keras.losses.BinaryCrossentropy(from_logits=True))
    attach(model)
    with pytest.raises(ValueError, match="batch other than the one before"):
        model.fit(x, y, batch_size=200, verbose=0)
    assert all(np.isfinite(w).all() for w in model.get_weights())
    assert int(ops.convert_to_numpy(model.optimizer.logged_variables["search_status"])) == Status.BATCH_CHANGED


def test_after_a_batch_that_was_refused_the_one_before_is_still_known():
    model, x, y = one_layer()
    model.compile(LBFGS(2), loss=keras.losses.BinaryCrossentropy(from_logits=True))
    attach(model)
    (first,) = fitted(model, x[:300], y[:300])["loss"]
    with pytest.raises(ValueError, match="batch other than the one before"):
        fitted(model, x[300:], y[300:])
    (then,) = fitted(model, x[:300], y[:300])["loss"]
    assert then < first


def test_batches_are_told_apart_by_what_they_hold_and_not_by_its_order():
    def print_of(*leaves):
        return ops.convert_to_numpy(fingerprint_of([np.array(leaf, "float32")[:, None] for leaf in leaves]))

    x, y = [1.0, 2.0, -3.0, 0.5], [0.0, 1.0, 1.0, 0.0]
    np.testing.assert_allclose(print_of(x, y), print_of(x[::-1], y[::-1]), rtol=1e-6)
    far = 1e-3  # far more than rounding
    assert np.any(np.abs(print_of(x, y) - print_of(y, x)) > far)
    assert np.any(np.abs(print_of(x) - print_of(x + x)) > far)  # as many of each, twice as many
    root = np.sqrt(2.0)  # of one mean and one mean square
    assert np.any(np.abs(print_of([-1.0, 1.0, -1.0, 1.0]) - print_of([-root, root, 0.0, 0.0])) > far)


def test_a_step_that_only_decreases_the_loss_teaches_no_curvature():
    """The gradient at hand may be that of another trial: the training step after it computes it anew."""

    def evaluate(x):
        return 0.5 * ops.sum(x * x), x

    x, zero = ops.convert_to_tensor([4.0]), ops.convert_to_tensor(0, dtype="int32")
    start = Iterate(x, *evaluate(x), Curvature(ops.zeros((2, 1)), ops.zeros((2, 1))), 0.0 * x[0], zero + 1, zero, zero)
    end = minimize(evaluate, start, 5, StrongWolfe(curvature=0.1, max_evaluations=1), 1e-7)
    assert (int(end.status), int(end.steps)) == (Status.DECREASE_ONLY, 1)
    np.testing.assert_array_equal([float(end.x[0]), float(end.gradient[0])], [3.0, 4.0])
    assert not any(ops.convert_to_numpy(v).any() for v in end.curvature)


def test_the_average_of_weights_is_put_in_place_at_the_end_of_fit():
    model, x, y = one_layer()
    model.compile(LBFGS(2, use_ema=True, ema_momentum=0.5), loss=keras.losses.BinaryCrossentropy(from_logits=True))
    attach(model)
    walked = []
    watch = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: walked.append(np.concatenate([w.ravel() for w in model.get_weights()]))
    )
    fitted(model, x, y, epochs=3, callbacks=[watch])
    average = walked[0]
    for weights in walked[1:]:
        average = 0.5 * average + 0.5 * weights
    np.testing.assert_allclose(np.concatenate([w.ravel() for w in model.get_weights()]), average, rtol=1e-4, atol=1e-6)


def test_saving_in_mid_training_and_going_on_is_bit_for_bit(tmp_path):
    def model_and_data():
        keras.utils.set_random_seed(1)
        model, x, y = one_layer()
        model.compile(LBFGS(3, pairs=4), loss=keras.losses.BinaryCrossentropy(from_logits=True))
        return attach(model), x, y

    whole, x, y = model_and_data()
    fitted(whole, x, y, epochs=2, shuffle=False)
    fitted(whole, x, y, epochs=2, shuffle=False)
    half, x, y = model_and_data()
    fitted(half, x, y, epochs=2, shuffle=False)
    half.save(tmp_path / "half.keras")
    again = attach(keras.saving.load_model(tmp_path / "half.keras"))
    fitted(again, x, y, epochs=2, shuffle=False)
    for a, b in zip(whole.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("arguments", [{"pairs": 0}, {"iterations_per_step": 0}, {"weight_decay": 0.1}])
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        LBFGS(**arguments)


def test_a_loss_that_is_not_finite_is_the_reason_why_nothing_moved():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(LBFGS(), loss="mse")
    before = model.get_weights()
    x, y = np.ones((4, 2)), np.full((4, 1), np.nan)
    history = attach(model).fit(x, y, batch_size=4, verbose=0).history
    assert (history["alpha"], history["search_status"]) == ([0.0], [Status.NOT_FINITE])
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(("product", "kept"), [(2.0, True), (0.0, False), (-2.0, False)])
def test_only_a_pair_of_positive_curvature_is_kept(product, kept):
    before = Curvature(ops.convert_to_tensor([[1.0, 2.0]]), ops.convert_to_tensor([[3.0, 4.0]]))
    step, change = ops.convert_to_tensor([1.0, 0.0]), ops.convert_to_tensor([product, 5.0])
    after = with_pair(before, step, change)
    for new, old, added in zip(after, before, (step, change), strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(new), ops.convert_to_numpy(added[None] if kept else old))
