"""How experiments that take a while say how far they have come, and how long they will still take."""

import sys
import time
from collections.abc import Callable
from typing import Any, TypeAlias

Progress: TypeAlias = Callable[[int, int, str], None]
"""Called as `progress(done, total, text)`."""

QUIET_SECONDS = 5.0  # work that is done by then says nothing, and longer work speaks no more often


class Told:
    """Writes a line to the error stream every few seconds.

    Example:
    >>> from keras_lr.training._progress import Told
    >>> told = Told(quiet_seconds=0.0, write=print)
    >>> for done in range(3):
    ...     told(done, 2, f"trial {done}")
    0 of 2  trial 0
    1 of 2  trial 1  0 s left
    2 of 2  trial 2  0 s left
    """

    def __init__(self, quiet_seconds: float = QUIET_SECONDS, write: Callable[[str], None] | None = None) -> None:
        self._quiet_seconds, self._write = quiet_seconds, write or _to_error_stream
        self._told_at = time.monotonic()
        self._first: tuple[int, float] | None = None

    def __call__(self, done: int, total: int, text: str) -> None:
        now = time.monotonic()
        self._first = first_done, began = self._first or (done, now)
        if now - self._told_at >= self._quiet_seconds:
            left = (now - began) / (done - first_done) * (total - done) if done > first_done else None
            self._write(f"{done} of {total}  {text}" + ("" if left is None else f"  {duration(left)} left"))
            self._told_at = now


def silent(done: int, total: int, text: str) -> None:
    """Say nothing."""


def checked_progress(progress: Any) -> Progress:
    """Return what is to be told how far the work has come; raise `TypeError`, before it begins, where that is none."""
    if isinstance(progress, bool):
        return Told() if progress else silent
    if not callable(progress):
        raise TypeError(
            f"progress={progress!r}: give True for a line every {QUIET_SECONDS:.0f} seconds, False for none, or a "
            "function of what is done, of how much, and a text: lambda done, total, text: print(done, total, text)."
        )
    return progress


def duration(seconds: float) -> str:
    """Return a time in the largest two units that it fills.

    Example:
    >>> from keras_lr.training._progress import duration
    >>> duration(5.4), duration(150), duration(7300)
    ('5 s', '2 min 30 s', '2 h 1 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _to_error_stream(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
