"""The gradient-only line search as an optimizer: slopes on new mini-batches, and a rule of the literature.

Reference:
    Kafka and Wilke, "Gradient-only line searches: An Alternative to Probabilistic Line Searches",
    arXiv:1903.09383.
"""

from functools import partial
from typing import Any

import keras

from keras_lr._arguments import Argument
from keras_lr._backends.search_scalars import at_once
from keras_lr.line_search import Inexact, Limits
from keras_lr.line_search._dynamic import Decision, DynamicRule, SearchState, Seen, judge
from keras_lr.optimizers._across_batches import AcrossBatches
from keras_lr.optimizers._directions import Direction, RMSpropDirection
from keras_lr.optimizers._global import State


@keras.saving.register_keras_serializable(package="keras_lr")
class GradientOnly(AcrossBatches):
    """Find the step size from slopes on new mini-batches; no learning rate is given.

    One gradient a step. The defaults come from a study on eight workloads (docs/gradient_only.md); the papers' own
    search is `GradientOnly(Inexact(), SteepestDescent(), max_update_norm=1.0, initial_step=1e-8)`.

    Args:
        rule: A search of `keras_lr.line_search`: `Inexact`, `Maximum`, `Back`, `Bisection`, `Quadratic` or
            `SlopeTracking`. Default: `Inexact(overshoot=3.0, first_growth=10.0)`.
        direction: Along what to search: `RMSpropDirection` (the default), `AdagradDirection`, `AdamDirection` or
            `SteepestDescent`.
        max_update_ratio: The cap: the largest length of one update, as a fraction of the length of all weights (the
            geometric mean of that at the start, 1 where all are zero, and of the longest since). Under noise it is
            the cap that holds the step size, so it matters; as a fraction it fits models of any size. A float falls
            as the steps t go on: linearly to 0 over `decay_steps`, or else as 1/√(1 + t/10), as steps of a given
            length must to converge when nobody knows how many there will be. A schedule is taken as it is. None (the
            default): 2.5/√`decay_steps`, at most 0.15; 0.1 where the horizon is not known. By experiment: more is
            better for some nets, and kills all units of a deep net of ReLUs.
        max_update_norm: The cap in the unit of the weights, in place of the ratio: a float, which falls only where
            `decay_steps` is given, or a schedule. The papers' is 1.0. None (the default): the ratio holds.
        decay_steps: The horizon, the steps that the training will have. When given, the cap falls linearly to 0
            over it. Give it wherever it is known: no search lowers the noise floor by itself.
        initial_step: The very first trial, in units of the direction. Each decade that it is too small costs one
            gradient, once; too large a start is cut by the cap.
        limits: The guards that hold for every rule. None is `Limits()`.
        **kwargs: As for every Keras optimizer; `weight_decay` is decoupled, applied once an accepted step with that
            step's size.

    Raises:
        ValueError: gradient clipping, which would bend the slopes, is asked for; an argument is out of range; or, at
            `build`, a weight has a constraint, which would move trial points off the line.

    Costs:
        One gradient a step and one copy of the weights, one more for a second moment.

    Reference:
        Kafka and Wilke, arXiv:1903.09383, arXiv:2001.05113, arXiv:2007.01054.

    Example:
        >>> import keras, numpy as np
        >>> from keras_lr.optimizers import GradientOnly
        >>> layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")
        >>> model = keras.Sequential([keras.Input((1,)), layer])
        >>> model.compile(GradientOnly(decay_steps=100), loss="mse")
        >>> x = np.linspace(-1, 1, 1600)[:, None]
        >>> history = model.fit(x, 3 * x, epochs=2, verbose=0)
        >>> round(float(model.get_weights()[0][0, 0]), 1)
        3.0
    """

    def __init__(
        self,
        rule: DynamicRule | None = None,
        direction: Direction | None = None,
        *,
        max_update_ratio: Any = None,
        max_update_norm: Any = None,
        decay_steps: float | None = None,
        initial_step: float = 1e-4,
        limits: Limits | None = None,
        **kwargs: Any,
    ) -> None:
        if rule is not None and (isinstance(rule, type) or not hasattr(rule, "needs_value")):
            wanted = "a rule such as line_search.Inexact(), and no learning rate,"
            raise ValueError(Argument("GradientOnly", "rule").refusal(wanted, rule))
        super().__init__(
            RMSpropDirection() if direction is None else direction,
            max_update_ratio,
            max_update_norm,
            decay_steps,
            initial_step,
            Limits() if limits is None else limits,
            **kwargs,
        )
        self.rule = Inexact(overshoot=3.0, first_growth=10.0) if rule is None else rule
        self.needs_batch = self.rule.needs_value

    def decide(self, search: SearchState, seen: Seen, state: State) -> Decision:
        return at_once(partial(judge, self.rule, self.limits), search, seen)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "rule": keras.saving.serialize_keras_object(self.rule)}
