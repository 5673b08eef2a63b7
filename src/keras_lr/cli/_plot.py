"""`keras-lr plot 'OneCycle(0.1, 1000)' ...`: schedules in one picture, before anybody trains with them."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from keras_lr import schedules
from keras_lr.cli._files import ReportPath, check_report, show
from keras_lr.cli._refusal import Refusal
from keras_lr.report import Chart, Line, Report, Table

_POINTS = 2000
_SHARES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)  # of the steps, that are printed
_HOW = "Give a call such as 'OneCycle(0.1, 1000)'."

Calls = Annotated[list[str], typer.Argument(metavar="SCHEDULE", help="Calls such as 'OneCycle(0.1, 1000)'.")]
Steps = Annotated[int | None, typer.Option(min=1, help="Steps of the run; else up to the last end, or 1000.")]
StepsPerEpoch = Annotated[int | None, typer.Option(min=1, help="How many steps an epoch of Epochs(...) has.")]


def plot(
    calls: Calls, steps: Steps = None, steps_per_epoch: StepsPerEpoch = None, report: ReportPath = Path("schedule.html")
) -> None:
    """Draw schedules, given as calls of keras_lr.schedules: 'WSD(1e-3, 1000, warmup_steps=50)'."""
    check_report(report)
    made = {call: _made(call) for call in calls}
    try:
        made = {c: s.resolved(steps_per_epoch=steps_per_epoch, total_steps=steps) for c, s in made.items()}
    except ValueError as error:
        raise Refusal(f"{error} In the terminal: --steps-per-epoch, and --steps for total_steps.") from None
    total = steps or int(max([schedule.end_step or 0 for schedule in made.values()])) or 1000
    at = np.unique(np.linspace(0, total, _POINTS).round())
    printed = np.unique(np.round(total * np.array(_SHARES)))
    rates = [schedule.values(printed) for schedule in made.values()]
    rows = [(int(step), *map(float, row)) for step, row in zip(printed, zip(*rates, strict=True), strict=True)]
    lines = [Line(call, at, schedule.values(at)) for call, schedule in made.items()]
    table = Table("Learning rates", ("step", *made), rows)
    chart = Chart("Schedules", "step (update of the weights)", "learning rate", lines=lines)
    show(Report("Schedules", [table, chart]), report)


def _made(call: str) -> schedules.Schedule:
    """Return the schedule that a call makes; names are those of `keras_lr.schedules`."""
    names = {name: getattr(schedules, name) for name in dir(schedules) if not name.startswith("_")}
    try:
        made = eval(call, {"__builtins__": {}}, names)  # what this user typed into this user's terminal
    except Exception as error:
        raise Refusal(f"{call!r} makes no schedule: {str(error).rstrip('.')}. {_HOW}") from None
    if not isinstance(made, schedules.Schedule):
        raise Refusal(f"{call!r} is no schedule. {_HOW}")
    return made
