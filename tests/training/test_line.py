"""Weights walk along a direction and end where the search says, on every backend."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_lr._backends.ops.search_scalars import FIT_IN_CACHE
from keras_lr._backends.search_scalars import unpack
from keras_lr._backends.walks import leap, walk


class Bowl:
    """A batch with the loss ‖w - 1‖² over two variables."""

    def __init__(self, variables):
        self.variables = variables
        self.forward_passes = 0

    def loss_at(self, values):
        self.forward_passes += 1
        return sum(ops.sum((v - 1.0) ** 2) for v in values)

    def loss_and_gradient_at(self, values):
        return self.loss_at(values), [2.0 * (v - 1.0) for v in values]

    def loss_here(self):
        return self.loss_at([v.value for v in self.variables])

    def moved_by_a_forward_pass(self):
        return [], []


def scalar(value):
    """A scalar as searches have it: a float on PyTorch, a tensor elsewhere."""
    return unpack(ops.convert_to_tensor(value, dtype="float32"))[0][0]


@pytest.fixture(params=[3, FIT_IN_CACHE])
def bowl(request):
    """Few weights and many: how the last move is made depends on their number."""
    return Bowl([keras.Variable(np.zeros((2, 2), "float32")), keras.Variable(np.zeros(request.param, "float32"))])


def everywhere(bowl, value):
    return [ops.full(v.shape, value) for v in bowl.variables]


def values(bowl):
    return np.concatenate([ops.convert_to_numpy(v).ravel() for v in bowl.variables])


def without_gradients(function):
    """PyTorch's variables are leaves, which may not be changed while gradients are recorded."""
    if keras.backend.backend() != "torch":
        return function()
    import torch

    with torch.no_grad():
        return function()


def test_losses_and_slopes_on_the_way_and_the_end(bowl):
    direction = everywhere(bowl, 1.0)
    first, weights = scalar(0.25), len(values(bowl))

    def go():
        way = walk(bowl, bowl.variables, direction, scalar(2.0), first, scalar(1.0) > 0.0)
        assert float(way.line.phi(first)) == pytest.approx(weights * 0.25)
        assert float(way.line.phi(scalar(0.5))) == pytest.approx(0.0, abs=1e-6)
        value, slope = way.line.phi_and_slope(scalar(0.0))
        assert (float(value), float(slope)) == pytest.approx((weights, -4.0 * weights))
        way.settle(scalar(0.125))

    without_gradients(go)
    np.testing.assert_allclose(values(bowl), 0.25, rtol=1e-6)
    assert bowl.forward_passes == 3


def test_an_accepted_first_trial_needs_no_second_move(bowl):
    direction = everywhere(bowl, 1.0)
    first = scalar(0.3)
    without_gradients(
        lambda: walk(bowl, bowl.variables, direction, scalar(1.0), first, scalar(1.0) > 0.0).settle(first)
    )
    np.testing.assert_array_equal(values(bowl), np.float32(0.3))


@pytest.mark.parametrize("poison", [np.nan, np.inf])
def test_nothing_moves_without_go_whatever_the_direction_holds(bowl, poison):
    direction = everywhere(bowl, poison)
    no = scalar(1.0) < 0.0

    def stay():
        walk(bowl, bowl.variables, direction, scalar(1.0), scalar(poison), no).settle(scalar(0.5))
        leap(bowl.variables, direction, scalar(poison), no)

    without_gradients(stay)
    np.testing.assert_array_equal(values(bowl), 0.0)


def test_a_leap_moves_at_once(bowl):
    direction = everywhere(bowl, 1.0)
    without_gradients(lambda: leap(bowl.variables, direction, scalar(-0.5), scalar(1.0) > 0.0))
    np.testing.assert_array_equal(values(bowl), -0.5)
    assert bowl.forward_passes == 0
