"""Trials in a storage: killed, resumed, shared, and read by Optuna itself."""

import dataclasses
import math
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import optuna
import pytest
from problems import a_linear_task, a_task, linear
from sqlalchemy import event
from sqlalchemy.pool import Pool

import keras_lr
from keras_lr.training._progress import silent
from keras_lr.trials import _carry_out, _open_storage, _study
from keras_lr.trials._compare import Run
from keras_lr.trials._open_storage import StorageError
from keras_lr.trials._outcome import Outcome
from keras_lr.trials._study import InStorage
from keras_lr.trials._sweep import Trial

pytestmark = pytest.mark.above_backends

RATES = [0.01, 0.1, 1e4]


@pytest.fixture(autouse=True)
def _hasty(monkeypatch):
    monkeypatch.setattr(_study, "BEAT_SECONDS", 0.1)
    monkeypatch.setattr(_study, "LOST_SECONDS", 1.5)
    monkeypatch.setattr(_carry_out, "WAIT_SECONDS", 0.05)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "trials.db"


def studied(file) -> optuna.Study:
    return optuna.load_study(study_name="keras_lr.sweep", storage=f"sqlite:///{file}")


def sweep(file, **arguments):
    return keras_lr.sweep(a_linear_task(), **{"rates": RATES, "seeds": 2, "storage": file, "widen": False} | arguments)


def test_optuna_reads_rates_seeds_values_and_curves(file):
    result = sweep(file)
    study = studied(file)
    assert study.direction == optuna.study.StudyDirection.MINIMIZE
    assert len(study.trials) == 6
    for trial in study.trials:
        row, column = RATES.index(trial.params["rate"]), result.seeds.index(trial.params["seed"])
        assert trial.value == result.values[row, column]
        curve = [math.nan if value is None else value for value in trial.user_attrs["curve"]]
        np.testing.assert_array_equal(curve, result.curves[row, column][: len(curve)])
    assert study.best_params["rate"] == 0.1
    assert math.isinf(max(trial.value for trial in study.trials))


def test_a_storage_is_closed_when_the_trials_are_done(file):
    folder = Path("/proc/self/fd")
    if not folder.exists():
        pytest.skip("only Linux shows which files are open")
    sweep(file)
    assert str(file) not in {str(link.resolve()) for link in folder.iterdir()}


def test_what_is_done_is_not_done_again_and_more_can_be_added(file):
    alone = sweep(file)
    again = sweep(file, progress=lambda *told: pytest.fail("nothing is left to run"))
    np.testing.assert_array_equal(alone.values, again.values)
    np.testing.assert_array_equal(alone.curves, again.curves)
    wider = sweep(file, rates=[0.001, *RATES], seeds=[1, 2])
    assert len(studied(file).trials) == 6 + 2 + 3
    np.testing.assert_array_equal(wider.values[1:, 0], alone.values[:, 1])


def test_an_interrupted_sweep_goes_on_where_it_was(file):
    def interrupt(done, total, text):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(file, progress=interrupt)
    told = []
    result = sweep(file, progress=lambda *done: told.append(done[0]))
    assert told == [3, 4, 5, 6]
    np.testing.assert_array_equal(result.values, sweep(None).values)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"epochs": 3}, "epochs was 2, and is 3 now"),
        ({"monitor": "loss", "mode": "max"}, "higher is better was False, and is True now"),
        (
            {"schedule": keras_lr.schedules.Linear},
            "as shares of its peak at nine steps, was 1 1 1 1 1 1 1 1 1, and is 1 0.917",
        ),
    ],
)
def test_another_sweep_is_refused_by_the_difference(file, arguments, message):
    sweep(file, rates=[0.1], seeds=1)
    with pytest.raises(ValueError, match=message):
        sweep(file, **arguments)
    with pytest.raises(ValueError, match=r"holds trials of another kind: .*Repeat the call that began it"):
        keras_lr.sweep(a_task(), [0.1], storage=file)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        ("mae", "number 0 of its losses is mean_squared_error, and here mean_absolute_error"),
        (keras.losses.Huber(0.5), "is mean_squared_error, and here {'loss': 'Huber', .*'delta': 0.5"),
        (["mse"], None),
    ],
)
def test_a_sweep_of_another_loss_is_refused(file, loss, message):
    def with_loss(given):
        def build():
            model = linear()
            model.compile("sgd", given)
            return model

        return dataclasses.replace(a_linear_task(), build=build)

    arguments = {"rates": [0.1], "seeds": 1, "storage": file, "widen": False}
    keras_lr.sweep(with_loss("mse"), **arguments)
    with nullcontext() if message is None else pytest.raises(ValueError, match=message):
        keras_lr.sweep(with_loss(loss), **arguments)


def test_the_rates_of_the_race_are_those_of_the_first_who_asked(file, monkeypatch):
    first = sweep(file, rates=None, seeds=1)
    monkeypatch.setattr("keras_lr.trials._trainer.run_race", lambda *a, **k: pytest.fail("raced again"))
    np.testing.assert_array_equal(sweep(file, rates=None, seeds=1).rates, first.rates)


KILLED = """
    import os, signal, sys
    sys.path.insert(0, {folder!r})
    import keras_lr
    from keras_lr.trials._trainer import Trainer
    from problems import a_linear_task

    run, ran = Trainer.run, []

    def killed_in_the_third(self, rate, seed, course):
        ran.append(rate)
        if len(ran) == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return run(self, rate, seed, course)

    Trainer.run = killed_in_the_third
    keras_lr.sweep(a_linear_task(), [0.01, 0.1, 1e4], seeds=2, storage={file!r}, widen=False)
"""


def test_a_killed_sweep_goes_on_where_it_was(file):
    program = textwrap.dedent(KILLED).format(folder=str(Path(__file__).parent), file=str(file))
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    states = [trial.state.name for trial in studied(file).trials]
    assert states == ["COMPLETE", "COMPLETE", "RUNNING"]  # killed in the middle of its third trial
    result = sweep(file)
    np.testing.assert_array_equal(result.values, sweep(None).values)
    states = [trial.state.name for trial in studied(file).trials]
    assert sorted(states) == ["COMPLETE"] * 6 + ["FAIL"]


@dataclass
class Slow:
    """Work that takes a moment and writes down who did it."""

    done: list

    def run(self, trial):
        time.sleep(0.02)
        self.done.append(trial)
        return Outcome((trial.rate,), False)

    def parts(self):
        return {}


@pytest.mark.numpy_only
def test_those_who_share_a_storage_do_no_trial_twice(file, monkeypatch):
    monkeypatch.setattr(_study, "LOST_SECONDS", 60.0)  # on a busy machine a heart may miss beats
    trials = [Trial(float(rate), seed) for rate in range(1, 6) for seed in range(4)]
    done, found = [], []

    def one():
        with InStorage(file, "keras_lr.sweep", Trial, {}, maximize=False) as record:
            found.append(_carry_out.carry_out(Slow(done), trials, record, 1, silent))

    threads = [threading.Thread(target=one) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done, key=str) == sorted(trials, key=str)
    assert found == [found[0]] * 3
    assert [found[0][trial].curve for trial in trials] == [(trial.rate,) for trial in trials]


@pytest.mark.numpy_only
def test_what_a_silent_process_has_claimed_is_taken_over_and_its_late_answer_dropped(file):
    trial = Trial(0.1, 0)
    late = InStorage(file, "keras_lr.sweep", Trial, {}, maximize=False)  # never entered: its heart does not beat
    assert late.claim(trial)
    with InStorage(file, "keras_lr.sweep", Trial, {}, maximize=False) as record:
        assert not record.claim(trial)
        time.sleep(1.6)
        assert record.claim(trial)
        late.keep(trial, Outcome((7.0,), False))
        assert record.outcomes() == {}
        record.keep(trial, Outcome((1.0, math.nan), True, (3, 4), (0.5, 0.6)))
        assert str(record.outcomes()) == str({trial: Outcome((1.0, math.nan), True, (3, 4), (0.5, 0.6))})


@pytest.mark.numpy_only
def test_a_slow_process_that_still_beats_keeps_its_trial(file, monkeypatch):
    monkeypatch.setattr(_study, "LOST_SECONDS", 4.0)
    trial = Trial(0.1, 0)
    with (
        InStorage(file, "s", Trial, {}, maximize=True) as slow,
        InStorage(file, "s", Trial, {}, maximize=True) as other,
    ):
        assert slow.claim(trial)
        for _ in range(50):
            assert not other.claim(trial)
            time.sleep(0.1)


@pytest.mark.numpy_only
def test_a_process_whose_heart_stands_still_does_not_give_up_its_own_trials(file, monkeypatch):
    monkeypatch.setattr(_study, "BEAT_SECONDS", 100.0)
    monkeypatch.setattr(_study, "LOST_SECONDS", 0.0)
    with InStorage(file, "keras_lr.sweep", Trial, {}, maximize=False) as record:
        for rate in (0.1, 0.2, 0.3):
            assert record.claim(Trial(rate, 0))
            time.sleep(0.01)
        assert not record.claim(Trial(0.1, 0))


@pytest.mark.numpy_only
def test_a_url_may_name_the_study(file):
    url = f"sqlite:///{file}"
    for name in ("one", "two"):
        with InStorage(f"{url}#{name}", "keras_lr.sweep", Trial, {"name": name}, maximize=False):
            pass
    assert sorted(optuna.get_all_study_names(url)) == ["one", "two"]


@pytest.mark.numpy_only
@pytest.mark.parametrize("name", ["trials?mode=ro", "50%25.db", "{rate}.db", "a#b:c@d é.db"])
def test_a_file_has_the_name_that_was_given_whatever_it_means_in_a_url(tmp_path, name):
    with InStorage(tmp_path / name, "keras_lr.sweep", Trial, {}, maximize=False):
        pass
    assert [found.name for found in tmp_path.iterdir()] == [name]


@pytest.mark.numpy_only
def test_no_connection_stays_open(file):
    at_work = set()

    def connected(connection, record):
        at_work.add(id(connection))

    def closed(connection, record):
        at_work.discard(id(connection))

    for name, act in (("connect", connected), ("close", closed)):
        event.listen(Pool, name, act)
    try:
        with InStorage(file, "keras_lr.sweep", Trial, {"epochs": 1}, maximize=False):
            assert at_work
        assert not at_work
        with pytest.raises(StorageError, match="epochs was 1, and is 2 now"):
            InStorage(file, "keras_lr.sweep", Trial, {"epochs": 2}, maximize=False)
        assert not at_work
    finally:
        for name, act in (("connect", connected), ("close", closed)):
            event.remove(Pool, name, act)


def of_text(folder):
    (folder / "it").write_text("no database at all\n" * 100)


def locked(folder):
    with InStorage(folder / "it", "keras_lr.sweep", Trial, {}, maximize=False):
        pass
    connection = sqlite3.connect(folder / "it", isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    return connection  # held for as long as it is referred to


def of_optunas_own(folder):
    study = optuna.create_study(study_name="keras_lr.sweep", storage=f"sqlite:///{folder / 'it'}")
    study.enqueue_trial({"x": 1.0})


def of_a_comparison(folder):
    with InStorage(f"sqlite:///{folder / 'it'}#one", "keras_lr.compare", Run, {}, maximize=False):
        pass


def of_a_newer_optuna(folder):
    with InStorage(folder / "it", "keras_lr.sweep", Trial, {}, maximize=False):
        pass
    with closing(sqlite3.connect(folder / "it")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'v9.0.0.a'")


UNUSABLE = [
    (
        lambda folder: (folder / "it").mkdir(),
        "{folder}/it",
        "is a folder; name a file in it, such as '.*/it/trials.db'",
    ),
    (of_text, "{folder}/it", "cannot be used: file is not a database. Give the path of an SQLite file"),
    (locked, "{folder}/it", "cannot be used: database is locked. Give .* which no other program keeps locked"),
    (of_optunas_own, "{folder}/it", "holds a study 'keras_lr.sweep' that keras-lr has not made. Name another storage"),
    (of_a_comparison, "sqlite:///{folder}/it#one", "call was keras_lr.compare, and is keras_lr.sweep now"),
    (of_a_newer_optuna, "{folder}/it", "cannot be used: The runtime optuna version .* is no longer compatible"),
    (None, "{folder}/none/it", "there is no folder '.*none'; make it first"),
    (None, "sqlite:///{folder}/none/it", "cannot be used: unable to open database file"),
    (None, "nosuch://user:secret@host/it", r"'nosuch://user:\*\*\*@host/it' cannot be used: Can't load plugin"),
    (None, "nosuch://user:sec/ret@host/it", r"'nosuch://user:\*\*\*@host/it' cannot be used"),
    (None, "no url://", "cannot be used: Could not parse"),
]


@pytest.mark.numpy_only
@pytest.mark.parametrize(("make", "storage", "message"), UNUSABLE)
def test_a_storage_that_cannot_be_used_is_said_in_a_line(tmp_path, monkeypatch, make, storage, message):
    monkeypatch.setattr(_open_storage, "MAKING_SECONDS", 0.0)
    monkeypatch.setattr(_open_storage, "LOCKED_SECONDS", 0.1)
    held = make and make(tmp_path)
    with pytest.raises(StorageError, match=message) as refused:
        InStorage(storage.format(folder=tmp_path), "keras_lr.sweep", Trial, {}, maximize=False)
    assert "\n" not in str(refused.value)
    if held is not None:
        held.close()


@pytest.mark.numpy_only
def test_a_storage_that_fails_while_trials_run_is_said_in_a_line(file, monkeypatch):
    monkeypatch.setattr(_open_storage, "LOCKED_SECONDS", 0.1)

    def keep_what_cannot_be_written(other):
        with InStorage(file, "keras_lr.sweep", Trial, {}, maximize=False) as record:
            assert record.claim(Trial(0.1, 0))
            other.execute("BEGIN EXCLUSIVE")
            record.keep(Trial(0.1, 0), Outcome((1.0,), False))

    with (
        closing(sqlite3.connect(file, isolation_level=None)) as other,
        pytest.raises(StorageError, match="database is locked"),
    ):
        keep_what_cannot_be_written(other)


@pytest.mark.numpy_only
def test_a_heart_goes_on_after_the_storage_was_locked(file, monkeypatch):
    monkeypatch.setattr(_open_storage, "LOCKED_SECONDS", 0.1)
    with InStorage(file, "keras_lr.sweep", Trial, {}, maximize=False) as record:
        assert record.claim(Trial(0.1, 0))
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            time.sleep(0.5)
        before = studied(file).trials[0].user_attrs["beat"]
        time.sleep(0.5)
        assert studied(file).trials[0].user_attrs["beat"] > before
        record.keep(Trial(0.1, 0), Outcome((1.0,), False))
        assert record.outcomes()


@pytest.mark.numpy_only
def test_a_storage_of_optunas_is_taken_as_it_is(tmp_path):
    def journal():
        return optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(tmp_path / "trials.log")))

    for expected in (True, False):
        with InStorage(journal(), "keras_lr.sweep", Trial, {}, maximize=False) as record:
            assert record.claim(Trial(0.1, 0)) == expected
            if expected:
                record.keep(Trial(0.1, 0), Outcome((1.0,), False))
    assert optuna.load_study(study_name="keras_lr.sweep", storage=journal()).best_value == 1.0


@pytest.mark.numpy_only
def test_a_missing_driver_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    with pytest.raises(ImportError, match=r"needs the driver of that database: .*psycopg2.* Install it"):
        InStorage("postgresql+psycopg2://localhost/lr", "keras_lr.sweep", Trial, {}, maximize=False)


@pytest.mark.numpy_only
def test_a_missing_extra_is_named(file, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ImportError, match=r'storage needs optuna, .*pip install "keras-lr\[sweep\]"'):
        InStorage(file, "keras_lr.sweep", Trial, {}, maximize=False)
