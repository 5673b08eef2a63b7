"""Trials in other processes: the same numbers, one compilation a process, and what cannot travel is said."""

import threading

import joblib
import numpy as np
import pytest
from problems import a_linear_task

import keras_lr


def sweep(task=None, **arguments):
    return keras_lr.sweep(task or a_linear_task(), [0.01, 0.1], seeds=2, widen=False, **arguments)


def test_two_workers_give_the_numbers_of_this_process(tmp_path, monkeypatch):
    expected = sweep()
    shared = sweep(n_jobs=2, storage=tmp_path / "trials.db")
    np.testing.assert_allclose(shared.values, expected.values, rtol=1e-6)
    # Ray's backend gives all results of a call at once.
    monkeypatch.setattr(joblib.parallel.BACKENDS["loky"], "supports_return_generator", False)
    with joblib.parallel_config(n_jobs=2):
        np.testing.assert_array_equal(sweep().values, shared.values)


def test_threads_are_refused():
    with joblib.parallel_config(backend="threading", n_jobs=2), pytest.raises(ValueError, match="as threads of one"):
        sweep()


def test_one_job_stays_in_this_process():
    with joblib.parallel_config(backend="threading", n_jobs=1):
        sweep()


def test_what_cannot_travel_is_named():
    lock = threading.Lock()

    def build():
        with lock:
            return a_linear_task().model()

    task = keras_lr.Task(build, np.ones((8, 4)), np.ones((8, 1)))
    with pytest.raises(ValueError, match=r"task\.build \(function\) cannot be sent to another process: .*lock"):
        sweep(task, n_jobs=2)
