"""Decays: from an initial rate to an end rate in so many steps, then held. One algorithm, one shape each."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from keras_lr._arguments import Positive, Real, Share
from keras_lr._value import value
from keras_lr.schedules import shapes
from keras_lr.schedules._kinds import Rate
from keras_lr.schedules._schedule import Schedule
from keras_lr.schedules._shaped import ShapeLike, between, progress, shaped
from keras_lr.schedules._units import Length


@dataclasses.dataclass(frozen=True, repr=False)
class Descent(Schedule):
    """The base of the decays: ``eta_e + (eta_0 - eta_e) s(u)`` with ``u = min(t / T, 1)``; the rate is held after T."""

    initial_learning_rate: Rate
    decay_steps: Length
    end_learning_rate: Rate = 0.0

    @property
    def shape(self) -> Any:
        """How the rate falls: 1 at the start, 0 at the end."""
        raise NotImplementedError

    @property
    def end_step(self) -> float | None:
        """The step from which the end rate is held."""
        return self.decay_steps

    def formula(self, step: Any, xp: Any) -> Any:
        """Return the rate at a step."""
        fraction = shaped(self.shape, progress(step, self.decay_steps, xp), xp)
        return between(self.initial_learning_rate, self.end_learning_rate, fraction)


@value
class Decay(Descent):
    """Fall from one rate to another along any shape.

    ``eta_e + (eta_0 - eta_e) s(u)`` with ``u = min(t / T, 1)``.

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: how long the fall takes: steps, `Epochs` or `Fraction`.
        end_learning_rate: the rate from there on. Default 0.
        shape: a shape of `schedules.shapes`, or a function of the progress. Default linear.

    Example:
    >>> from keras_lr import schedules
    >>> schedules.Decay(1.0, 4, shape=schedules.shapes.Power(2)).values(range(6)).tolist()
    [1.0, 0.5625, 0.25, 0.0625, 0.0, 0.0]
    """

    shape: ShapeLike = shapes.Linear()


@value
class Linear(Descent):
    """Fall in a straight line; with the default end this is "linear to zero" or the budgeted schedule.

    ``eta_0 + (eta_e - eta_0) min(t / T, 1)``. The last step of a run of T steps is T - 1, and it still moves.

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: how long the fall takes.
        end_learning_rate: the rate from there on; above the initial one the line climbs. Default 0.

    Reference: Li, Yumer, Ramanan, Budgeted Training, arXiv 1905.04753.

    Example:
    >>> from keras_lr import schedules
    >>> schedules.Linear(1.0, 4).values(range(6)).tolist()
    [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
    """

    source: ClassVar[str] = "Li et al., Budgeted Training (2020), arXiv 1905.04753"
    shape = shapes.Linear()


@value
class Polynomial(Descent):
    """Fall like a power of what remains: ``eta_e + (eta_0 - eta_e) (1 - u)^power``.

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: how long the fall takes.
        end_learning_rate: the rate from there on. Default 0; Keras' `PolynomialDecay` has 1e-4.
        power: above 0. Default 1, as in PyTorch and Keras.

    Reference: Chen et al., DeepLab, arXiv 1606.00915, section 4.1 (the "poly" policy).

    Example:
    >>> from keras_lr import schedules
    >>> schedules.Polynomial(1.0, 4, power=2).values(range(6)).tolist()
    [1.0, 0.5625, 0.25, 0.0625, 0.0, 0.0]
    """

    source: ClassVar[str] = "Chen et al., DeepLab (2016), arXiv 1606.00915"
    power: Positive = 1.0

    @property
    def shape(self) -> Any:
        """A power of the remaining part."""
        return shapes.Power(self.power)


@value
class GrowingPolynomial(Schedule):
    """Fall like `Polynomial`, with an end that moves on: past every multiple of T it falls towards the next one.

    ``u = t / (T max(1, ceil(t / T)))`` in the formula of `Polynomial`. At t = kT the end rate is reached, and one step
    later the rate jumps up: Keras' ``PolynomialDecay(cycle=True)``.

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: the length of the first fall.
        end_learning_rate: the rate at each multiple of it. Default 0.
        power: above 0. Default 1.

    Reference: as documented for Keras' and TensorFlow's polynomial decay.

    Example:
    >>> from keras_lr import schedules
    >>> schedules.GrowingPolynomial(1.0, 4).values([0, 2, 4, 5, 6, 8]).tolist()
    [1.0, 0.5, 0.0, 0.375, 0.25, 0.0]
    """

    source: ClassVar[str] = "TensorFlow and Keras, polynomial decay with cycle=True"
    initial_learning_rate: Rate
    decay_steps: Length
    end_learning_rate: Rate = 0.0
    power: Positive = 1.0

    def formula(self, step: Any, xp: Any) -> Any:
        """Return the rate at a step."""
        horizon = self.decay_steps * xp.maximum(1.0, -xp.floor(-step / self.decay_steps))
        fraction = shapes.Power(self.power)(progress(step, horizon, xp), xp)
        return between(self.initial_learning_rate, self.end_learning_rate, fraction)


@value
class Cosine(Descent):
    """Fall along half a cosine wave: ``eta_e + (eta_0 - eta_e) (1 + cos(pi u)) / 2``; the end is held.

    PyTorch's and Transformers' cosine climb again after their end; this one, like Keras', optax' and timm's, stays.

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: how long the fall takes.
        end_learning_rate: the rate from there on. Default 0.

    Reference: Loshchilov, Hutter, SGDR, arXiv 1608.03983, equation 5 without restarts.

    Example:
    >>> from keras_lr import schedules
    >>> schedules.Cosine(1.0, 4).values([0, 2, 4, 8]).round(12).tolist()
    [1.0, 0.5, 0.0, 0.0]
    """

    source: ClassVar[str] = "Loshchilov & Hutter, SGDR (2017), arXiv 1608.03983, eq. 5"
    shape = shapes.Cosine()


@value
class KDecay(Descent):
    """The cosine of a power of the progress: ``eta_e + (eta_0 - eta_e) (1 + cos(pi u^k)) / 2``.

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: how long the fall takes.
        end_learning_rate: the rate from there on. Default 0.
        k: above 0; above 1 the high plateau is longer. Default 1.5, the paper's choice for CIFAR.

    Reference: Zhang, Li, k-decay, arXiv 2004.05909.

    Example:
    >>> from keras_lr import schedules
    >>> schedules.KDecay(1.0, 4, k=2).values(range(6)).round(3).tolist()
    [1.0, 0.99, 0.854, 0.402, 0.0, 0.0]
    """

    source: ClassVar[str] = "Zhang & Li, k-decay (2020), arXiv 2004.05909"
    k: Positive = 1.5

    @property
    def shape(self) -> Any:
        """The cosine of a power."""
        return shapes.Cosine(self.k)


@value
class Tanh(Descent):
    """Fall along a hyperbolic tangent: ``eta_e + (eta_0 - eta_e) (1 - tanh(l (1 - u) + h u)) / 2``; held after T.

    It starts and ends near, not at, its two rates: with the defaults at 1 - 8e-7 and 0.0025 of the way.

    Args:
        initial_learning_rate: the rate at step 0, nearly.
        decay_steps: how long the fall takes.
        end_learning_rate: the rate from there on, nearly. Default 0.
        low: `l`, where on the tangent to start. Default -7.
        high: `h`, where to end. Default 3.

    Reference: Hsueh, Li, Wu, Stochastic gradient descent with hyperbolic-tangent decay, arXiv 1806.01593.

    Example:
    >>> from keras_lr import schedules
    >>> schedules.Tanh(1.0, 4).values(range(6)).round(4).tolist()
    [1.0, 0.9999, 0.982, 0.2689, 0.0025, 0.0025]
    """

    source: ClassVar[str] = "Hsueh, Li & Wu (2019), arXiv 1806.01593"
    low: Real = -7.0
    high: Real = 3.0

    def formula(self, step: Any, xp: Any) -> Any:
        """Return the rate at a step."""
        u = progress(step, self.decay_steps, xp)
        fraction = (1 - xp.tanh(self.low * (1 - u) + self.high * u)) / 2
        return between(self.initial_learning_rate, self.end_learning_rate, fraction)


@value
class REX(Descent):
    """Stay above the line, fall steeply at the end: ``eta_e + (eta_0 - eta_e) (1 - u) / (1 - u / 2)``.

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: how long the fall takes.
        end_learning_rate: the rate from there on. Default 0.

    Reference: Chen, Wolfe, Kyrillidis, REX, arXiv 2107.04197.

    Example:
    >>> from keras_lr import schedules
    >>> schedules.REX(1.0, 4).values(range(6)).round(3).tolist()
    [1.0, 0.857, 0.667, 0.4, 0.0, 0.0]
    """

    source: ClassVar[str] = "Chen, Wolfe & Kyrillidis, REX (2021), arXiv 2107.04197"
    shape = shapes.REX()


@value
class FlatCosine(Schedule):
    """Hold the rate for most of the run, then a cosine to the end.

    `eta_0` for t < fT, then ``eta_e + (eta_0 - eta_e) (1 + cos(pi u)) / 2`` with ``u = min((t - fT) / (T - fT), 1)``.

    Args:
        initial_learning_rate: `eta_0`, the rate of the flat part.
        total_steps: `T`, flat part and cosine together.
        end_learning_rate: `eta_e`, the rate from there on. Default 0; fastai ends at 1e-5 of the initial rate.
        flat: `f`, the share of the flat part. Default 0.75, as in fastai.

    Reference: fastai, `fit_flat_cos`.

    Example:
    >>> from keras_lr import schedules
    >>> schedules.FlatCosine(1.0, 8).values([0, 6, 7, 8]).round(12).tolist()
    [1.0, 1.0, 0.5, 0.0]
    """

    source: ClassVar[str] = "fastai, fit_flat_cos"
    initial_learning_rate: Rate
    total_steps: Length
    end_learning_rate: Rate = 0.0
    flat: Share = 0.75

    @property
    def end_step(self) -> float | None:
        """The step from which the end rate is held."""
        return self.total_steps

    def formula(self, step: Any, xp: Any) -> Any:
        """Return the rate at a step."""
        start = self.flat * self.total_steps
        fraction = shapes.Cosine()(progress(step - start, max(self.total_steps - start, 1e-9), xp), xp)
        return between(self.initial_learning_rate, self.end_learning_rate, fraction)
