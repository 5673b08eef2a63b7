"""Prodigy: Adam whose rate is a growing estimate of the distance to the solution.

K. Mishchenko, A. Defazio, *Prodigy: An Expeditiously Adaptive Parameter-Free Learner*, 2023, arXiv:2306.06101,
algorithm 4.
"""

from typing import Any

import keras
from keras import ops

from keras_lr._arguments import check, check_flags
from keras_lr._backends import lists
from keras_lr.optimizers._estimate import EstimatingOptimizer
from keras_lr.optimizers._global import State, Tensors
from keras_lr.optimizers._moments import adam_correction


@keras.saving.register_keras_serializable(package="keras_lr")
class Prodigy(EstimatingOptimizer):
    """Adam at the rate ``d``, a lower bound of the distance ‖x₀ - x*‖ that is read off the gradients.

    With λ = d · rate and β₃ = √β₂: ``r ← β₃ r + (d / d₀) λ ⟨g, x₀ - x⟩``, ``s ← β₃ s + (d / d₀) λ g``,
    ``d ← max(d, r / ‖s‖₁)``; the moments m and v are Adam's, of ``d · g``, and ``x ← x - λ m / (√v + d ε)``.
    d climbs a decade in about ten steps and settles within 30 to 40; it never falls.

    Args:
        learning_rate: a multiplier of d, a float or a schedule (linear or cosine to 0; no restarts).
        beta_1: decay of the mean of gradients; 0.9, as Adam's.
        beta_2: decay of the mean of squares; 0.999, as Adam's.
        beta_3: decay of the estimate's sums, from 0 to 1 (no decay); √β₂ by default.
        epsilon: added to the root, times d; in units of the gradient.
        initial_estimate: d₀. Raise it to 1e-5 or 1e-4 if d does not leave it within 3 % of the steps.
        estimate_factor: multiplies every estimate; 0.5 or 2 corrects a d that is wrong for a kind of model.
        growth_rate: d grows by at most this factor a step; without a limit by default.
        bias_correction: multiply the rate by Adam's correction. On by default (the reference has it off): it
            keeps small batches and β₂ above 0.999 from diverging.
        safeguard_warmup: keep the rate out of the estimate's denominator: for a schedule with a warm-up.
        every: estimate d from one entry out of ``every`` (11 is the authors' advice), to save memory.
        **kwargs: the arguments of ``keras.optimizers.Optimizer``. Do not clip by norm so hard that every step is
            clipped: the estimate then climbs without end. ``growth_rate=1.02`` contains it.

    Raises:
        ValueError: an argument is out of its range; the message names it.

    Costs:
        Memory: 4 copies of the weights, 2 + 2 / ``every`` with ``every``.

    Reference:
        Mishchenko, Defazio 2023, https://arxiv.org/abs/2306.06101

    Example:
        >>> import keras
        >>> from keras_lr.optimizers import Prodigy
        >>> weight, optimizer = keras.Variable([1.0]), Prodigy()
        >>> for _ in range(200):  # the loss is (w - 3)^2 / 2, its gradient w - 3
        ...     optimizer.apply([weight - 3.0], [weight])
        >>> round(float(weight.numpy()[0]), 2), round(float(optimizer.learning_rate), 2)
        (3.0, 0.43)
    """

    arguments = ["beta_1", "beta_2", "beta_3", "epsilon", "estimate_factor"]
    arguments += ["bias_correction", "safeguard_warmup", "every"]

    def __init__(
        self,
        learning_rate: Any = 1.0,
        *,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        beta_3: float | None = None,
        epsilon: float = 1e-8,
        estimate_factor: float = 1.0,
        bias_correction: bool = True,
        safeguard_warmup: bool = False,
        every: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.beta_3 = beta_3
        self.epsilon = epsilon
        self.estimate_factor = estimate_factor
        self.bias_correction = bias_correction
        self.safeguard_warmup = safeguard_warmup
        self.every = every
        self.packs = every == 1  # the authors count entries variable by variable
        check(self, "beta_1", "beta_2", least=0.0, below=1.0)
        if beta_3 is not None:
            check(self, "beta_3", least=0.0, most=1.0)
        check(self, "epsilon", least=0.0)
        check(self, "estimate_factor", above=0.0)
        check(self, "every", least=1, whole=True)
        check_flags(self, bias_correction=bias_correction, safeguard_warmup=safeguard_warmup)

    def build_state(self) -> None:
        super().build_state()
        self.add_scalar("largest_estimate", self.initial_estimate)
        self.add_scalar("progress")
        self.add_slot("mean")
        self.add_slot("mean_square")
        self.add_slot("pull", every=self.every)
        self.add_start("start", every=self.every)

    def step(self, x: Tensors, g: Tensors, state: State, rate: Any) -> Tensors:
        d = state.estimate
        correction = adam_correction(self.beta_1, self.beta_2, self.count() + 1) if self.bias_correction else 1.0
        found = d * rate * correction
        state.scale = d * correction
        state.mean = lists.add_(lists.scale_(state.mean, self.beta_1), g, (1 - self.beta_1) * d)
        square = (1 - self.beta_2) * d * d
        state.mean_square = lists.addcmul_(lists.scale_(state.mean_square, self.beta_2), g, g, square)
        d = self.estimated(x, g, state, found)
        x = self.decay_(x, state, found)
        return lists.addcdiv_(x, state.mean, lists.root(state.mean_square, d * self.epsilon), -found)

    def estimated(self, x: Tensors, g: Tensors, state: State, found: Any) -> Any:
        """Return the next d (equations of algorithm 4; d / d₀ keeps the sums away from underflow)."""
        d, beta_3 = state.estimate, self.beta_3 if self.beta_3 is not None else self.beta_2**0.5
        weight = d / self.initial_estimate
        g, x = lists.thin(g, self.every), lists.thin(x, self.every)
        gained = ops.sum(weight * found * lists.dots(g, state.start, minus=x))
        state.progress = beta_3 * state.progress + gained
        share = weight * (d if self.safeguard_warmup else found)
        state.pull = lists.add_(lists.scale_(state.pull, beta_3), g, share)
        candidate = self.estimate_factor * lists.quotient(state.progress, ops.sum(lists.norms(state.pull)))
        # As a tensor: TensorFlow would compare a float64 with the float32 nearest to a Python number.
        first = ops.convert_to_tensor(self.initial_estimate, dtype=self.compute_dtype)
        d = ops.where(ops.equal(d, first), lists.larger(d, candidate), d)
        state.largest_estimate = lists.larger(state.largest_estimate, candidate)
        state.estimate = lists.smaller(state.largest_estimate, d * self.growth_rate)
        return state.estimate
