"""Trials kept in an Optuna storage: a file or a database that survives a kill, and that several processes can share.

A process claims a trial by adding it to the study as running. Where two add the same one, the lower number has it.
While a process runs trials it counts a heartbeat up in each of them; a trial whose heartbeat stands still is given up
for lost, and somebody else may claim it. Nobody's clock is compared with anybody else's.
"""

import dataclasses
import logging
import math
import os
import pathlib
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Self

from keras_lr.report._extras import needed
from keras_lr.training._described import difference
from keras_lr.trials._outcome import Outcome

BEAT_SECONDS = 3.0
LOST_SECONDS = 20.0
_SETTINGS, _BEAT, _OWNER = "keras_lr", "beat", "owner"


class InStorage:
    """See `Record`.

    Args:
        storage: the path of an SQLite file, or the URL of a database; what follows `#` in a URL names the study.
        name: of the study, where the URL names none.
        kind: the dataclass of a trial: its numbers become parameters, its texts user attributes.
        settings: what must be the same when trials are added; JSON can hold it.
        maximize: whether a higher value is better.

    Raises:
        MissingExtra: Optuna is not installed.
        ValueError: the study holds trials with other settings.
    """

    def __init__(
        self, storage: str | os.PathLike[str], name: str, kind: type, settings: dict[str, Any], *, maximize: bool
    ) -> None:
        self._optuna = needed("optuna", "sweep", "Keeping trials in a storage")
        url, name = _url_and_name(storage, name)
        self._kind = kind
        self._maximize = maximize
        self._where = f"storage={os.fspath(storage)!r}"
        direction = "maximize" if maximize else "minimize"
        with _quiet():
            self._storage = self._opened(url)
            study = self._optuna.create_study(
                storage=self._storage, study_name=name, direction=direction, load_if_exists=True
            )
        self._study = self._storage.get_study_id_from_name(name)
        kept = study.user_attrs.get(_SETTINGS, {})
        self._check(kept, settings)
        self._storage.set_study_user_attr(self._study, _SETTINGS, kept | settings)
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
        with self._lock:
            for number in self._claimed.values():
                self._end(number, "FAIL")
            self._claimed.clear()
        self._storage.remove_session()
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

    def _opened(self, url: str) -> Any:
        """Open the storage; two that make the tables of a new one at the same moment get in each other's way."""
        errors = needed("sqlalchemy.exc", "sweep", "Keeping trials in a storage")
        for _ in range(9):
            with suppress(errors.IntegrityError, errors.OperationalError):
                return self._optuna.storages.RDBStorage(url)
            time.sleep(random.random())
        return self._optuna.storages.RDBStorage(url)

    def _check(self, kept: dict[str, Any], given: dict[str, Any]) -> None:
        for name, value in given.items():
            if kept.get(name, value) != value:
                raise ValueError(
                    f"{self._where} holds trials of another kind: {difference(name, kept[name], value)}. Repeat "
                    "the call that began it, or name another storage."
                )

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
        beat = 0
        while not self._closed.wait(BEAT_SECONDS):
            beat += 1
            with self._lock:
                for number in self._claimed.values():
                    # It may have been given up for lost while this process stood still.
                    with suppress(self._optuna.exceptions.UpdateFinishedTrialError):
                        self._storage.set_trial_user_attr(number, _BEAT, beat)
        self._storage.remove_session()


def _url_and_name(storage: str | os.PathLike[str], name: str) -> tuple[str, str]:
    text = os.fspath(storage)
    if "://" in text:
        url, _, fragment = text.partition("#")
        return url, fragment or name
    path = pathlib.Path(text).absolute()
    if not path.parent.is_dir():
        raise ValueError(f"storage={text!r}: there is no folder {str(path.parent)!r}; make it first.")
    return f"sqlite:///{path}", name


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what Optuna tells about every study that it makes or opens."""
    logger = logging.getLogger("optuna")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def _plain(outcome: Outcome) -> dict[str, Any]:
    # Browsers, and so Optuna's dashboard, cannot read NaN.
    curve = [value if math.isfinite(value) else None for value in outcome.curve]
    return dataclasses.asdict(outcome) | {"curve": curve}


def _outcome(found: Any) -> Outcome:
    kept = {field.name: found.user_attrs[field.name] for field in dataclasses.fields(Outcome)}
    lists = {name: tuple(value) for name, value in kept.items() if isinstance(value, list)}
    curve = tuple(math.nan if value is None else value for value in kept["curve"])
    return Outcome(**kept | lists | {"curve": curve})
