"""Opens an Optuna storage by the path of a file or the URL of a database, or says in a line why it cannot be used."""

import logging
import os
import pathlib
import random
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from keras_lr.report._extras import MissingExtra, needed

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

Storage: TypeAlias = "str | os.PathLike[str] | BaseStorage"
PURPOSE = "Keeping trials in a storage"
MAKING_SECONDS = 5.0
LOCKED_SECONDS = 20.0
_REMEDY = (
    "Give the path of an SQLite file, a new one or one with trials, to which this process may write and which no other "
    "program keeps locked, or the URL of a database that can be reached."
)


class StorageError(ValueError):
    """The storage cannot be used for these trials; the message says why and what to do."""


def called(storage: Storage) -> str:
    """Return how a storage is called in messages, without the password of a URL."""
    if not isinstance(storage, str | os.PathLike):
        return f"storage={type(storage).__name__}"
    text = re.sub("(://[^/@:]*:)[^@]*@", r"\1***@", os.fspath(storage))
    return f"storage={text!r}"


def check_storage(storage: Any) -> None:
    """Raise `TypeError` unless it names a storage or is one of Optuna's, before anything is trained."""
    named = storage is None or isinstance(storage, str | os.PathLike)
    if not named and not hasattr(storage, "create_new_study"):
        raise TypeError(f"storage={storage!r} is no storage. {_REMEDY}")


def opened(storage: Storage, name: str) -> tuple[Any, str]:
    """Open a storage.

    Args:
        storage: the path of an SQLite file, the URL of a database (what follows `#` names the study), or a storage of
            Optuna's.
        name: of the study, where the URL names none.

    Returns:
        The storage of Optuna's, and the name of the study.

    Raises:
        MissingExtra: Optuna, or the driver of the database, is not installed.
        StorageError: it cannot be opened.
    """
    storages = needed("optuna", "sweep", PURPOSE).storages
    if isinstance(storage, storages.BaseStorage):
        return storage, name
    url, name = _url_and_name(storage, name)
    errors = needed("sqlalchemy.exc", "sweep", PURPOSE)
    # SQLite waits 5 seconds by default for others to finish writing; a training is worth a longer wait.
    # A server may have dropped a connection that was not used for the hours of a training: ask before using it.
    waits = {"connect_args": {"timeout": LOCKED_SECONDS}}
    options = waits if url.startswith("sqlite") else {"pool_pre_ping": True}
    began = time.monotonic()
    while True:
        try:
            return storages.RDBStorage(url, engine_kwargs=options), name
        except (errors.IntegrityError, errors.OperationalError, errors.ProgrammingError):
            # Two that make the tables of a new one at the same moment get in each other's way.
            if time.monotonic() - began > MAKING_SECONDS:
                raise
            time.sleep(random.random())
        except ImportError as error:
            raise MissingExtra(
                f"{called(storage)} needs the driver of that database: {error.__cause__ or error}. Install it."
            ) from error
        except RuntimeError as error:
            raise StorageError(f"{called(storage)} cannot be used: {error}") from error


def is_of_storage(error: BaseException) -> bool:
    """Return whether an error comes from the database below Optuna."""
    internal = needed("optuna", "sweep", PURPOSE).exceptions.StorageInternalError
    return isinstance(error, (internal, needed("sqlalchemy.exc", "sweep", PURPOSE).SQLAlchemyError))


def unusable(storage: Storage, error: BaseException) -> StorageError:
    """Return in one line what a database complains about."""
    below: Any = error.__cause__ or error  # Optuna's own words say nothing of the cause
    said = str(getattr(below, "orig", None) or below).strip().partition("\n")[0].rstrip(".")
    return StorageError(f"{called(storage)} cannot be used: {said}. {_REMEDY}")


def _url_and_name(storage: str | os.PathLike[str], name: str) -> tuple[str, str]:
    text = os.fspath(storage)
    if "://" in text:
        url, _, fragment = text.partition("#")
        return url, fragment or name
    path = pathlib.Path(text).absolute()
    if not path.parent.is_dir():
        raise StorageError(f"storage={text!r}: there is no folder {str(path.parent)!r}; make it first.")
    if path.is_dir():
        raise StorageError(f"storage={text!r} is a folder; name a file in it, such as {str(path / 'trials.db')!r}.")
    made = needed("sqlalchemy.engine", "sweep", PURPOSE).URL.create("sqlite", database=str(path))
    return made.render_as_string(), name  # which escapes what means something in a URL


@contextmanager
def quiet() -> Iterator[None]:
    """Silence what Optuna tells about every study that it makes or opens."""
    logger = logging.getLogger("optuna")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
