"""What a command writes, checked before hours of training and not after."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from keras_lr.cli._refusal import Refusal
from keras_lr.report import Shown
from keras_lr.report._page import requirements

ReportPath = Annotated[Path | None, typer.Option(help="Write the result as a page (.html) or as data (.json).")]


def check_report(path: Path | None) -> None:
    """Raise `Refusal` or `MissingExtra` if a report could not be written there."""
    if path is not None:
        check_file(path, (".html", ".json"), "--report")
        if path.suffix.lower() == ".html":
            requirements()


def check_file(path: Path, suffixes: Sequence[str], option: str) -> None:
    """Raise `Refusal` if a file of this name could not be written."""
    if path.suffix.lower() not in suffixes:
        raise Refusal(f"{option} {path}: the name must end in {' or '.join(suffixes)}.")
    if not path.parent.is_dir():
        raise Refusal(f"{option} {path}: there is no folder {str(path.parent)!r}; make it first.")
    if path.is_dir():
        raise Refusal(f"{option} {path} is a folder; give the name of a file.")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise Refusal(f"{option} {path}: this user may not write there; give another place.")


def show(result: Shown, path: Path | None) -> None:
    """Print a result, and write its report."""
    typer.echo(str(result))
    if path is not None:
        result.save(path)
        typer.echo(f"\nThe report is in {path}")
