"""The commands, one a file."""

import typer

from keras_lr.cli._compare import compare
from keras_lr.cli._demo import demo
from keras_lr.cli._diagnose import diagnose
from keras_lr.cli._fit import fit
from keras_lr.cli._plot import plot
from keras_lr.cli._race import race
from keras_lr.cli._range_test import range_test
from keras_lr.cli._sweep import sweep

app = typer.Typer(
    help="Find, schedule, steer and explain the learning rate of any Keras 3 model.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (fit, race, range_test, sweep, compare, diagnose, plot, demo):
    app.command()(command)
