"""DoG: the step size is the distance travelled over the root of the summed squared gradients.

M. Ivgi, O. Hinder, Y. Carmon, *DoG is SGD's Best Friend: A Parameter-Free Dynamic Step Size Schedule*, 2023,
arXiv:2302.12022: equation 2 (DoG), section 4.1 (L-DoG), appendix D (averaging, after Shamir and Zhang).
"""

import math
from typing import Any

import keras
from keras import ops

from keras_lr._arguments import check
from keras_lr._backends import lists
from keras_lr.optimizers._averaging import PolynomialAveraging
from keras_lr.optimizers._global import State, Tensors


@keras.saving.register_keras_serializable(package="keras_lr")
class DoG(PolynomialAveraging):
    """Gradient descent whose step size is distance over gradients.

    ``ηₜ = max(‖xᵢ - x₀‖, i ≤ t) / √(Σ ‖gᵢ‖² + epsilon)`` and ``x ← x - ηₜ g``. There is no decay to end with, so
    the result is an average of the weights, and the model holds it when ``fit`` ends.

    Args:
        learning_rate: a factor on the step size that the method finds. The paper's c; leave it at 1.
        relative_start: the first step is ``relative_start · (1 + ‖x₀‖)`` long. The paper's r_ε: small enough
            never to harm, 1e-6; 1e-4 for models with BatchNormalization, where 1e-6 may never take off.
        epsilon: guards the first division, in units of the squared gradient.
        **kwargs: ``average``, γ of the polynomial average ``x̄ ← x̄ + (1 + γ) / (t + γ) · (x - x̄)``, 8 by default
            (greater weighs late steps more; None keeps no average, and the last point is clearly worse), and
            the arguments of ``keras.optimizers.Optimizer``. ``weight_decay · x`` is a part of g.

    Raises:
        ValueError: ``relative_start`` or ``epsilon`` is not positive, or ``average`` is negative.

    Costs:
        Memory: one copy of the weights, and one more for the average.

    Reference:
        Ivgi, Hinder, Carmon 2023, https://arxiv.org/abs/2302.12022

    Example:
        >>> import keras
        >>> from keras_lr.optimizers import DoG
        >>> weight, optimizer = keras.Variable([1.0]), DoG()
        >>> for _ in range(200):  # the loss is (w - 3)^2 / 2, its gradient w - 3
        ...     optimizer.apply([weight - 3.0], [weight])
        >>> round(float(weight.numpy()[0]), 2), round(float(optimizer.learning_rate), 2)
        (3.0, 0.12)
    """

    arguments = ["relative_start", "epsilon"]
    tuning_free = True

    def __init__(
        self,
        learning_rate: Any = 1.0,
        *,
        relative_start: float = 1e-6,
        epsilon: float = 1e-8,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.relative_start = relative_start
        self.epsilon = epsilon
        check(self, "relative_start", "epsilon", above=0.0)

    def build_state(self) -> None:
        super().build_state()
        self.add_pooled("distance")
        self.add_pooled("squared_gradients", self.epsilon)
        self.add_start("start")

    def descend(self, x: Tensors, g: Tensors, state: State, rate: Any) -> Tensors:
        g = self.with_decay(g, x, state)
        # 0 at the first step, and in LDoG at that of a variable that had no gradient until now.
        begins = ops.any(state.distance == 0.0)
        (distance,) = lists.where_(begins, self.begun, [state.distance], x)
        state.distance = lists.larger(distance, ops.sqrt(self.pooled(lists.distances(x, state.start))))
        state.squared_gradients = state.squared_gradients + self.pooled(lists.squares(g))
        found = state.distance / ops.sqrt(state.squared_gradients)
        state.scale = ops.sum(found) / math.prod(found.shape)
        return lists.add_(x, g, -rate * found)

    def begun(self, distances: Tensors, x: Tensors) -> Tensors:
        """Return the distances, a list of one tensor, with the length of the first step in the place of each 0."""
        first = self.relative_start * (1.0 + ops.sqrt(self.pooled(lists.squares(x))))
        return [ops.where(distances[0] > 0.0, distances[0], first)]

    def pooled(self, squares: Any) -> Any:
        """Return one sum of squares for the model from those of its variables."""
        return ops.sum(squares)

    def add_pooled(self, name: str, initial: float = 0.0) -> None:
        """Declare what `pooled` returns: one number of the model."""
        self.add_scalar(name, initial)


@keras.saving.register_keras_serializable(package="keras_lr")
class LDoG(DoG):
    """DoG with a step size of its own for each variable (layer-wise DoG).

    As ``DoG``, with ``‖·‖`` over one variable at a time: layers whose gradients differ by orders of magnitude each
    find their own rate. ``learning_rate`` reports the mean of the rates.

    Args:
        learning_rate: as in ``DoG``.
        relative_start: as in ``DoG``; 1e-8 where a large pretrained network diverges.
        epsilon: as in ``DoG``.
        **kwargs: as in ``DoG``.

    Raises:
        ValueError: as in ``DoG``.

    Costs:
        Memory: one copy of the weights, and one more for the average.

    Reference:
        Ivgi, Hinder, Carmon 2023, section 4.1, https://arxiv.org/abs/2302.12022

    Example:
        >>> import keras
        >>> from keras_lr.optimizers import LDoG
        >>> weights, optimizer = [keras.Variable([1.0]), keras.Variable([1.0])], LDoG()
        >>> for _ in range(200):  # the curvature along the second weight is a thousand times that along the first
        ...     optimizer.apply([weights[0] - 3.0, 1000.0 * (weights[1] - 3.0)], weights)
        >>> [round(float(weight.numpy()[0]), 2) for weight in weights]
        [3.0, 3.0]
    """

    packs = False

    def pooled(self, squares: Any) -> Any:
        return squares

    def add_pooled(self, name: str, initial: float = 0.0) -> None:
        self.add_vector(name, initial)
