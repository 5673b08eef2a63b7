"""Carries out trials: in this process, or in others through joblib, each written down as it ends."""

import io
import itertools
import random
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import ModuleType
from typing import Any, Protocol

import keras
import numpy as np

from keras_lr.report._extras import needed
from keras_lr.training._progress import Progress
from keras_lr.trials._outcome import Outcome
from keras_lr.trials._record import Record

WAIT_SECONDS = 1.0


class Work(Protocol):
    """What trials have in common; travels to other processes by pickle, without what it has compiled."""

    def run(self, trial: Any) -> Outcome:
        """Carry out one trial."""

    def parts(self) -> dict[str, Any]:
        """Return what was given from outside, by name, to say what cannot travel."""


def carry_out(
    work: Work, trials: Sequence[Any], record: Record, n_jobs: int | None, progress: Progress
) -> dict[Any, Outcome]:
    """Return the outcomes of trials, of which only those are run that nobody has done or is doing.

    Args:
        work: what the trials have in common.
        trials: in the order in which they are tried.
        record: where they are written down.
        n_jobs: of joblib. Default `None`: what `joblib.parallel_config` says, else this process.
        progress: called as `progress(done, total, text)` before the first trial and after each.
    """
    results = _in_other_processes(work, n_jobs) or _here(work)
    text = "trials"
    while True:
        done = record.outcomes()
        missing = [trial for trial in trials if trial not in done]
        if not missing:
            return {trial: done[trial] for trial in trials}
        told, ran = len(trials) - len(missing), False
        progress(told, len(trials), text)
        for trial, outcome in results(trial for trial in missing if record.claim(trial)):
            record.keep(trial, outcome)
            told, ran, text = told + 1, True, str(trial)
            progress(told, len(trials), text)
        if not ran:
            text = "waiting for the trials of other processes"
            time.sleep(WAIT_SECONDS)


Results = Callable[[Iterable[Any]], Iterator[tuple[Any, Outcome]]]


def _here(work: Work) -> Results:
    return lambda trials: ((trial, work.run(trial)) for trial in trials)


def _in_other_processes(work: Work, n_jobs: int | None) -> Results | None:
    """Return what runs trials through joblib, or None where they run in this process."""
    if n_jobs == 1 or (n_jobs is None and "joblib" not in sys.modules):
        return None  # who has not imported joblib has not configured it
    joblib = needed("joblib", "sweep", "Running trials side by side")
    workers = joblib.effective_n_jobs(n_jobs)
    if workers == 1:
        return None
    backend, _ = joblib.parallel.get_active_backend()
    if getattr(backend, "uses_threads", False):
        raise ValueError(
            f"{type(backend).__name__} of joblib would run trials as threads of one process, which share their random "
            "generators. Choose processes with joblib.parallel_config(backend='loky'), or pass n_jobs=1."
        )
    _check_travels(work, needed("cloudpickle", "sweep", "Running trials side by side"))
    run, given = joblib.delayed(_there), (uuid.uuid4().hex, keras.backend.backend(), _settings(), work)

    def results(trials: Iterable[Any]) -> Iterator[tuple[Any, Outcome]]:
        calls = (run(*given, trial) for trial in trials)
        if backend.supports_return_generator:
            # No call is taken from the generator, and so no trial claimed, before a worker is there for it.
            as_they_end = {"return_as": "generator_unordered", "pre_dispatch": "n_jobs", "batch_size": 1}
            yield from joblib.Parallel(n_jobs=n_jobs, **as_they_end)(calls)
            return
        with joblib.Parallel(n_jobs=n_jobs) as parallel:  # the same workers for all, with what they have compiled
            while several := list(itertools.islice(calls, workers)):
                yield from parallel(several)

    return results


def _settings() -> dict[str, Any]:
    """Return what is set for all models of this process, by the function of `keras.config` that sets it."""
    config = keras.config
    return {
        "set_floatx": config.floatx(),
        "set_epsilon": config.epsilon(),
        "set_image_data_format": config.image_data_format(),
        "set_dtype_policy": config.dtype_policy(),
    }


_kept: tuple[str, Work] | None = None  # by a worker: the work that it was given last, with what it has compiled
_one_at_a_time = threading.Lock()  # workers of Dask may have several threads, which share their random generators


def _there(token: str, backend: str, settings: dict[str, Any], work: Work, trial: Any) -> tuple[Any, Outcome]:
    """Carry out one trial in a worker, which keeps what it has compiled for its next trials."""
    global _kept
    if keras.backend.backend() != backend:
        raise RuntimeError(
            f"The sweep runs on {backend}, but this worker's Keras on {keras.backend.backend()}. Set KERAS_BACKEND in "
            "the environment in which the workers start."
        )
    _leave_python_its_generator()
    with _one_at_a_time:
        for name, value in settings.items():
            getattr(keras.config, name)(value)
        if _kept is None or _kept[0] != token:
            _kept = (token, work)
        return trial, _kept[1].run(trial)


def _leave_python_its_generator() -> None:
    """Give Dask a random generator of its own.

    The thread in which a worker of Dask talks to the cluster draws from Python's generator (`dask.sizeof`), from which
    Keras draws the seeds of layers, while a trial runs beside it: now and then a trial would begin with other weights.
    """
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in ("dask", "distributed", "tornado") and vars(module).get("random") is random:
            module.__dict__["random"] = random.Random()


class _Nowhere(io.RawIOBase):
    def write(self, data: Any) -> int:
        return memoryview(data).nbytes  # `data` may be the buffer of an array, which has no length


def _check_travels(work: Work, cloudpickle: ModuleType) -> None:
    """Refuse what cannot be sent to another process."""
    for name, part in work.parts().items():
        if isinstance(part, np.ndarray):
            continue  # without a copy of it
        try:
            cloudpickle.dump(part, _Nowhere())
        except Exception as error:
            raise ValueError(
                f"{name} ({type(part).__name__}) cannot be sent to another process: {error}. Give the data as arrays "
                "or as a keras.utils.PyDataset, let build() make what it needs itself, or pass n_jobs=1."
            ) from error
