"""How experiments that take a while say how far they have come."""

from collections.abc import Callable
from typing import TypeAlias

Progress: TypeAlias = Callable[[int, int, str], None]
"""Called as `progress(done, total, text)`."""
