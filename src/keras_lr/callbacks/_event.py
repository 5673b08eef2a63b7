"""Something that a training did besides following its plan."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """Something that a training did besides following its plan.

    Attributes:
        step: the step of the run, counted from 0, at which it was noticed.
        text: what happened and what was done about it.
        factor: what the planned rate is multiplied by from here on.
    """

    step: int
    text: str
    factor: float

    def __str__(self) -> str:
        return f"step {self.step}: {self.text}"
