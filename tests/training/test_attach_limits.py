"""What an attached model refuses, and that it says why; what it saves, and that training goes on from there."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_lr._backends import attached_step
from keras_lr.line_search import PAL, Backtracking
from keras_lr.optimizers import LineSearch
from keras_lr.training import attach

rng = np.random.default_rng(0)
X = rng.normal(size=(64, 6)).astype("float32")
Y = (X[:, :1] * 2 + np.sin(X[:, 1:2])).astype("float32")


def network(optimizer=None):
    """Dense layers with a regularizer, running means and a dropout that has a seed."""
    keras.utils.set_random_seed(3)
    parts = [layers.Dense(8, activation="tanh", kernel_regularizer="l2"), layers.BatchNormalization()]
    model = keras.Sequential([keras.Input((6,)), *parts, layers.Dropout(0.3, seed=5), layers.Dense(1)])
    if optimizer is not None:
        model.compile(optimizer, loss="mse", metrics=["mae"])
    return model


def fit(model, **arguments):
    return model.fit(X, Y, batch_size=16, shuffle=False, verbose=0, **arguments).history


class OwnStep(keras.Model):
    """A model with its own step."""

    def train_step(self, *arguments):
        return super().train_step(*arguments)


class Asking(keras.optimizers.SGD):
    """An optimizer that would ask for the batch."""

    needs_batch = True


def test_refusals_say_why_and_what_to_do():
    with pytest.raises(TypeError, match=r"keras\.Model"):
        attach("model")
    with pytest.raises(ValueError, match=r"model\.compile"):
        attach(network())
    own = OwnStep()
    own.compile(LineSearch(), loss="mse")
    with pytest.raises(ValueError, match="compute_loss"):
        attach(own)
    accumulating = network(Asking(0.1, gradient_accumulation_steps=2))
    with pytest.raises(ValueError, match=r"^Asking takes no gradient_accumulation_steps, .*=2\. Use larger"):
        attach(accumulating)
    overwriting = network(Asking(0.1, use_ema=True, ema_overwrite_frequency=3))
    with pytest.raises(ValueError, match=r"^Asking takes no ema_overwrite_frequency, .*=3\. With use_ema"):
        attach(overwriting)


def test_not_attached_fit_says_so_before_it_touches_the_weights():
    model = network(LineSearch(PAL()))
    with pytest.raises(ValueError, match=r"keras_lr\.attach\(model\)"):
        fit(model)
    assert all(np.isfinite(w).all() for w in model.get_weights())


def spread_over_two(patch, model):
    """Make the backend believe that the training is spread over two processes, or is not Keras' own."""
    match keras.backend.backend():
        case "jax":
            patch.setattr(attached_step.backend, "is_nnx_enabled", lambda: True)
            return "KERAS_NNX_ENABLED"
        case "tensorflow":
            from types import SimpleNamespace

            two = SimpleNamespace(num_replicas_in_sync=2)
            patch.setattr(type(model), "distribute_strategy", property(lambda self: two))
            return "2 replicas"
        case _:
            import torch

            patch.setattr(torch.distributed, "is_available", lambda: True)
            patch.setattr(torch.distributed, "is_initialized", lambda: True, raising=False)
            return "process group"


def test_a_batch_that_is_spread_is_refused_and_only_where_it_is_asked_for(monkeypatch):
    asking, plain = network(LineSearch(PAL())), network("sgd")
    reason = spread_over_two(monkeypatch, asking)
    with pytest.raises(ValueError, match=reason):
        attach(asking)
    attach(plain)


@pytest.mark.parametrize(
    ("search", "direction"),
    [(PAL(), None), (Backtracking(), keras.optimizers.Adam(0.01))],
    ids=["PAL", "Armijo with Adam"],
)
def test_saved_in_mid_training_it_goes_on_bit_for_bit(search, direction, tmp_path):
    """With BatchNorm, metrics and dropout, whose seeds Keras does not save: they are carried over here."""

    def fresh():
        which = None if direction is None else type(direction).from_config(direction.get_config())
        return attach(network(LineSearch(search, which)))

    whole, half = fresh(), fresh()
    fit(whole, epochs=2), fit(half, epochs=2)
    half.save(tmp_path / "half.keras")
    again = attach(keras.saving.load_model(tmp_path / "half.keras"))
    for saved, loaded in zip(half.non_trainable_variables, again.non_trainable_variables, strict=True):
        loaded.assign(ops.copy(saved.value))
    assert fit(again, epochs=2) == fit(whole, epochs=2)
    for a, b in zip(whole.variables, again.variables, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(a), ops.convert_to_numpy(b))


def test_a_loaded_model_that_nobody_attached_is_to_be_loaded_again(tmp_path):
    model = attach(network(LineSearch(PAL())))
    fit(model)
    model.save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match=r"keras_lr\.attach\(model\).*On JAX build or load the model again"):
        fit(keras.saving.load_model(tmp_path / "model.keras"))


def test_callbacks_see_numbers_at_every_step_and_validation_the_weights_that_the_search_left():
    model, seen = attach(network(LineSearch(PAL()))), []
    watch = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(logs))
    history = fit(model, epochs=3, validation_data=(X, Y), callbacks=[watch])
    assert len(seen) == 12
    assert all(type(logs[name]) is float for logs in seen for name in ("alpha", "evaluations", "search_status"))
    assert len({logs["alpha"] for logs in seen}) == 12
    assert [logs["alpha"] for logs in seen[3::4]] == history["alpha"]
    assert history["val_loss"][-1] == pytest.approx(model.evaluate(X, Y, verbose=0)[0], rel=1e-6)
