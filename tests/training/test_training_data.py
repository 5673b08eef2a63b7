"""Every kind of data that `fit` takes can be counted and tried without being used up."""

import threading
import warnings

import keras
import numpy as np
import pandas
import pytest
from keras import layers
from scipy import sparse

import keras_lr
from keras_lr.training._borrow import borrowed, prepare
from keras_lr.training._training_data import TrainingData

X = np.arange(80, dtype="float32").reshape(40, 2)
Y = np.arange(40, dtype="float32")[:, None]


def batches_of_eight():
    for start in range(0, 40, 8):
        yield X[start : start + 8], Y[start : start + 8]


class Pairs(keras.utils.PyDataset):
    def __len__(self):
        return 5

    def __getitem__(self, index):
        return X[8 * index : 8 * index + 8], Y[8 * index : 8 * index + 8]


def tensorflow_dataset(known_length: bool):
    tf = pytest.importorskip("tensorflow")
    data = tf.data.Dataset.from_tensor_slices((X, Y)).batch(8)
    return data if known_length else data.filter(lambda x, y: True)


def torch_loader():
    torch = pytest.importorskip("torch")
    pairs = torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y))
    return torch.utils.data.DataLoader(pairs, batch_size=8, shuffle=True)


def table():
    return pandas.DataFrame(X.astype("float64")), pandas.Series(Y[:, 0])


SOURCES = {
    "arrays": lambda: TrainingData(X, Y, batch_size=8),
    "tensors": lambda: TrainingData(keras.ops.convert_to_tensor(X), keras.ops.convert_to_tensor(Y), batch_size=8),
    "sparse matrix": lambda: TrainingData(sparse.csr_matrix(X), Y, batch_size=8),
    "DataFrame": lambda: TrainingData(*table(), batch_size=8),
    "generator": lambda: TrainingData(batches_of_eight(), steps_per_epoch=5),
    "PyDataset": lambda: TrainingData(Pairs()),
    "tf.data": lambda: TrainingData(tensorflow_dataset(True)),
    "tf.data of unknown length": lambda: TrainingData(tensorflow_dataset(False)),
    "DataLoader": lambda: TrainingData(torch_loader()),
}


@pytest.mark.parametrize("source", SOURCES)
def test_steps_are_counted_and_batches_are_drawn(source, backend):
    if (source == "DataLoader" and backend == "tensorflow") or (source.startswith("tf") and backend == "torch"):
        pytest.skip("torch and TensorFlow are not imported into one process here")
    data = SOURCES[source]()
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mse")
    assert data.steps_per_epoch == 5
    assert data.passes(20) == (1.0 if source == "generator" else 4.0)  # how long a generator goes on nobody knows
    prepare(model, data.example())
    with borrowed(model) as steps:
        batches = data.batches(steps, 3, seed=0)
        assert len(batches) == 3
        assert np.isfinite(float(steps.step(batches[0], 0.0)))


def test_a_generator_is_not_used_up():
    data = TrainingData(batches_of_eight(), steps_per_epoch=5)
    data.example()
    assert [float(y[0, 0]) for _, y in data.x] == [0.0, 8.0, 16.0, 24.0, 32.0]


@pytest.mark.parametrize("rare", [[3], [3, 17], []])
@pytest.mark.parametrize("kind", ["array", "DataFrame", "two outputs"])
def test_where_all_rows_that_were_drawn_have_one_target_another_takes_the_last_place(rare, kind):
    y = np.zeros((40, 1), dtype="float32")
    y[rare] = 1.0
    given = {"array": y, "DataFrame": pandas.DataFrame(y), "two outputs": [np.zeros_like(y), y]}[kind]
    data = TrainingData(X, given, batch_size=4)
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mse")
    prepare(model, (X, y))
    with borrowed(model) as steps:
        (batch,) = data.batches(steps, 1, seed=0)
    x, y, _ = (keras.tree.map_structure(keras.ops.convert_to_numpy, part) for part in (*batch, None)[:3])
    last = np.reshape(y[1] if kind == "two outputs" else y, (4,))
    np.testing.assert_array_equal(last, [0.0, 0.0, 0.0, bool(rare)])
    assert not rare or x[3, 0] / 2 in rare


def test_a_split_for_validation_is_never_tried():
    data = TrainingData(X, Y, batch_size=10, validation_split=0.5)
    assert data.steps_per_epoch == 2
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mse")
    prepare(model, data.example())
    with borrowed(model) as steps:
        seen = np.concatenate([np.asarray(keras.ops.convert_to_numpy(b[1])) for b in data.batches(steps, 2, seed=0)])
    assert seen.max() < 20


@pytest.mark.parametrize("together", [1, 3])
@pytest.mark.parametrize(("batch_size", "steps_per_epoch"), [(8, 2), (8, 4), (4, 7), (16, 9), (None, 4)])
def test_the_horizon_is_what_keras_runs_where_the_data_are_longer_or_shorter_than_an_epoch(
    batch_size, steps_per_epoch, together, backend
):
    if backend == "torch" and together > 1:
        pytest.skip("Keras refuses steps_per_execution above 1 on PyTorch")
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    model.compile("adam", "mse", steps_per_execution=together)
    given = {"batch_size": batch_size, "steps_per_epoch": steps_per_epoch}
    data = TrainingData(X, Y, **given, together=together)
    with warnings.catch_warnings(action="ignore"):  # Keras says that the data ran out
        model.fit(X, Y, **given, epochs=7, verbose=0)
        if together == 1:
            assert data.horizon(7) == int(model.optimizer.iterations)
        result = keras_lr.fit(model, X, Y, **given, epochs=7, verbose=0)
    assert result.steps == data.horizon(7)
    assert not any("the run ended after" in event.text for event in result.events)


@pytest.mark.parametrize("steps_per_epoch", [None, 2, 5])
def test_the_passes_of_a_run_are_those_through_the_data_whatever_an_epoch_is(steps_per_epoch):
    data = TrainingData(X, Y, batch_size=8, steps_per_epoch=steps_per_epoch)
    assert [data.passes(steps) for steps in (3, 5, 14)] == pytest.approx([1.0, 1.0, 2.8])


class ManyPairs(Pairs):
    """More than the queue of the workers holds."""

    def __len__(self):
        return 60

    def __getitem__(self, index):
        return super().__getitem__(index % 5)


def test_no_worker_of_a_data_set_lives_on():
    data = ManyPairs(workers=2)
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    keras_lr.race(model, data, epochs=2)
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("Worker")]
    assert data.workers == 2


def test_the_order_of_a_loader_with_a_generator_of_its_own_is_left_alone(backend):
    torch = pytest.importorskip("torch")
    if backend == "tensorflow":
        pytest.skip("torch and TensorFlow are not imported into one process here")
    pairs, own = torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y)), torch.Generator().manual_seed(1)
    sampler = torch.utils.data.WeightedRandomSampler(torch.ones(40), 40, generator=torch.Generator().manual_seed(2))
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    for loader in (
        torch.utils.data.DataLoader(pairs, batch_size=8, shuffle=True, generator=own),
        torch.utils.data.DataLoader(pairs, batch_size=8, sampler=sampler),
        torch.utils.data.DataLoader(pairs, batch_sampler=torch.utils.data.BatchSampler(sampler, 8, drop_last=False)),
    ):
        before = own.get_state(), sampler.generator.get_state()
        keras_lr.race(model, loader, epochs=2)
        for state, generator in zip(before, (own, sampler.generator), strict=True):
            assert torch.equal(state, generator.get_state())


@pytest.mark.parametrize("x", [batches_of_eight(), None], ids=["generator", "endless dataset"])
def test_data_without_an_end_asks_for_steps_per_epoch(x):
    class Endless(keras.utils.PyDataset):
        num_batches = None

        def __getitem__(self, index):
            return X[:8], Y[:8]

    with pytest.raises(ValueError, match=r"steps_per_epoch=\.\.\."):
        TrainingData(x if x is not None else Endless())


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="only TensorFlow trains on texts")
def test_texts_in_a_pipeline_are_tried():
    import tensorflow as tf

    words = np.array(["one two", "two three", "three four", "four one"])[np.arange(256) % 4]
    vocabulary = layers.TextVectorization(output_sequence_length=2)
    vocabulary.adapt(words)
    parts = [keras.Input((), dtype="string"), vocabulary, layers.Embedding(8, 3), layers.Flatten(), layers.Dense(1)]
    model = keras.Sequential(parts)
    model.compile("adam", "mse")
    lengths = np.char.str_len(words).astype("float32")
    result = keras_lr.fit(model, tf.data.Dataset.from_tensor_slices((words, lengths)).batch(32), epochs=8, verbose=0)
    assert result.history["loss"][-1] < result.history["loss"][0]


def test_a_last_batch_that_is_smaller_is_not_tried():
    class Cut(Pairs):
        def __len__(self):
            return 3

        def __getitem__(self, index):
            return tuple(part[8 * index : min(8 * index + 8, 20)] for part in (X, Y))

    model = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    data = TrainingData(Cut())
    prepare(model, data.example())
    with borrowed(model) as steps:
        assert [len(x) for x, _ in data.batches(steps, 3, seed=0)] == [8, 8]
