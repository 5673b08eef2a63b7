"""ScheduleFree+: Schedule-Free with Adam's momentum inside and a Polyak step in place of the rate.

The method of arXiv:2605.19095 (2026) as its authors' repository has it: ``facebookresearch/schedule_free``,
``adamc_schedulefree_plus_paper.py``, with the gradient's norm of the step itself (``polyak_beta`` 0).
"""

import math
from typing import Any

import keras
from keras import ops

from keras_lr._arguments import check
from keras_lr._backends import lists
from keras_lr.optimizers._batch import NeedsBatch, batch_at_hand
from keras_lr.optimizers._global import State, Tensors
from keras_lr.optimizers._moments import adam_direction
from keras_lr.optimizers._refusals import refuse_clipping
from keras_lr.optimizers._schedule_free import ScheduleFree


@keras.saving.register_keras_serializable(package="keras_lr")
class ScheduleFreePlus(NeedsBatch, ScheduleFree):
    """Schedule-Free Adam whose rate is a Polyak step: no rate to choose and no horizon to know. Experimental.

    ``l = rate · (f(y) + ⟨g, z - y⟩)₊ / (√(π/2) ‖g‖₁)``, the Polyak step for the loss that the gradient at y promises at
    z; u is Adam's direction and ``rate · l · weight_decay · y``; the rest is ``ScheduleFreeAdamW``. It needs the loss
    of the batch: call ``keras_lr.attach(model)`` after ``compile``. The authors report gains over tuned schedules for
    language models; nobody else has measured it yet, and the loss has to have its floor near 0.

    Args:
        learning_rate: a multiplier of the Polyak step.
        beta_1: decay of the mean of gradients; 0.9 is the authors'.
        beta_2: decay of the mean of squares; 0.95 is the authors', for language models.
        epsilon: added to the root, in units of the gradient.
        following_steps: the average is the newest z for so many steps: 0, or once or twice a warm-up.
        **kwargs: as in ``ScheduleFreeSGD`` (``weight_power`` 2 for long runs), except clipping, after which loss and
            gradient no longer belong to each other. ``weight_decay`` is multiplied by l twice: 20 to 50, not 0.1.

    Raises:
        ValueError: an argument is out of its range, gradients are clipped, or the model is not attached.

    Costs:
        Memory: 3 copies of the weights. Evaluation within ``fit`` at the average, and BatchNormalization, need
        ``keras_lr.callbacks.AveragedWeights``.

    Reference:
        ScheduleFree+ 2026, https://arxiv.org/abs/2605.19095

    Example:
        >>> import keras, keras_lr, numpy as np
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
        >>> model.compile(keras_lr.optimizers.ScheduleFreePlus(), loss="mse")
        >>> x = np.linspace(-1, 1, 1600)[:, None]
        >>> history = keras_lr.attach(model).fit(x, 3 * x, epochs=3, verbose=0)
        >>> history.history["loss"][-1] < 0.2 * history.history["loss"][0]
        True
    """

    arguments = ["beta_1", "beta_2", "epsilon", "following_steps"]
    tuning_free = True

    def __init__(
        self,
        learning_rate: Any = 1.0,
        *,
        beta_1: float = 0.9,
        beta_2: float = 0.95,
        epsilon: float = 1e-8,
        following_steps: float = 0,
        **kwargs: Any,
    ) -> None:
        refuse_clipping("ScheduleFreePlus", kwargs, "Leave it out: the step is bounded as it is.")
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.following_steps = following_steps
        check(self, "beta_1", "beta_2", least=0.0, below=1.0)
        check(self, "epsilon", least=0.0)
        check(self, "following_steps", least=0)

    def build_state(self) -> None:
        super().build_state()
        self.add_slot("mean")
        self.add_slot("mean_square")

    def rate_factor(self, y: Tensors, g: Tensors, state: State) -> Any:
        loss = ops.cast(batch_at_hand(self).loss, self.compute_dtype)
        promised = lists.larger(loss + ops.sum(lists.dots(g, state.z, minus=y)), 0.0)
        polyak = lists.quotient(promised, math.sqrt(math.pi / 2.0) * ops.sum(lists.norms(g)))
        return polyak * super().rate_factor(y, g, state)

    def averaging_share(self, state: State) -> Any:
        weights, follows = state.weights, self.count() < self.following_steps
        share = super().averaging_share(state)
        state.weights = ops.where(follows, weights, state.weights)
        return ops.where(follows, ops.ones_like(share), share)

    def direction(self, g: Tensors, state: State) -> Tensors:
        (g,) = lists.once_known(state.scale, g)
        return adam_direction(g, state, self.beta_1, self.beta_2, self.epsilon, self.count() + 1.0)

    def decay(self, state: State) -> Any:
        """Return the decay of the direction: proportional to the rate, which multiplies it again."""
        decay = super().decay(state)
        return None if decay is None else decay * state.scale * state.multiplier
