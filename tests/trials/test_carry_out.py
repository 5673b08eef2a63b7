"""Trials in other processes: the same numbers, one compilation a process, and what cannot travel is said."""

import random
import sys
import threading
import time
import types
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import joblib
import keras
import numpy as np
import pytest
from problems import a_linear_task

import keras_lr
from keras_lr.trials._carry_out import _there
from keras_lr.trials._outcome import Outcome


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


@pytest.mark.above_backends
def test_data_of_any_size_and_what_is_set_for_all_models_travel():
    x = np.ones((40_000, 4), "float32")  # too much for a pickle to hold inside
    task = a_linear_task(validation_data=(x, x[:, :1]), epochs=1, batch_size=len(x))
    in_float32 = sweep(task).values
    keras.config.set_dtype_policy("bfloat16")
    try:
        expected = sweep(task).values
        np.testing.assert_allclose(sweep(task, n_jobs=2).values, expected, rtol=1e-6)
    finally:
        keras.config.set_dtype_policy("float32")
    assert np.max(np.abs(in_float32 - expected)) > 1e-6


@dataclass
class Alone:
    """Work that notes how many trials run at a time."""

    running: int = 0
    most: int = 0

    def run(self, trial):
        self.running += 1
        self.most = max(self.most, self.running)
        time.sleep(0.01)
        self.running -= 1
        return Outcome((1.0,), False)

    def parts(self):
        return {}


@pytest.mark.numpy_only
def test_a_worker_with_several_threads_runs_one_trial_at_a_time():
    work = Alone()
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda trial: _there("token", keras.backend.backend(), {}, work, trial), range(8)))
    assert work.most == 1


@pytest.mark.numpy_only
def test_what_dask_draws_beside_a_trial_is_not_drawn_from_pythons_generator(monkeypatch):
    sizeof = types.ModuleType("dask.sizeof_of_a_test")
    exec("import random\ndef draw(): return random.sample(range(100), 3)", vars(sizeof))
    monkeypatch.setitem(sys.modules, sizeof.__name__, sizeof)
    random.seed(0)
    before = random.getstate()
    sizeof.draw()
    assert random.getstate() != before
    random.setstate(before)
    _there("token", keras.backend.backend(), {}, Alone(), 0)
    sizeof.draw()
    assert random.getstate() == before


def test_dask_gives_the_numbers_of_this_process(tmp_path):
    distributed = pytest.importorskip("distributed")
    expected = sweep()
    with (
        warnings.catch_warnings(action="ignore"),
        distributed.LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config(backend="dask"),
    ):
        found = sweep(storage=tmp_path / "trials.db")
    np.testing.assert_allclose(found.values, expected.values, rtol=1e-6)


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
