"""An interrupted run goes on where its last whole epoch ended, bit for bit.

Keras' `BackupAndRestore` keeps weights and optimizer. What the next step depends on besides is kept here too: the state
of the guard with the weights that it would go back to, all seed generators, and the process' random generators, from
which the order of the data is drawn.
"""

import json
import pathlib
from typing import Any

import keras

from keras_lr.callbacks._guarded_run import GuardedRun
from keras_lr.training._checkpoint import (
    Checkpoint,
    arrays_of,
    delete_checkpoint,
    make_directory,
    plain,
    read_checkpoint,
    values_of,
    write_checkpoint,
)
from keras_lr.training._described import difference
from keras_lr.training._random_state import random_state, set_random_state


class Backup(keras.callbacks.Callback):
    """Write a backup before the first epoch and at the end of each; or go on from one.

    Args:
        directory: where the backup is.
        guard: of the same run; its callback comes before in the list.
        run: what must be the same when the run goes on, by name; JSON can hold it.
        plan: what was found before the run, and is found again in `found.facts["plan"]`.
        found: the backup to go on from. Default `None`: the run begins.
        initial_epoch: the epoch with which the run begins, unless it goes on.
        one_iterator: whether one iterator over the data serves all epochs.

    Attributes:
        epoch: the epoch with which the run would go on.
    """

    def __init__(
        self,
        directory: pathlib.Path,
        guard: GuardedRun,
        run: dict[str, Any],
        plan: dict[str, Any],
        found: Checkpoint | None,
        initial_epoch: int,
        one_iterator: bool,
    ) -> None:
        super().__init__()
        self._directory = directory
        self._guard = guard
        self._run, self._plan = run, plan
        self._found = found
        self.epoch: int = found.facts["epoch"] if found else initial_epoch
        self._one_iterator = one_iterator
        self._drawn_by_opening: list[Any] | None = None
        self._history: dict[str, list[Any]] = {}

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Put everything where it was, or keep where the run begins."""
        if self._found is None:
            self._write(self.epoch)
            return
        like = self._guard.values()
        values = {name: values_of(arrays, like) for name, arrays in self._found.values.items()}
        self._guard.go_on(self._found.facts["guard"], values)
        self._history = self._found.facts["history"]
        self.model.history.history = {name: list(values) for name, values in self._history.items()}
        set_random_state(self._found.facts["random"])
        if self._one_iterator:
            self._drawn_by_opening = self._found.facts["random"]["torch"]
        self._found = None  # its copies of the weights have served

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Take back what PyTorch's loader has drawn when it was opened: the unbroken run opened it long before."""
        if self._drawn_by_opening is not None:
            set_random_state({**random_state(), "torch": self._drawn_by_opening})
            self._drawn_by_opening = None

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Replace the backup by one of this moment."""
        for name, value in (logs or {}).items():
            self._history.setdefault(name, []).append(plain(value))
        self._write(epoch + 1)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Delete the backup: the run has come to its end."""
        delete_checkpoint(self._directory)

    def _write(self, epoch: int) -> None:
        self.epoch = epoch
        guard, values = self._guard.state()
        facts = {
            "run": self._run,
            "plan": self._plan,
            "epoch": epoch,
            "guard": guard,
            "history": self._history,
            "random": random_state(),
        }
        arrays = {name: arrays_of(value) for name, value in values.items()}
        write_checkpoint(self._directory, Checkpoint(facts, arrays))


def read_backup(directory: pathlib.Path, run: dict[str, Any]) -> Checkpoint | None:
    """Return the backup of this run that the directory, which is made if it is not there, holds; or None.

    Raises:
        ValueError: it is of another run, or cannot be read; or nothing can be written into the directory.
    """
    make_directory(directory)
    found = read_checkpoint(directory)
    if found is None:
        return None
    for name, given in json.loads(json.dumps(run)).items():
        if (kept := found.facts["run"].get(name)) != given:
            raise ValueError(
                f"The backup in backup_dir={str(directory)!r} is of another run: {difference(name, kept, given)}. "
                "Repeat the call that was interrupted; or delete the backup, or name another backup_dir, to begin anew."
            )
    return found
