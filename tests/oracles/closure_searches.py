"""The searches as plain closure loops, written from the papers: `slope(alpha)` looks at a new batch each time.

Each returns the accepted step and the first trial of the next search.
"""

import math

import numpy as np

SMALLEST, LARGEST = 1e-8, 1e7


class NoMoreBatches(Exception):
    pass


def inexact(slope, alpha, cap, start_slope, growth=2.0, overshoot=0.9):
    first = slope(alpha)
    if 0.0 < first < overshoot * abs(start_slope):
        return alpha, alpha
    if first < 0.0 and alpha < cap:
        while True:
            alpha = min(growth * alpha, cap)
            if slope(alpha) >= 0.0 or alpha > cap / growth:
                return alpha, alpha
    if first >= 0.0 and alpha > SMALLEST:
        while True:
            alpha = max(alpha / growth, SMALLEST)
            if slope(alpha) < 0.0 or alpha < SMALLEST * growth:
                return alpha, alpha
    return alpha, alpha


def maximum(slope, alpha, cap, start_slope, growth=2.0, overshoot=0.9):
    tolerated = overshoot * abs(start_slope)
    first = slope(alpha)
    if first < tolerated and alpha < cap:
        while True:
            alpha = min(growth * alpha, cap)
            if slope(alpha) >= tolerated or alpha > cap / growth:
                return alpha, alpha
    if first >= tolerated and alpha > SMALLEST:
        while True:
            alpha = max(alpha / growth, SMALLEST)
            if slope(alpha) < tolerated or alpha < SMALLEST * growth:
                return alpha, alpha
    return alpha, alpha


def back(slope, alpha, cap, start_slope, growth=2.0, overshoot=0.9):
    seen = slope(alpha)
    if seen < 0.0 or alpha < SMALLEST * growth:
        return alpha, math.inf
    while True:
        alpha /= growth
        if slope(alpha) <= overshoot * abs(start_slope) or alpha < SMALLEST * growth:
            return alpha, math.inf


def bisection(slope, alpha, cap, start_slope, growth=2.0, precision=1e-3):
    lower = 0.0
    while slope(alpha) < 0.0:
        if alpha >= cap:
            return alpha, alpha
        lower, alpha = alpha, min(growth * alpha, cap)
    upper = alpha
    while upper - lower > precision * upper and upper > SMALLEST:
        alpha = max(0.5 * (lower + upper), SMALLEST)
        if slope(alpha) < 0.0:
            lower = alpha
        else:
            upper = alpha
    return alpha, alpha


def secant(slope, alpha, cap, start_slope, growth=10.0):
    seen = slope(alpha)
    wanted = alpha * start_slope / (start_slope - seen) if seen > start_slope else growth * alpha
    alpha = min(max(wanted, alpha / growth), growth * alpha, cap)
    slope(alpha)
    return alpha, alpha


def slope_tracking(slope, alpha, cap, start_slope, gain=0.02):
    seen = slope(alpha)
    return alpha, alpha * math.exp(-gain * seen / slope.lengths())


class Line:
    """Slopes along x - alpha u, each on the next batch; keeps the last gradient and where it was."""

    def __init__(self, gradient, x, u):
        self.gradient, self.x, self.u, self.evaluations = gradient, x, u, 0

    def __call__(self, alpha):
        self.evaluations += 1
        self.at = self.x - alpha * self.u
        self.last = self.gradient(self.at)
        return -float(self.last @ self.u)

    def lengths(self):
        return float(np.linalg.norm(self.last) * np.linalg.norm(self.u))


def closure_loop(search, gradient, x, initial_step=1e-8, max_update_norm=1.0, **constants):
    """Run until the batches end; return (step, gradients it took) of every accepted step, and where it stands."""
    steps, guess = [], initial_step
    u = gradient(x)
    try:
        while True:
            length = float(np.linalg.norm(u))
            cap = min(LARGEST, max_update_norm / length)
            line = Line(gradient, x, u)
            alpha = min(max(guess, SMALLEST), cap)
            alpha, guess = search(line, alpha, cap, -float(u @ u), **constants)
            x, u = line.at, line.last
            steps.append((alpha, line.evaluations))
    except NoMoreBatches:
        return steps, x


class Batches:
    """Gradients of softmax regression on consecutive batches, in float64; the weights are one vector."""

    def __init__(self, features, labels, classes, batch_size, gradients):
        self.features, self.labels = features.astype("float64"), labels
        self.classes, self.batch_size, self.left, self.next = classes, batch_size, gradients, 0

    def __call__(self, weights):
        if self.left == 0:
            raise NoMoreBatches
        self.left -= 1
        rows = np.arange(self.next, self.next + self.batch_size) % len(self.labels)
        self.next = (self.next + self.batch_size) % len(self.labels)
        x, y = self.features[rows], self.labels[rows]
        kernel, bias = np.split(weights, [x.shape[1] * self.classes])
        logits = x @ kernel.reshape(x.shape[1], self.classes) + bias
        shares = np.exp(logits - logits.max(1, keepdims=True))
        shares /= shares.sum(1, keepdims=True)
        shares[np.arange(len(y)), y] -= 1.0
        return np.concatenate([(x.T @ shares).ravel(), shares.sum(0)]) / len(y)


def noisy_classes(rows=512, features=6, classes=3, seed=0):
    """Linearly separated classes with a third of the labels wrong, so that slopes are noisy."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, features)).astype("float32")
    y = np.argmax(x @ random.normal(size=(features, classes)), 1)
    wrong = random.random(rows) < 0.3
    return x, np.where(wrong, random.integers(0, classes, rows), y).astype("int32")
