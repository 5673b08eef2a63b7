"""A picture of a schedule before anybody trains with it."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_lr._arguments import Argument, number
from keras_lr.report._extras import needed
from keras_lr.schedules._schedule import Schedule

_POINTS = 2000


def plot(schedule: Schedule, steps: int | None = None, *, momentum: Schedule | None = None, ax: Any = None) -> Any:
    """Draw the rate of each step, with a momentum on a second axis beside it.

    Args:
        schedule: what to draw.
        steps: how many steps. Default `None`: until a tenth after the schedule's end; 1000 without an end.
        momentum: a schedule of the momentum, for example ``cycle.momentum()`` of a `OneCycle`.
        ax: the Matplotlib axes to draw into. Default `None`: new ones.

    Returns: the axes.

    Raises:
        ImportError: Matplotlib is not installed.
        ValueError: `steps` is no whole number of at least 1, or a length has not been resolved.
    """
    plt = needed("matplotlib.pyplot", "plot", "Drawing a schedule")
    if steps is not None:
        number(least=1, whole=True)(steps, Argument("plot", "steps"))
    schedule.check_resolved()
    end = schedule.end_step
    total = steps if steps is not None else int(1.1 * end) if end else 1000
    at = np.unique(np.linspace(0, max(total, 1), _POINTS).round())
    axes = plt.figure(layout="constrained").add_subplot() if ax is None else ax
    axes.plot(at, schedule.values(at), color="C0", drawstyle="steps-post", label="learning rate")
    axes.set(xlabel="step (update of the weights)", ylabel="learning rate", title=type(schedule).__name__)
    if momentum is not None:
        beside = axes.twinx()
        beside.plot(at, momentum.values(at), color="C1", drawstyle="steps-post", label="momentum")
        beside.set_ylabel("momentum", color="C1")
        axes.yaxis.label.set_color("C0")
    return axes
