"""The door from the terminal: `keras-lr fit SCRIPT.py` and its fellows, one command a file."""

import sys

from keras_lr.report._extras import MissingExtra, needed


def main() -> None:
    """Run the command that the terminal gave; what the user can mend is said in a line and ends with status 2."""
    try:
        for module in ("typer", "rich"):
            needed(module, "cli", "The command keras-lr")
        from keras_lr.cli._app import app
        from keras_lr.cli._refusal import Refusal
        from keras_lr.trials._open_storage import StorageError
    except MissingExtra as error:
        sys.exit(str(error))
    try:
        app()
    except (Refusal, MissingExtra, StorageError) as error:
        print(f"keras-lr: {error}", file=sys.stderr)
        sys.exit(2)
