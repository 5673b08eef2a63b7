"""SaLSA: Armijo on smoothed quantities, searched only as often as the rate changes.

Kenneweg et al. 2024, No learning rates needed: Introducing SALSA, arXiv:2407.20650, algorithm 1.
"""

from __future__ import annotations

from typing import NamedTuple

from keras_lr._arguments import AtLeastOne, Beta, Natural, Part, Positive
from keras_lr._value import value
from keras_lr.line_search._conditions import descends, outcome
from keras_lr.line_search._line import Accepted, Line, Point, Status, Tensor
from keras_lr.line_search._rule import Rule
from keras_lr.line_search._scalars import (
    alike,
    at_least,
    at_most,
    choose,
    count,
    is_finite,
    like,
    loop,
    opposite,
    select,
    where,
)

FAST, SLOW = 0.9, 0.99  # the means of the step whose ratio tells how fast it changes
FIRST_STEPS = 10  # that always search


class Smoothed(NamedTuple):
    """Means over steps, each of shape ()."""

    alpha: Tensor  # the step before
    steepness: Tensor  # h, mean of |slope|
    gain: Tensor  # D, mean of the decrease that was found
    fast: Tensor  # mean of the step over about 10 steps
    slow: Tensor  # mean of the step over about 100 steps
    since: Tensor  # steps since the last search
    steps: Tensor  # steps made


@value
class SaLSA(Rule):
    """Backtrack until the smoothed decrease is at least c·α times the smoothed steepness.

    With h ← β·h + (1 - β)·|φ'(0)| and D(α) = β·D + (1 - β)·(φ(0) - φ(α)), a step is accepted when D(α) ≥ c·α·h, or
    when the loss stays the same to the last digit, as in the authors' code: what rounding swallows is no sign that a
    step is too long. So a single bad batch cannot make the rate collapse, and a single good one cannot make it
    explode. After the first ten steps a search takes place only every min(10, 1/(r - 1)) steps, where r ≥ 1 is the
    ratio of a fast and a slow mean of the step; at the others the step, times `growth`, is taken as it is, with the
    status KEPT.

    Args:
        initial: first trial of the first step.
        decrease: c. 0.3 in the authors' scripts; other architectures may need more.
        smoothing: β.
        shrink: factor on a failed trial.
        growth: factor on the first trial from step to step.
        max_evaluations: trials allowed.

    Raises:
        ValueError: an argument is out of its range.

    Costs:
        One forward pass a trial; with the cadence a tenth to one of it a step.

    Reference:
        Kenneweg et al. 2024. They use it with Adam's direction: `LineSearch(SaLSA(initial=1e-3),
        keras.optimizers.Adam(1.0))`, or keep initial=1 and Adam at its usual rate.

    Example:
        >>> from keras_lr.line_search import Line, Point, SaLSA
        >>> rule, start = SaLSA(initial=3.0, shrink=0.5), Point(0.0, 2.0, -4.0)
        >>> accepted, memory = rule.step(Line(lambda a: 2.0 * (a - 1.0) ** 2, None), start, 3.0, rule.memory())
        >>> accepted.alpha, accepted.evaluations
        (0.75, 3)
    """

    initial: Positive = 1.0
    decrease: Part = 0.3
    smoothing: Beta = 0.9
    shrink: Part = 0.8
    growth: AtLeastOne = 1.1
    max_evaluations: Natural = 20

    def memory(self) -> Smoothed:
        return Smoothed(self.initial / self.growth, 0.0, 0.0, self.initial, self.initial, 0.0, 0.0)

    def first_trial(self, start: Point, memory: Smoothed) -> Tensor:
        return memory.alpha * self.growth

    def step(self, line: Line, start: Point, alpha: Tensor, memory: Smoothed) -> tuple[Accepted, Smoothed]:
        start, alpha = alike(start, alpha)
        steepness = self._mean(memory.steepness, abs(start.slope))

        def search() -> tuple[Tensor, ...]:
            accepted, gain = self._search(line, start, alpha, steepness, memory.gain)
            return (*accepted, gain)

        def keep() -> tuple[Tensor, ...]:
            kept = outcome(start, descends(start), alpha, start.value, count(0, alpha), int(Status.KEPT))
            return (*kept, memory.gain)

        searching = self._is_due(memory)
        *parts, gain = choose(searching, search, keep)
        accepted = Accepted(*parts)
        went = where(accepted.alpha > 0.0, accepted.alpha, memory.alpha)
        remembered = Smoothed(
            went,
            steepness,
            gain,
            FAST * memory.fast + (1.0 - FAST) * went,
            SLOW * memory.slow + (1.0 - SLOW) * went,
            where(searching, 0.0, memory.since + 1.0),
            memory.steps + 1.0,
        )
        fine = is_finite(start.value) & is_finite(start.slope)
        return accepted, select(fine, remembered, memory)

    def _search(
        self, line: Line, start: Point, alpha: Tensor, steepness: Tensor, gain: Tensor
    ) -> tuple[Accepted, Tensor]:
        def gain_at(value: Tensor) -> Tensor:
            return self._mean(gain, start.value - value)

        def holds(alpha: Tensor, value: Tensor) -> Tensor:
            enough = gain_at(value) >= self.decrease * alpha * steepness
            return is_finite(value) & (enough | (value == start.value))

        def go_on(alpha: Tensor, value: Tensor, evaluations: Tensor) -> Tensor:
            return descends(start) & opposite(holds(alpha, value)) & (evaluations < self.max_evaluations)

        def shorten(alpha: Tensor, value: Tensor, evaluations: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            alpha = alpha * self.shrink
            return alpha, like(line.phi(alpha), value), evaluations + 1

        state = (alpha, like(line.phi(alpha), start.value), count(1, alpha))
        alpha, value, evaluations = loop(go_on, shorten, state)
        found = holds(alpha, value)
        accepted = outcome(start, found, alpha, value, evaluations, int(Status.ACCEPTED))
        return accepted, where(found, gain_at(value), gain)

    def _mean(self, old: Tensor, new: Tensor) -> Tensor:
        return self.smoothing * old + (1.0 - self.smoothing) * new

    def _is_due(self, memory: Smoothed) -> Tensor:
        ratio = at_least(memory.fast, memory.slow) / at_most(memory.fast, memory.slow)
        cadence = at_most(1.0 / at_least(ratio - 1.0, 1e-6), 10.0)
        return (memory.steps < FIRST_STEPS) | (memory.since + 1.0 >= cadence)
