"""Two small problems with gradients in NumPy, in float64: what the recorded trajectories of optimizers ran on.

Every step has a batch of its own, drawn from ``RandomState`` (whose streams NumPy has frozen).
"""

from collections.abc import Callable

import numpy as np

Arrays = list[np.ndarray]
Problem = tuple[Arrays, Callable[[Arrays, int], tuple[float, Arrays]]]


def least_squares(batch_size: int | None = 8) -> Problem:
    """Noisy linear regression, 5 inputs of unequal scale and 3 outputs: a matrix and a bias."""
    random = np.random.RandomState(0)
    truth, scales = random.randn(5, 3), np.array([2.0, 1.0, 0.5, 0.2, 0.1])
    start = [random.randn(5, 3), random.randn(3)]

    def loss_and_gradients(values: Arrays, step: int) -> tuple[float, Arrays]:
        batch = np.random.RandomState(1000 + (step if batch_size else 0))
        x = batch.randn(batch_size or 32, 5) * scales
        error = x @ (values[0] - truth) + values[1] - 0.3 * batch.randn(len(x), 3)
        return 0.5 * np.mean(np.sum(error**2, axis=1)), [x.T @ error / len(x), error.mean(axis=0)]

    return start, loss_and_gradients


def network(batch_size: int | None = 8) -> Problem:
    """A tanh network 4-6-2 that learns another one of the same shape: two matrices and two biases."""
    random = np.random.RandomState(1)
    shapes = [(4, 6), (6,), (6, 2), (2,)]
    truth = [random.randn(*shape) for shape in shapes]
    start = [0.5 * random.randn(*shape) for shape in shapes]

    def loss_and_gradients(values: Arrays, step: int) -> tuple[float, Arrays]:
        batch = np.random.RandomState(2000 + (step if batch_size else 0))
        x = batch.randn(batch_size or 32, 4)
        w, b, v, c = values
        hidden = np.tanh(x @ w + b)
        wanted = np.tanh(x @ truth[0] + truth[1]) @ truth[2] + truth[3] + 0.1 * batch.randn(len(x), 2)
        error = hidden @ v + c - wanted
        back = (error @ v.T) * (1.0 - hidden**2) / len(x)
        gradients = [x.T @ back, back.sum(axis=0), hidden.T @ error / len(x), error.mean(axis=0)]
        return 0.5 * np.mean(np.sum(error**2, axis=1)), gradients

    return start, loss_and_gradients


PROBLEMS = {"least_squares": least_squares, "network": network}
