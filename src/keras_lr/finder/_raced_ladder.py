"""A ladder of rates, raced: it grows while its best lane is at an end, and downwards while none wins anything."""

import numpy as np

from keras_lr.finder import _choice, _ladder
from keras_lr.finder._lanes import LOOK_STEPS, Lanes
from keras_lr.training._progress import Progress


class RacedLadder:
    """Runs a lane on each rung, from the three around a centre on.

    A lane whose network has died counts as one that diverged: its last loss is NaN. Looking for that costs steps, so it
    is done where a lane wins little more than those before it, and where there is room.

    On a plateau every lane does the worse the higher its rate, for it follows noise, and a ladder would go down for
    ever. So untouched weights are asked on the way down; where the lowest lane neither won nor lost anything against
    them for certain, lower ones would tell even less.

    Args:
        lanes: what runs a lane, and counts the steps.
        length: of a lane, in updates.
        most: steps in all, those that have been run included.
        trusted_rungs: how many rungs the ladder goes down before untouched weights are asked.
        bounded: whether a step is no longer than its rate. Else, while none wins anything, no rung is raced above one
            where the loss explodes.
        progress: see `race`.

    Attributes:
        untouched: the losses of untouched weights on the last batches of a lane; None where they were not asked.
    """

    def __init__(
        self, lanes: Lanes, length: int, most: int, trusted_rungs: int, bounded: bool, progress: Progress
    ) -> None:
        self._lanes, self._length, self._most = lanes, length, most
        self._trusted_rungs, self._bounded, self._progress = trusted_rungs, bounded, progress
        self._lane_steps = length * lanes.accumulation
        self._raced: dict[float, np.ndarray] = {}
        self._died: set[float] = set()
        self._first = np.inf
        self.untouched: np.ndarray | None = None

    def climb(self, centre: float) -> None:
        """Race the rungs around a centre, and more as long as they are needed and there is room.

        Raises:
            ValueError: the loss becomes non-finite at every rate.
        """
        rungs = _ladder.rungs(centre, min(_ladder.LANES, self._room() // self._lane_steps))
        waiting = [float(rate) for rate in rungs]
        self._first = min(waiting, default=np.inf)
        while waiting:
            rate = waiting.pop(0)
            self._race(rate, len(waiting))
            if not self._bounded and _choice.explodes(self._raced[rate]) and not self._has_won():
                waiting = []
            waiting = waiting or self._next_rungs()
        if self._raced and not any(np.all(np.isfinite(losses)) for losses in self._raced.values()):
            raise ValueError(
                f"Every rate from {max(self._raced):.2g} down to {min(self._raced):.2g} makes the loss non-finite "
                f"within {self._length} steps. The rate is not the cause: look for a logarithm or a root of zero in "
                "the loss or the model, for overflow in reduced precision, or clip the gradients. The model's weights "
                "are as they were."
            )

    def losses(self) -> dict[float, np.ndarray]:
        """Return the losses of each lane by its rate, with a NaN at the end of one that died of it."""
        return marked(self._raced, self._died)

    def _room(self) -> int:
        return self._most - self._lanes.steps_run

    def _race(self, rate: float, waiting: int) -> None:
        """Run the lane of a rate; `waiting` more are sure to come."""
        losses = self._lanes.run(_ladder.lane_schedule(rate, self._length))
        suspected = np.all(np.isfinite(losses)) and _choice.stagnates(losses, list(self._raced.values()))
        if suspected and self._room() >= LOOK_STEPS + waiting * self._lane_steps and self._lanes.died():
            self._died.add(rate)
        self._raced[rate] = losses
        self._progress(len(self._raced), len(self._raced) + waiting, f"racing the rate {rate:.2g}")

    def _has_won(self) -> bool:
        return any(_choice.wins(losses) for losses in self._raced.values())

    def _next_rungs(self) -> list[float]:
        """Return the one rung beyond the best lane, or beyond the lowest while none wins; or none."""
        if len(self._raced) == _ladder.MOST_LANES:
            return []
        rates, losses = sorted(self._raced), self.losses()
        best = int(np.argmin(_choice.lane_scores(np.stack([losses[rate] for rate in rates]))))
        rungs: list[float] = []
        if best == 0 or not _choice.wins(self._raced[rates[best]]):
            if self._is_to_ask(self._raced[rates[best]]):
                self.untouched = self._lanes.untouched(self._lane_steps, self._count_to_ask())
            if not self._is_level(losses[rates[0]]):
                rungs = [rates[0] / _ladder.RUNG]
        elif best == len(rates) - 1:
            rungs = [rates[-1] * _ladder.RUNG]
        return rungs if self._room() >= self._lane_steps else []

    def _is_to_ask(self, best: np.ndarray) -> bool:
        """Return whether it is time to ask untouched weights whether the best lane has won anything."""
        if self.untouched is not None or _choice.wins_much(best):
            return False
        below = sum(rate < self._first for rate in self._raced)
        return below >= self._trusted_rungs and self._count_to_ask() >= _ladder.LEAST_UNTOUCHED_STEPS

    def _count_to_ask(self) -> int:
        return min(self._lane_steps - 1, self._room())

    def _is_level(self, lowest: np.ndarray) -> bool:
        """Return whether the lowest lane has neither won nor lost anything against untouched weights for certain."""
        if self.untouched is None:
            return False
        return abs(_choice.lost_for_certain(lowest, self.untouched)) < _choice.CERTAIN


def marked(raced: dict[float, np.ndarray], died: set[float]) -> dict[float, np.ndarray]:
    """Return the losses with a NaN at the end of each lane that died of its rate.

    It has not where a higher rate left the network alive, nor where no rate did: such a network begins all but dead.
    """
    alive = [rate for rate, losses in raced.items() if rate not in died and np.all(np.isfinite(losses))]
    killed = {rate for rate in died if rate > max(alive, default=np.inf)}
    return {rate: np.append(losses[:-1], np.nan) if rate in killed else losses for rate, losses in raced.items()}
