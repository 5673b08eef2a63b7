"""The door from the terminal: `keras-lr fit SCRIPT.py` and its fellows, one command a file."""

import sys
import traceback

from keras_lr.report._extras import MissingExtra, needed


def main() -> None:
    """Run the command that the terminal gave; what the user can mend is said in a line and ends with status 2."""
    try:
        for module in ("typer", "rich"):
            needed(module, "cli", "The command keras-lr")
    except MissingExtra as error:
        sys.exit(str(error))
    from keras_lr.cli._app import app
    from keras_lr.cli._refusal import Refusal

    try:
        app()
    except (Refusal, MissingExtra) as error:
        _refuse(error)
    except (TypeError, ValueError) as error:
        if not _is_ours(error):
            raise  # the script's own, or Keras': where it comes from is what helps
        _refuse(error)


def _is_ours(error: Exception) -> bool:
    """Return whether this package raised it, whose messages name the argument, the value and the remedy."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return str(frame.f_globals.get("__name__")).startswith("keras_lr.")


def _refuse(error: Exception) -> None:
    print(f"keras-lr: {error}", file=sys.stderr)
    sys.exit(2)
