"""A run that was broken off goes on, in another process if need be, and ends bit for bit where it would have ended."""

import functools
import os
import pathlib
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import layers
from sklearn.datasets import load_digits

import keras_lr
from keras_lr.training._checkpoint import Checkpoint, arrays_of, read_checkpoint, values_of, write_checkpoint
from keras_lr.training._training_data import TrainingData

IMAGES = (load_digits().data / 16).astype("float32")
LABELS = load_digits().target
X, Y = IMAGES[:490], LABELS[:490]
STEPS = 16  # of 32 in an epoch; the last is smaller


def a_model(units=16, optimizer="adam"):
    model = keras.Sequential(
        [keras.Input((64,)), layers.Dense(units, activation="tanh"), layers.Dropout(0.3), layers.Dense(10)]
    )
    model.compile(optimizer=optimizer, loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


class BreakOff(keras.callbacks.Callback):
    def __init__(self, step, error):
        super().__init__()
        self.step, self.error, self.seen = step, error, 0

    def on_train_batch_begin(self, batch, logs=None):
        self.seen += 1
        if self.seen > self.step:
            raise self.error


def run(start, x=X, y=Y, model=None, **arguments):
    """Train a model from a start that is drawn with this number; returns all that there is afterwards."""
    keras.utils.set_random_seed(start)
    model = model or a_model()
    result = keras_lr.fit(model, x, y, **{"epochs": 4, "batch_size": 32, "verbose": 0} | arguments)
    return result, [keras.ops.convert_to_numpy(v) for v in [*model.variables, *model.optimizer.variables]]


@functools.cache
def unbroken():
    return run(3)


def broken_off(directory, step, **arguments):
    with pytest.raises(RuntimeError, match="broken off"):
        run(3, backup_dir=directory, callbacks=[BreakOff(step, RuntimeError("broken off"))], **arguments)


def assert_same(one, two):
    (result, values), (other_result, other_values) = one, two
    for value, other in zip(values, other_values, strict=True):
        np.testing.assert_array_equal(value, other)
    assert result.history == other_result.history
    assert result.events == other_result.events
    assert result.learning_rate == other_result.learning_rate
    assert result.total_steps == other_result.total_steps
    assert str(result) == str(other_result)


def test_after_an_error_in_the_first_epoch_the_same_call_goes_on_bit_for_bit(tmp_path):
    broken_off(tmp_path / "backup", 5)
    assert_same(unbroken(), run(99, backup_dir=tmp_path / "backup"))
    assert not (tmp_path / "backup").exists()


def test_after_an_error_in_the_third_epoch_with_validation(tmp_path):
    broken_off(tmp_path, 2 * 14 + 7, validation_split=0.1)
    resumed = run(99, validation_split=0.1, backup_dir=tmp_path)
    assert_same(run(3, validation_split=0.1), resumed)
    assert len(resumed[0].history["val_loss"]) == 4


@pytest.mark.above_backends
def test_a_search_whose_cap_falls_over_the_run_goes_on_with_it(tmp_path):
    def searching():
        model = a_model(optimizer=keras_lr.optimizers.GradientOnly())
        model.fit(X, Y, batch_size=32, verbose=0)  # the factors make up for the steps that were made before
        return model

    keras.utils.set_random_seed(3)
    broken = searching()
    with pytest.raises(RuntimeError, match="broken off"):
        run(3, model=broken, backup_dir=tmp_path, callbacks=[BreakOff(20, RuntimeError("broken off"))])
    resumed = run(99, model=broken, backup_dir=tmp_path)
    keras.utils.set_random_seed(3)
    assert_same(run(3, model=searching()), resumed)


def test_a_killed_process_goes_on_in_another(tmp_path):
    script = f"""
import os, signal, sys
sys.path.insert(0, {str(pathlib.Path(__file__).parent)!r})
import conftest  # what is set there decides the last digits
import keras
from test_resume import STEPS, run

class Kill(keras.callbacks.Callback):
    seen = 0
    def on_train_batch_begin(self, batch, logs=None):
        self.seen += 1
        if self.seen > STEPS + 9:
            os.kill(os.getpid(), signal.SIGKILL)

run(3, backup_dir="backup", callbacks=[Kill()])
"""
    environment = {**os.environ, "KERAS_BACKEND": keras.backend.backend()}
    process = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True)
    assert process.returncode == -signal.SIGKILL, process.stderr.decode()
    assert_same(unbroken(), run(99, backup_dir=tmp_path / "backup"))


def test_after_ctrl_c_the_same_model_goes_on(tmp_path):
    keras.utils.set_random_seed(3)
    model = a_model()
    arguments = {"epochs": 4, "batch_size": 32, "verbose": 0, "backup_dir": tmp_path}
    result = keras_lr.fit(model, X, Y, callbacks=[BreakOff(STEPS + 2, KeyboardInterrupt())], **arguments)
    assert "the same call goes on with epoch 2" in result.events[-1].text
    assert len(result.history["loss"]) == 1
    assert_same(unbroken(), run(7, model=model, backup_dir=tmp_path))
    assert not tmp_path.exists()


def test_what_the_guard_has_done_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr("keras_lr._fit.leave_out_spoilt_rows", lambda *_: "")  # a pipeline may have such rows
    x = X.copy()
    x[200:203] = np.nan
    arguments = {"x": x, "shuffle": False, "epochs": 3, "seed": 16}  # a race on good batches
    whole = run(3, **arguments)
    assert whole[0].events
    broken_off(tmp_path, 2 * STEPS + 5, **arguments)
    assert_same(whole, run(99, backup_dir=tmp_path, **arguments))


class Spoil(keras.callbacks.Callback):
    """Makes the weights useless at the beginning of an epoch."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            for variable in self.model.trainable_variables:
                variable.assign(-30.0 * variable)


def test_the_guard_judges_by_what_it_saw_before_and_goes_back_to_what_was_good_then(tmp_path):
    whole = run(3, callbacks=[Spoil(2)])
    assert "back to the weights of step" in whole[0].events[0].text
    with pytest.raises(RuntimeError, match="broken off"):
        run(3, backup_dir=tmp_path, callbacks=[BreakOff(2 * STEPS, RuntimeError("broken off"))])
    assert_same(whole, run(99, backup_dir=tmp_path, callbacks=[Spoil(2)]))


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return STEPS

    def __getitem__(self, index):
        return X[32 * index : 32 * index + 32], Y[32 * index : 32 * index + 32]


class Augmented(Batches):
    """Draws from NumPy's generator, as augmentations do."""

    def __getitem__(self, index):
        x, y = super().__getitem__(index)
        return x + np.random.normal(0, 0.1, x.shape).astype("float32"), y


def endless():
    while True:
        for start in range(0, 448, 32):
            yield X[start : start + 32], Y[start : start + 32]


@pytest.mark.parametrize(
    ("data", "arguments"),
    [(Batches, {}), (Augmented, {}), (endless, {"steps_per_epoch": 11})],
    ids=["PyDataset", "PyDataset that draws", "generator"],
)
def test_other_data_go_on_at_their_place(tmp_path, data, arguments):
    arguments = arguments | {"y": None, "batch_size": None, "epochs": 3}
    whole = run(3, x=data(), **arguments)
    broken_off(tmp_path, 25, x=data(), **arguments)
    assert_same(whole, run(99, x=data(), backup_dir=tmp_path, **arguments))


@pytest.fixture(scope="module")
def a_backup(tmp_path_factory):
    directory = tmp_path_factory.mktemp("backup")
    broken_off(directory, 2)
    return directory


@pytest.mark.above_backends
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 5}, "epochs was 0 to 4, and is 0 to 5 now"),
        ({"units": 17}, r"number 0 of its weights is kernel \(64, 16\) float32, and here kernel \(64, 17\) float32"),
        ({"optimizer": "sgd"}, "optimizer was Adam, and is SGD now"),
        (
            {"optimizer": {"class_name": "Adam", "config": {"beta_1": 0.5}}},
            r"\{'beta_1': 0.9\}, and is \{'beta_1': 0.5\} now",
        ),
        (
            {"optimizer": keras_lr.optimizers.PerLayer("adam", {"dense.*": 0.1})},
            r"\{'factors': None\}, and is \{'factors': \{'dense\.\*': 0.1\}\} now",
        ),
    ],
    ids=["epochs", "weights", "optimizer", "setting", "factors"],
)
def test_a_backup_of_another_run_is_refused(a_backup, change, message):
    arguments = dict(change)
    model = a_model(arguments.pop("units", 16), arguments.pop("optimizer", "adam"))
    before = model.get_weights()
    with pytest.raises(ValueError, match=message):
        run(3, model=model, backup_dir=a_backup, **arguments)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.above_backends
def test_a_backup_of_another_loss_is_refused(a_backup):
    model = a_model()
    model.compile("adam", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=False))
    with pytest.raises(ValueError, match="from_logits"):
        run(3, model=model, backup_dir=a_backup)


@pytest.mark.above_backends
def test_a_directory_that_cannot_be_made_is_refused_before_the_race(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"backup_dir='.*backup': it cannot be made \(Not a directory\)\. Name a dir"):
        run(3, backup_dir=tmp_path / "file" / "backup", progress=pytest.fail)


@pytest.mark.above_backends
def test_a_directory_that_cannot_be_written_is_refused_before_the_race(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: (path, mode) != (tmp_path, os.W_OK))
    with pytest.raises(ValueError, match=r"it is there, but not for you to write into\. Name a directory"):
        run(3, backup_dir=tmp_path, progress=pytest.fail)


@pytest.mark.above_backends
def test_numbers_of_half_precision_are_kept_to_the_last_bit(tmp_path):
    kept = [keras.ops.cast(np.linspace(-3, 3, 7), dtype) for dtype in ("bfloat16", "float16", "float32")]
    write_checkpoint(tmp_path, Checkpoint({}, {"now": arrays_of(kept)}))
    found = read_checkpoint(tmp_path)
    for one, other in zip(kept, values_of(found.values["now"], kept), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(*(keras.ops.convert_to_numpy(keras.ops.cast(v, "float32")) for v in (one, other)))


@pytest.mark.parametrize("content", [b"something else", b""])
def test_a_file_that_is_no_backup_is_refused(tmp_path, content):
    (tmp_path / "training.npz").write_bytes(content)
    with pytest.raises(ValueError, match="is not a backup of keras_lr; delete it"):
        run(3, backup_dir=tmp_path)


@pytest.mark.above_backends
@pytest.mark.skipif(keras.backend.backend() == "torch", reason="PyTorch's loader takes no such number")
def test_a_batch_size_may_be_a_number_of_numpy(tmp_path):
    broken_off(tmp_path / "backup", 20, batch_size=np.int64(32))
    assert_same(unbroken(), run(99, backup_dir=tmp_path / "backup", batch_size=np.int64(32)))


def test_a_place_that_cannot_be_found_again_is_refused(tmp_path):
    with pytest.raises(ValueError, match="Leave steps_per_epoch out"):
        run(3, backup_dir=tmp_path, steps_per_epoch=5)


def test_tensorflow_draws_a_new_order_for_every_epoch(backend):
    if backend != "tensorflow":
        pytest.skip("the other backends draw one anyway")
    rows = np.arange(20, dtype="float32")[:, None]
    keras.utils.set_random_seed(5)  # with a seed Keras repeats one order in every epoch
    batches = TrainingData(rows, rows, batch_size=8).for_fit()["x"].get_tf_dataset()
    seen = [np.concatenate([x.numpy() for x, _ in batches]) for _ in range(2)]
    numpy = np.random.RandomState(5)
    np.testing.assert_array_equal(seen, [rows[numpy.permutation(20)] for _ in range(2)])
