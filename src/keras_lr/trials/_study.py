"""Trials kept in an Optuna storage: a file or a database that survives a kill, and that several processes can share.

A process claims a trial by adding it to the study as running. Where two add the same one, the lower number has it.
While a process runs trials it counts a heartbeat up in each of them; a trial whose heartbeat stands still is given up
for lost, and somebody else may claim it. Nobody's clock is compared with anybody else's.
"""

import dataclasses
import math
import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from keras_lr.report._extras import needed
from keras_lr.training._described import difference
from keras_lr.trials._open_storage import PURPOSE, Storage, StorageError, called, is_of_storage, opened, quiet, unusable
from keras_lr.trials._outcome import Outcome

BEAT_SECONDS = 3.0
LOST_SECONDS = 20.0
_SETTINGS, _BEAT, _OWNER = "keras_lr", "beat", "owner"


class InStorage:
    """See `Record`.

    Args:
        storage: the path of an SQLite file, the URL of a database (what follows `#` names the study), or a storage of
            Optuna's.
        name: what the trials are for; of the study too, where no URL names one.
        kind: the dataclass of a trial: its numbers become parameters, its texts user attributes.
        settings: what must be the same when trials are added; JSON can hold it.
        maximize: whether a higher value is better.

    Raises:
        MissingExtra: Optuna, or the driver of the database, is not installed.
        StorageError: it cannot be opened or written to, or the study holds other trials.
    """

    def __init__(self, storage: Storage, name: str, kind: type, settings: dict[str, Any], *, maximize: bool) -> None:
        self._optuna = needed("optuna", "sweep", PURPOSE)
        self._kind = kind
        self._maximize = maximize
        self._given = storage
        try:
            with quiet():
                self._storage, study_name = opened(storage, name)
                try:
                    self._study = self._made(study_name, {"call": name, **settings})
                except Exception:
                    self._disconnect()
                    raise
        except Exception as error:
            if not is_of_storage(error):
                raise
            raise unusable(storage, error) from error
        self._owner = f"{os.getpid()}-{time.time_ns()}"
        self._claimed: dict[Any, int] = {}  # a trial and its number in the storage
        self._beats: dict[int, tuple[int, float]] = {}  # of others: the heartbeat that was seen last, and since when
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._heart = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Self:
        self._heart.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        self._heart.join()
        try:
            self._let_go()
        except Exception as failure:
            # The first error counts. No heart beats in what was claimed, so others will take it over.
            if not is_of_storage(failure):
                raise
            error = error or failure
        if error is not None and is_of_storage(error):
            raise unusable(self._given, error) from error

    def _let_go(self) -> None:
        with self._lock:
            for number in self._claimed.values():
                self._end(number, "FAIL")
            self._claimed.clear()
        self._disconnect()

    def _disconnect(self) -> None:
        self._storage.remove_session()
        if self._storage is not self._given:
            self._storage.engine.dispose()

    def outcomes(self) -> dict[Any, Outcome]:
        return {self._trial(found): _outcome(found) for found in reversed(self._found("COMPLETE"))}

    def claim(self, trial: Any) -> bool:
        self._give_up_the_lost()
        if any(self._trial(found) == trial for found in self._found("RUNNING", "COMPLETE")):
            return False
        number = self._storage.create_new_trial(self._study, self._running(trial))
        rivals = [found for found in self._found("RUNNING", "COMPLETE") if self._trial(found) == trial]
        if min(rivals, key=lambda found: found.number).user_attrs[_OWNER] != self._owner:
            self._end(number, "FAIL")
            return False
        with self._lock:
            self._claimed[trial] = number
        return True

    def keep(self, trial: Any, outcome: Outcome) -> None:
        with self._lock:
            number = self._claimed.pop(trial)
        try:
            for name, value in _plain(outcome).items():
                self._storage.set_trial_user_attr(number, name, value)
        except self._optuna.exceptions.UpdateFinishedTrialError:
            return  # this process stood still for so long that another one has taken the trial over
        self._end(number, "COMPLETE", [outcome.value(self._maximize)])

    def agreed(self, name: str, find: Callable[[], list[float]]) -> list[float]:
        if name not in self._storage.get_study_user_attrs(self._study):
            self._storage.set_study_user_attr(self._study, name, find())
        kept: list[float] = self._storage.get_study_user_attrs(self._study)[name]
        return kept

    def _made(self, name: str, settings: dict[str, Any]) -> int:
        """Return the study of this name, new or with trials of the same settings."""
        direction = "maximize" if self._maximize else "minimize"
        study = self._optuna.create_study(
            storage=self._storage, study_name=name, direction=direction, load_if_exists=True
        )
        kept = study.user_attrs.get(_SETTINGS, {})
        if not kept and study.get_trials(deepcopy=False):
            raise StorageError(
                f"{called(self._given)} holds a study {name!r} that keras-lr has not made. Name another storage."
            )
        for setting, value in settings.items():
            if kept.get(setting, value) != value:
                raise StorageError(
                    f"{called(self._given)} holds trials of another kind: {difference(setting, kept[setting], value)}. "
                    "Repeat the call that began it, or name another storage."
                )
        number: int = self._storage.get_study_id_from_name(name)
        self._storage.set_study_user_attr(number, _SETTINGS, kept | settings)
        return number

    def _running(self, trial: Any) -> Any:
        values = dataclasses.asdict(trial)
        texts = {name: value for name, value in values.items() if isinstance(value, str)}
        params = {name: value for name, value in values.items() if name not in texts}
        return self._optuna.trial.create_trial(
            state=self._optuna.trial.TrialState.RUNNING,
            params=params,
            distributions={name: self._distribution(value) for name, value in params.items()},
            user_attrs={**texts, _OWNER: self._owner, _BEAT: 0},
        )

    def _distribution(self, value: float) -> Any:
        kinds = self._optuna.distributions
        if isinstance(value, int):
            return kinds.IntDistribution(value, value)
        return kinds.FloatDistribution(value, value, log=True)

    def _found(self, *states: str) -> list[Any]:
        wanted = tuple(self._optuna.trial.TrialState[state] for state in states)
        found: list[Any] = self._storage.get_all_trials(self._study, deepcopy=False, states=wanted)
        return found

    def _trial(self, found: Any) -> Any:
        values = {**found.user_attrs, **found.params}
        return self._kind(**{field.name: values[field.name] for field in dataclasses.fields(self._kind)})

    def _end(self, number: int, state: str, values: Sequence[float] | None = None) -> None:
        with suppress(self._optuna.exceptions.UpdateFinishedTrialError):  # somebody else has ended it
            self._storage.set_trial_state_values(number, self._optuna.trial.TrialState[state], values)

    def _give_up_the_lost(self) -> None:
        """Declare failed what others run, where the heartbeat has stood still since it was first seen so."""
        now = time.monotonic()
        running = {found._trial_id: found for found in self._found("RUNNING")}
        self._beats = {number: seen for number, seen in self._beats.items() if number in running}
        for number, found in running.items():
            beat = found.user_attrs[_BEAT]
            if found.user_attrs[_OWNER] == self._owner:
                continue
            seen, since = self._beats.setdefault(number, (beat, now))
            if beat != seen:
                self._beats[number] = (beat, now)
            elif now - since > LOST_SECONDS:
                self._end(number, "FAIL")

    def _beat(self) -> None:
        errors = self._optuna.exceptions
        beat = 0
        while not self._closed.wait(BEAT_SECONDS):
            beat += 1
            with self._lock:
                for number in self._claimed.values():
                    # It may have been given up for lost while this process stood still, or the storage may be locked.
                    with suppress(errors.UpdateFinishedTrialError, errors.StorageInternalError):
                        self._storage.set_trial_user_attr(number, _BEAT, beat)
        self._storage.remove_session()


def _plain(outcome: Outcome) -> dict[str, Any]:
    # Browsers, and so Optuna's dashboard, cannot read NaN.
    curve = [value if math.isfinite(value) else None for value in outcome.curve]
    return dataclasses.asdict(outcome) | {"curve": curve}


def _outcome(found: Any) -> Outcome:
    kept = {field.name: found.user_attrs[field.name] for field in dataclasses.fields(Outcome)}
    lists = {name: tuple(value) for name, value in kept.items() if isinstance(value, list)}
    curve = tuple(math.nan if value is None else value for value in kept["curve"])
    return Outcome(**kept | lists | {"curve": curve})
