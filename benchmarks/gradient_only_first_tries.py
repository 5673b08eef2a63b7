"""What a first try gives: GradientOnly() as it is beside Keras' SGD and Adam at their default rates.

    KERAS_BACKEND=jax python benchmarks/gradient_only_first_tries.py [--tasks moons,...] [--epochs 10] [--seeds 3]

Dense nets on small data, all of `TASKS` where none are named: the mean over seeds of the loss on all training rows
after so many epochs in batches of 32, weights at rest. The workloads of `other_workloads.py` and `unseen_workloads.py`
may be named too: for those it is the validation loss after the steps of the workload. The last columns are the search
with a horizon, and both with a cap of length 5.
"""

import argparse

import keras
import numpy as np
from other_workloads import OTHER_WORKLOADS
from small_tasks import TASKS as SMALL_TASKS
from small_tasks import SmallTask, cancer, diabetes, digits, network
from unseen_workloads import UNSEEN_WORKLOADS
from workload import Data, Feed, Workload, binary_loss, classes_loss, evaluate

from keras_lr.optimizers import GradientOnly

MSE = keras.losses.MeanSquaredError
BATCH_SIZE = 32


def regression():
    """A linear function without noise."""
    random = np.random.default_rng(0)
    x = random.normal(size=(2000, 10)).astype("float32")
    return x, (x @ random.normal(size=(10, 1))).astype("float32")


def diabetes_as_it_comes():
    x, y = diabetes()
    return x, 50 * y


def from_zero():
    zeros = keras.layers.Dense(10, kernel_initializer="zeros")
    return keras.Sequential([keras.Input((64,)), zeros])


TASKS = {
    task.name: task
    for task in (
        SmallTask("regression", regression, network(10, [32], 1), MSE),
        SmallTask("regression_3", regression, network(10, [64, 64], 1), MSE),
        SmallTask("regression_linear", regression, network(10, [], 1), MSE),
        SmallTask("digits_3", digits, network(64, [64, 32], 10), classes_loss),
        SmallTask("digits_wide", digits, network(64, [512], 10), classes_loss),
        SmallTask("digits_from_zero", digits, from_zero, classes_loss),
        SmallTask("cancer_3", cancer, network(30, [32, 16], 1), binary_loss),
        SmallTask("diabetes_as_it_comes", diabetes_as_it_comes, network(10, [32], 1), MSE),
        *SMALL_TASKS,
    )
}
WORKLOADS = OTHER_WORKLOADS | UNSEEN_WORKLOADS


def workload(name, epochs):
    """The workload of a name; of a small task the training rows are the validation rows too."""
    if name in WORKLOADS:
        return WORKLOADS[name]
    task = TASKS[name]
    x, y = task.load()
    return Workload(name, lambda: Data(x, y, x, y), task.build, BATCH_SIZE, epochs * (len(y) // BATCH_SIZE), task.loss)


def contenders(steps, ratio):
    return {
        "GradientOnly()": GradientOnly(max_update_ratio=ratio),
        "SGD": keras.optimizers.SGD(),
        "Adam": keras.optimizers.Adam(),
        "with a horizon": GradientOnly(max_update_ratio=ratio, decay_steps=steps),
        "cap of 5": GradientOnly(max_update_norm=5.0),
        "with a horizon, cap of 5": GradientOnly(max_update_norm=5.0, decay_steps=steps),
    }


def final_losses(workload, optimizer, seeds):
    """The losses of runs from fresh weights and a fresh optimizer; one compiled model serves all."""
    data, model = workload.load(), workload.build()
    model.compile(optimizer, loss=workload.loss())
    optimizer.build(model.trainable_variables)
    fresh = [keras.ops.convert_to_numpy(v) for v in optimizer.variables]
    for seed in range(seeds):
        keras.utils.set_random_seed(seed)
        model.set_weights(workload.build().get_weights())
        for variable, value in zip(optimizer.variables, fresh, strict=True):
            variable.assign(value)
        model.fit(Feed(data, workload.batch_size, workload.steps, seed), shuffle=False, verbose=0)
        yield evaluate(model, workload, data)[0]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--ratio", type=float, help="that of the default")
    arguments = parser.parse_args()
    print("| task |", " | ".join(contenders(1, arguments.ratio)), "|", flush=True)
    for name in arguments.tasks.split(","):
        task = workload(name, arguments.epochs)
        entrants = contenders(task.steps, arguments.ratio).values()
        means = [np.mean(list(final_losses(task, optimizer, arguments.seeds))) for optimizer in entrants]
        print(f"| {name} |", " | ".join(f"{mean:.3g}" for mean in means), "|", flush=True)
