"""The record of trials: which are done, which somebody is doing."""

from collections.abc import Callable, Hashable
from types import TracebackType
from typing import Any, Protocol, Self

from keras_lr.trials._outcome import Outcome


class Record(Protocol):
    """Keeps what trials came to, so that none is done twice."""

    def __enter__(self) -> Self:
        """Open the record."""

    def __exit__(self, *of_an_error: Any) -> None:
        """Let others have what was claimed and not kept, and close the record."""

    def outcomes(self) -> dict[Any, Outcome]:
        """Return what all trials that are done came to."""

    def claim(self, trial: Any) -> bool:
        """Take a trial, unless somebody else has it or has done it."""

    def keep(self, trial: Any, outcome: Outcome) -> None:
        """Write down what a claimed trial came to."""

    def agreed(self, name: str, find: Callable[[], list[float]]) -> list[float]:
        """Return what the first who asked has found, for all who share the record."""


class InMemory:
    """See `Record`: for one process, gone at its end."""

    def __init__(self) -> None:
        self._outcomes: dict[Hashable, Outcome] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def outcomes(self) -> dict[Any, Outcome]:
        return dict(self._outcomes)

    def claim(self, trial: Any) -> bool:
        return True

    def keep(self, trial: Any, outcome: Outcome) -> None:
        self._outcomes[trial] = outcome

    def agreed(self, name: str, find: Callable[[], list[float]]) -> list[float]:
        return find()
