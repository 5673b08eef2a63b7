"""What the shared base takes from Keras, and what it does for gradients that are not one dense tensor here."""

import inspect

import keras
import numpy as np
import pytest
from oracles.two_replicas import run_on_two_replicas

from keras_lr.optimizers import DoG, GradientOnly, HypergradientSGD, LineSearch, Mechanic, PerLayer, Prodigy, Scheduled

BACKEND = keras.backend.backend()


def test_the_hooks_of_keras_are_where_they_were():
    """Private names that ``optimizers/_global.py`` stands on. If this fails, that file is the one to change."""
    base = keras.optimizers.Optimizer
    hook = inspect.signature(base._backend_update_step)
    assert list(hook.parameters) == ["self", "grads", "trainable_variables", "learning_rate"]
    assert list(inspect.signature(base._apply_weight_decay).parameters)[1:] == ["variables"]
    for name in ("_get_variable_index", "_get_current_learning_rate", "_use_weight_decay", "_track_variable"):
        assert callable(getattr(base, name))
    if BACKEND == "tensorflow":
        assert list(inspect.signature(base._all_reduce_sum_gradients).parameters) == ["self", "grads_and_vars"]
        assert keras.optimizers.SGD()._distribution_strategy.num_replicas_in_sync == 1


@pytest.mark.parametrize("policy", ["float32", "bfloat16", "mixed_float16"])
def test_trains_embeddings_in_every_precision(policy):
    random = np.random.RandomState(0)
    x = random.randint(0, 50, (128, 6))
    layers = [keras.layers.Embedding(50, 4, dtype=policy), keras.layers.Flatten(), keras.layers.Dense(1, dtype=policy)]
    model = keras.Sequential([keras.Input((6,), dtype="int32"), *layers])
    optimizer = DoG(relative_start=1e-2)
    scaled = keras.optimizers.LossScaleOptimizer(optimizer) if policy == "mixed_float16" else optimizer
    model.compile(scaled, loss="mse")
    losses = model.fit(x, x[:, :1] / 10, epochs=6, batch_size=32, verbose=0).history["loss"]
    assert float(losses[-1]) < 0.6 * float(losses[0])
    assert optimizer.compute_dtype == "float32"


@pytest.mark.skipif(BACKEND != "tensorflow", reason="gradients of embeddings are dense elsewhere")
@pytest.mark.parametrize(
    "argument", [{"clipnorm": 0.5}, {"global_clipnorm": 0.5}, {"clipvalue": 0.5}, {"loss_scale_factor": 8.0}]
)
def test_rows_that_occur_twice_are_added_before_anything_else(argument):
    import tensorflow as tf

    rows, places = tf.constant([[0.3], [-0.1], [0.4]]), tf.constant([1, 0, 1])
    ends = []
    for gradient in (tf.IndexedSlices(rows, places, tf.constant([3, 1])), tf.constant([[-0.1], [0.7], [0.0]])):
        table = keras.Variable(np.ones((3, 1), "float32"))
        HypergradientSGD(initial_rate=0.1, **argument).apply([gradient], [table])
        ends.append(keras.ops.convert_to_numpy(table))
    np.testing.assert_allclose(*ends, rtol=1e-6)


def test_a_search_trains_embeddings_under_loss_scaling():
    x = np.random.RandomState(0).randint(0, 50, (128, 6))
    layers = [keras.layers.Embedding(50, 4), keras.layers.Flatten(), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((6,), dtype="int32"), *layers])
    model.compile(keras.optimizers.LossScaleOptimizer(GradientOnly()), loss="mse")  # its rows are of unknown shape
    losses = model.fit(x, x[:, :1] / 10, epochs=3, batch_size=32, verbose=0).history["loss"]
    assert float(losses[-1]) < float(losses[0])


REPLICAS = """
    import contextlib
    import numpy as np
    import keras
    from keras_lr.callbacks import AveragedWeights
    from keras_lr.optimizers import DoG, Prodigy, ScheduleFreeAdamW

    x = np.random.RandomState(0).randn(128, 10).astype("float32")

    def trained(make, split):
        keras.utils.set_random_seed(0)
        with scope() if split else contextlib.nullcontext():
            model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(1)])
            model.compile(make(), loss="mse")
            history = model.fit(
                x, x[:, :1], validation_data=(x, x[:, :1]), batch_size=32, epochs=2, shuffle=False, verbose=0,
                callbacks=[AveragedWeights()],
            ).history
        return [*model.get_weights(), history["loss"], history["val_loss"]]

    for make in (
        lambda: Prodigy(initial_estimate=1e-2, weight_decay=0.01, global_clipnorm=0.5),
        lambda: DoG(relative_start=1e-2),
        lambda: ScheduleFreeAdamW(0.05, clipnorm=0.5),
    ):
        for one, two in zip(trained(make, False), trained(make, True), strict=True):
            np.testing.assert_allclose(two, one, rtol=1e-4, atol=1e-6, err_msg=type(make()).__name__)
"""


@pytest.mark.skipif(BACKEND == "torch", reason="Keras distributes nothing over PyTorch")
def test_replicas_agree_with_one_device():
    run_on_two_replicas(REPLICAS)


def test_plateaus_and_schedules_see_the_effective_rate():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(Prodigy(initial_estimate=1e-2), loss="mse")
    x = np.random.RandomState(0).randn(32, 3).astype("float32")
    plateau = keras.callbacks.ReduceLROnPlateau(monitor="loss", factor=0.5, patience=0, min_delta=1e9)
    history = model.fit(x, x[:, :1], epochs=3, verbose=0, callbacks=[plateau]).history
    rates = [float(rate) for rate in history["learning_rate"]]
    assert 0.0 < rates[0] < 0.5
    # Two falls by half are written to the multiplier, while the estimate goes on as it likes.
    assert float(model.optimizer._learning_rate) == pytest.approx(0.25, rel=1e-5)


def test_weights_may_not_be_moved_behind_the_method():
    with pytest.raises(ValueError, match=r"^Prodigy takes no ema_overwrite_frequency, .*=3. With use_ema=True alone"):
        Prodigy(use_ema=True, ema_overwrite_frequency=3)


def test_the_average_is_not_averaged_again():
    with pytest.raises(ValueError, match=r"^DoG takes no use_ema, .*own average.* use_ema=True. Leave"):
        DoG(use_ema=True)


@pytest.mark.parametrize("around", [lambda o: PerLayer(o, {".*": 1.0}), lambda o: Scheduled(o, momentum=lambda t: 0.9)])
def test_mechanic_goes_around_wrappers(around):
    ends = []
    for wrap in (lambda o: o, around):
        table = keras.Variable(np.ones((3, 1), "float32"), name="table")
        optimizer = Mechanic(wrap(keras.optimizers.SGD(1.0, momentum=0.9)), initial_scale=1e-2)
        for _ in range(3):
            optimizer.apply([keras.ops.ones((3, 1))], [table])
        ends.append(keras.ops.convert_to_numpy(table))
    np.testing.assert_array_equal(*ends)
    assert ends[0][0, 0] < 1.0


@pytest.mark.parametrize("around", [Mechanic, lambda o: LineSearch(direction=o)])
def test_what_finds_its_own_steps_proposes_none(around):
    with pytest.raises(TypeError, match="DoG has to find the weights"):
        around(DoG())
    with pytest.raises(TypeError, match="Prodigy has to find the weights"):
        around(PerLayer(Prodigy(), {".*": 1.0}))
    with pytest.raises(TypeError, match="ScheduleFreeAdamW has to find the weights"):
        around(keras.optimizers.ScheduleFreeAdamW())
    with pytest.raises(TypeError, match="Ftrl has to find the weights"):
        around(PerLayer(keras.optimizers.Ftrl(), {".*": 1.0}))
    with pytest.raises(TypeError, match="goes inside a LossScaleOptimizer"):
        around(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD()))
    with pytest.raises(ValueError, match=r"takes no .*gradient_accumulation_steps=2.* instead"):
        around(PerLayer(keras.optimizers.SGD(gradient_accumulation_steps=2), {".*": 1.0}))
