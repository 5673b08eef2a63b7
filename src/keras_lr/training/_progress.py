"""How experiments that take a while say how far they have come."""

from collections.abc import Callable
from typing import Any, TypeAlias

Progress: TypeAlias = Callable[[int, int, str], None]
"""Called as `progress(done, total, text)`."""


def check_progress(progress: Any) -> None:
    """Raise `TypeError` unless it can be called, before the work that it would tell of."""
    if progress is not None and not callable(progress):
        raise TypeError(
            f"progress={progress!r}: give a function of what is done, of how much, and a text, such as "
            "progress=lambda done, total, text: print(done, total, text), or leave it out."
        )
