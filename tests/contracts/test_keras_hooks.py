"""The private names of Keras that we lean on, each with the file to change when one goes."""

import keras
import numpy as np
import pytest
from keras.src.trainers.data_adapters import array_slicing, get_data_adapter
from keras.src.trainers.epoch_iterator import EpochIterator


def compiled():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(optimizer="adam", loss="mse")
    return model


@pytest.mark.parametrize(
    ("owner", "name", "used_in"),
    [
        (keras.Model, "_symbolic_build", "training/_borrow.py"),
        (keras.Model, "make_train_function", "_backends/*/steps.py"),
        (keras.Model, "_assert_compile_called", "training/_between_steps.py"),
        (keras.optimizers.Optimizer, "_untrack_variable", "training/_borrow.py"),
        (keras.optimizers.Optimizer, "_backend_update_step", "optimizers/_global.py"),
        (EpochIterator, "_get_iterator", "_backends/*/steps.py"),
        (array_slicing, "train_validation_split", "training/_training_data.py"),
        (array_slicing, "convert_to_sliceable", "training/_training_data.py"),
    ],
)
def test_a_private_name_is_still_there(owner, name, used_in):
    assert hasattr(owner, name), f"Keras no longer has {owner.__name__}.{name}: change {used_in}"


def test_the_rate_is_the_second_variable_of_an_optimizer():
    optimizer = keras.optimizers.Adam(0.25)
    assert optimizer._learning_rate is optimizer.variables[1], "change training/_borrow.py:_put_variable"


def test_the_trainer_reads_its_step_anew_every_time():
    model, calls = compiled(), []

    class Swap(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            original = self.model.train_function

            def counted(*arguments):
                calls.append(1)
                return original(*arguments)

            self.model.train_function = counted

    model.fit(np.ones((8, 2)), np.ones((8, 1)), batch_size=2, verbose=0, callbacks=[Swap()])
    assert len(calls) == 4, "fit no longer looks model.train_function up at every step: change _backends/*/steps.py"


def test_arrays_have_an_adapter_that_knows_its_length():
    assert get_data_adapter(x=np.ones((10, 2)), batch_size=4).num_batches == 3
