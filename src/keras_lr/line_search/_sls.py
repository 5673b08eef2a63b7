"""SLS: stochastic Armijo or Goldstein search, as its authors configure it."""

from keras_lr._arguments import Argument, number
from keras_lr.line_search._backtracking import Backtracking
from keras_lr.line_search._rule import EachStep, Growing


def SLS(
    steps_per_epoch: float = 500,
    *,
    initial: float = 1.0,
    decrease: float = 0.1,
    shrink: float = 0.9,
    growth: float = 2.0,
) -> EachStep:
    """Make the stochastic line search: Armijo by backtracking, the first trial doubling in an epoch.

    The reset options of the authors' code: 0 keeps the step before, `SLS(growth=1.0)`; 1 is the default; 2 always tries
    the same step first, `EachStep(Backtracking(0.1, 0.9), Restarting())`. Their Goldstein conditions are
    `EachStep(Goldstein(), Growing())`.

    Two differences from the authors' code: the cut follows the violation (see `Backtracking`), and a search that fails
    leaves the weights and the next first trial alone, where theirs takes a step of 1e-6 and starts anew from 0.9 to the
    power of 100.

    Args:
        steps_per_epoch: batches in an epoch.
        initial: first trial of the first step.
        decrease: c; 0.1 for deep networks, 0.5 for kernels and matrix factorisation.
        shrink: factor on a failed trial.
        growth: γ, factor on the first trial in an epoch; 1.5 for kernels and matrix factorisation.

    Returns:
        `EachStep(Backtracking(decrease, shrink), Growing(initial, growth ** (1 / steps_per_epoch)))`.

    Raises:
        ValueError: an argument is out of its range.

    Reference:
        Vaswani et al. 2019, Painless Stochastic Gradient, arXiv:1905.09997, algorithm 1 and reset option 2.

    Example:
        >>> from keras_lr.line_search import SLS
        >>> SLS(steps_per_epoch=100).search
        Backtracking(shrink=0.9)
        >>> round(SLS(steps_per_epoch=100).first.factor ** 100, 6)
        2.0
    """
    number(least=1.0)(steps_per_epoch, Argument("SLS", "steps_per_epoch"))
    number(least=1.0)(growth, Argument("SLS", "growth"))
    return EachStep(Backtracking(decrease, shrink), Growing(initial, growth ** (1 / steps_per_epoch)))
