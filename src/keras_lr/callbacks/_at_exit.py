"""What an exception left open is closed as Python ends, while there is still a backend that can give back a rate."""

import atexit
from typing import Protocol
from weakref import WeakSet


class _Closes(Protocol):
    def close(self) -> None: ...


_left: WeakSet[_Closes] = WeakSet()


def close_at_exit(run: _Closes) -> None:
    """Close a run as Python ends, if it still lives then; to close it twice must do nothing."""
    _left.add(run)


@atexit.register
def _close_all() -> None:
    for run in list(_left):
        run.close()
