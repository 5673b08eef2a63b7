"""Which way: the directions along which `GradientOnly` searches, each a descent direction for every gradient.

A direction is -u, with u = g or u = g / (√v + ε) for a mean or a sum v of squared gradients: every entry of g times a
positive number, so it descends whatever the gradient. Momentum is missing on purpose: old gradients make directions
along which the slope says little about the step, and searches along them train worse than along the gradient (Kafka
and Wilke, arXiv:2007.01054).
"""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

from keras_lr._arguments import NotNegative, Part
from keras_lr._backends import lists
from keras_lr._backends.second_moment import over_root_
from keras_lr._value import Value, value
from keras_lr.line_search._scalars import sqrt

Tensors = list[Any]
"""One tensor a variable."""


class Direction(Protocol):
    """Makes u from a gradient; frozen, and without state of its own."""

    slots: ClassVar[tuple[str, ...]]

    def descend(
        self, gradient: Tensors, moments: list[Tensors], old: Tensors, made: Any
    ) -> tuple[Tensors, list[Tensors]]:
        """Return u, of which -u is the direction, and the new moments.

        Args:
            gradient: g, not to be consumed.
            moments: One list of tensors for each name in ``slots``, zeros at first; may be consumed.
            old: The u before this one; may be consumed.
            made: How many directions were made before, a scalar.
        """


@value
class SteepestDescent(Value):
    """Search along -g.

    Example:
        >>> import keras
        >>> from keras_lr.line_search import SlopeTracking
        >>> from keras_lr.optimizers import GradientOnly, SteepestDescent
        >>> weights = keras.Variable([1.0, 1.0])
        >>> optimizer = GradientOnly(SlopeTracking(1e-6), SteepestDescent(), max_update_norm=1.0, initial_step=0.1)
        >>> for _ in range(2):
        ...     optimizer.apply([keras.ops.convert_to_tensor([4.0, 0.5])], [weights])
        ...     print(weights.numpy().round(3))
        [0.6  0.95]
        [0.2 0.9]
    """

    slots: ClassVar[tuple[str, ...]] = ()

    def descend(
        self, gradient: Tensors, moments: list[Tensors], old: Tensors, made: Any
    ) -> tuple[Tensors, list[Tensors]]:
        return gradient, moments


@value
class AdagradDirection(Value):
    """Search along -g / (√v + ε), v the sum of all squared gradients that made a direction.

    Args:
        epsilon: ε, in units of the gradient; small, as it only keeps entries from 0/0 whose gradient was always 0.

    Raises:
        ValueError: an argument is out of its range.

    Example:
        >>> import keras
        >>> from keras_lr.line_search import SlopeTracking
        >>> from keras_lr.optimizers import AdagradDirection, GradientOnly
        >>> weights = keras.Variable([1.0, 1.0])
        >>> optimizer = GradientOnly(SlopeTracking(1e-6), AdagradDirection(), max_update_norm=1.0, initial_step=0.1)
        >>> for _ in range(3):
        ...     optimizer.apply([keras.ops.convert_to_tensor([4.0, 0.5])], [weights])
        ...     print(weights.numpy().round(3))
        [0.9 0.9]
        [0.829 0.829]
        [0.772 0.772]
    """

    epsilon: NotNegative = 1e-10
    slots: ClassVar[tuple[str, ...]] = ("second_moment",)

    def descend(
        self, gradient: Tensors, moments: list[Tensors], old: Tensors, made: Any
    ) -> tuple[Tensors, list[Tensors]]:
        u, moment = over_root_(old, moments[0], gradient, self.epsilon)
        return u, [moment]


@value
class RMSpropDirection(Value):
    """Search along -g / (√v + ε), v the moving mean of squared gradients.

    Args:
        rho: Weight of the old mean, between 0 and 1; 0.9 as in Keras.
        epsilon: ε, in units of the gradient; 1e-7 as in Keras.

    Raises:
        ValueError: an argument is out of its range.

    Example:
        >>> import keras
        >>> from keras_lr.line_search import SlopeTracking
        >>> from keras_lr.optimizers import GradientOnly, RMSpropDirection
        >>> weights = keras.Variable([1.0, 1.0])
        >>> optimizer = GradientOnly(SlopeTracking(1e-6), RMSpropDirection(), max_update_norm=1.0, initial_step=0.1)
        >>> for _ in range(3):
        ...     optimizer.apply([keras.ops.convert_to_tensor([4.0, 0.5])], [weights])
        ...     print(weights.numpy().round(3))
        [0.684 0.684]
        [0.454 0.454]
        [0.262 0.262]
    """

    rho: Part = 0.9
    epsilon: NotNegative = 1e-7
    slots: ClassVar[tuple[str, ...]] = ("second_moment",)

    def descend(
        self, gradient: Tensors, moments: list[Tensors], old: Tensors, made: Any
    ) -> tuple[Tensors, list[Tensors]]:
        u, moment = over_root_(old, moments[0], gradient, self.epsilon, self.rho)
        return u, [moment]


@value
class AdamDirection(Value):
    """Search along Adam's direction without the first moment: -g / (√v̂ + ε), v̂ the unbiased mean of squares.

    Args:
        beta_2: Weight of the old mean, between 0 and 1; 0.999, as Adam's.
        epsilon: ε, in units of the gradient; 1e-8 as in Adam's paper.

    Raises:
        ValueError: an argument is out of its range.

    Example:
        >>> import keras
        >>> from keras_lr.line_search import SlopeTracking
        >>> from keras_lr.optimizers import AdamDirection, GradientOnly
        >>> weights = keras.Variable([1.0, 1.0])
        >>> optimizer = GradientOnly(SlopeTracking(1e-6), AdamDirection(), max_update_norm=1.0, initial_step=0.1)
        >>> for _ in range(3):
        ...     optimizer.apply([keras.ops.convert_to_tensor([4.0, 0.5])], [weights])
        ...     print(weights.numpy().round(3))
        [0.9 0.9]
        [0.8 0.8]
        [0.7 0.7]
    """

    beta_2: Part = 0.999
    epsilon: NotNegative = 1e-8
    slots: ClassVar[tuple[str, ...]] = ("second_moment",)

    def descend(
        self, gradient: Tensors, moments: list[Tensors], old: Tensors, made: Any
    ) -> tuple[Tensors, list[Tensors]]:
        correction = sqrt(1.0 - self.beta_2 ** (made + 1.0))
        u, moment = over_root_(old, moments[0], gradient, self.epsilon * correction, self.beta_2)
        return lists.scale_(u, correction), [moment]
