"""What the methods that estimate the distance to the solution have in common: the estimate, which only grows."""

import math
from typing import Any

from keras_lr._arguments import check
from keras_lr._backends import lists
from keras_lr.optimizers._global import GlobalOptimizer, State


class EstimatingOptimizer(GlobalOptimizer):
    """Base of optimizers whose rate is an estimate d of the distance ‖x₀ - x*‖: ``state.estimate``.

    Args:
        learning_rate: a multiplier of d.
        initial_estimate: d₀.
        growth_rate: d grows by at most this factor a step.
        **kwargs: as in ``GlobalOptimizer``.

    Raises:
        ValueError: the estimate could not grow.
    """

    arguments = ["initial_estimate", "growth_rate"]
    tuning_free = True

    def __init__(
        self,
        learning_rate: Any = 1.0,
        *,
        initial_estimate: float = 1e-6,
        growth_rate: float = math.inf,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.initial_estimate = initial_estimate
        self.growth_rate = growth_rate
        check(self, "initial_estimate", above=0.0)
        check(self, "growth_rate", above=1.0, below=None)

    def build_state(self) -> None:
        self.add_scalar("estimate", self.initial_estimate)

    def raised(self, state: State, candidate: Any) -> Any:
        """Return the next estimate: the candidate where it is larger, as far as the growth rate lets it."""
        limit = state.estimate * self.growth_rate
        return lists.larger(state.estimate, lists.smaller(candidate, limit))
