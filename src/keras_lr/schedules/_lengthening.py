"""A running schedule is made longer, and it is said what that does to the rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from keras_lr._arguments import Argument, check, number
from keras_lr._value import value
from keras_lr.schedules._composition import ScheduleLike
from keras_lr.schedules._schedule import Schedule
from keras_lr.schedules._units import Length


@value
class Slowed(Schedule):
    """Follow a schedule up to a step, and from there more slowly, so that it ends later; the rate does not jump.

    ``a(t)`` up to `t_0`, then ``a(t_0 + (t - t_0) (E - t_0) / (T - t_0))``, where E is the end of the schedule.

    Args:
        schedule: `a`, which has an end.
        at_step: `t_0`, from where it is slowed; before that end.
        total_steps: `T`, where it ends now.

    Raises:
        ValueError: the schedule has no end, or has it before `at_step`, or `total_steps` is not after `at_step`.

    Example:
    >>> from keras_lr import schedules
    >>> schedules.Slowed(schedules.Linear(1.0, 4), at_step=2, total_steps=6).values(range(8)).tolist()
    [1.0, 0.75, 0.5, 0.375, 0.25, 0.125, 0.0, 0.0]
    """

    schedule: ScheduleLike
    at_step: Length
    total_steps: Length

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.is_resolved():
            return
        end = self.schedule.end_step
        if end is None or end <= self.at_step:
            wanted = f"a schedule that ends after at_step={self.at_step!r}"
            raise ValueError(self._argument("schedule").refusal(wanted, self.schedule, f"Its end is {end}."))
        check(self, "total_steps", above=self.at_step, remedy="The bound is at_step.")

    @property
    def end_step(self) -> float | None:
        """The new end."""
        return self.total_steps

    @property
    def ramp_steps(self) -> float:
        """The warm-up of the schedule."""
        return self.schedule.ramp_steps

    def formula(self, step: Any, xp: Any) -> Any:
        """Return the rate at a step."""
        at, total, end = self.at_step, self.total_steps, self.schedule.end_step
        slower = (end - at) / (total - at)  # type: ignore[operator]
        return self.schedule.formula(xp.minimum(step, float(at)) + xp.maximum(step - at, 0.0) * slower, xp)


@dataclass(frozen=True)
class Lengthening:
    """Two ways to go on with a longer run, and what each does to the rate; print it.

    Attributes:
        replanned: the schedule as if it had been the longer one from the start: the rate may jump.
        continued: the same rates from here on, only more slowly: the rate does not jump.
        at_step: the step of the change.
        rate_before: the rate of the old schedule there.
        rate_replanned: the rate of the replanned schedule there.

    Example:
    >>> from keras_lr import schedules
    >>> longer = schedules.lengthened(schedules.Linear(1.0, 100), at_step=50, total_steps=200)
    >>> longer.replanned.values([50, 125, 200]).tolist(), longer.continued.values([50, 125, 200]).tolist()
    ([0.75, 0.375, 0.0], [0.5, 0.25, 0.0])
    """

    replanned: Schedule
    continued: Slowed
    at_step: float
    rate_before: float
    rate_replanned: float

    def __str__(self) -> str:
        jump = self.rate_replanned / self.rate_before if self.rate_before else float("inf")
        return (
            f"At step {self.at_step:g} the rate is {self.rate_before:.3g}. Replanned, it jumps to "
            f"{self.rate_replanned:.3g} (x{jump:.3g}) and then follows the longer schedule. Continued, it stays, and "
            f"what was left of the schedule is spread over the steps to {self.continued.end_step:g}."
        )


def lengthened(schedule: Schedule, *, at_step: float, total_steps: float) -> Lengthening:
    """Make a running schedule longer, and say what that does to the rate.

    Give `replanned` or `continued` of the result to `keras_lr.set_learning_rate`.

    Args:
        schedule: the schedule that runs, with an end and all lengths in steps.
        at_step: how many updates were made, before its end.
        total_steps: where it shall end now.

    Raises:
        ValueError: the schedule has no end, or has ended, or cannot be stretched, or the new end is before `at_step`.
        TypeError: it is no schedule of keras_lr.

    Example:
    >>> from keras_lr import schedules
    >>> print(schedules.lengthened(schedules.Linear(1.0, 100), at_step=50, total_steps=200))
    At step 50 the rate is 0.5. Replanned, it jumps to 0.75 (x1.5) and then follows the longer schedule. \
Continued, it stays, and what was left of the schedule is spread over the steps to 200.
    """
    if not isinstance(schedule, Schedule):
        raise TypeError(Argument("lengthened", "schedule").refusal("a schedule of keras_lr.schedules", schedule))
    schedule.check_resolved()
    end = schedule.end_step
    if end is None:
        raise ValueError(Argument("lengthened", "schedule").refusal("a schedule that has an end", schedule))
    number(above=0.0, below=end, remedy="The bound is the end of the schedule.")(
        at_step, Argument("lengthened", "at_step")
    )
    number(above=at_step, remedy="The bound is at_step.")(total_steps, Argument("lengthened", "total_steps"))
    # A schedule may end a step before its length, as one-cycle does: the end moves along a line, but not through 0.
    twice: float = schedule.stretched(2).end_step  # type: ignore[assignment]
    replanned = schedule.stretched((total_steps + twice - 2 * end) / (twice - end))
    return Lengthening(
        replanned=replanned,
        continued=Slowed(schedule, at_step, total_steps),
        at_step=at_step,
        rate_before=float(schedule.values(at_step)),
        rate_replanned=float(replanned.values(at_step)),
    )
