"""How often a training diverges at an optimizer's default rate, where batches are small and dropout is strong.

    KERAS_BACKEND=torch python benchmarks/small_batches.py [--tasks digits_2,...] [--optimizers AdaHessian,Adam]
        [--dropout 0.2,0.5] [--epochs 5] [--seeds 6]

The tasks of `small_tasks.py` that have hidden layers, with dropout behind each of them, in batches of 16. A training
has diverged when its loss on all rows, without dropout, is not finite or is more than twice that of the new network.
"""

import argparse
from collections.abc import Callable

import keras
from small_tasks import TASKS, SmallTask

from keras_lr import attach, optimizers

DEEP = {task.name: task for task in TASKS if task.name != "digits_linear"}
OPTIMIZERS: dict[str, Callable[[], keras.optimizers.Optimizer]] = {
    "AdaHessian": optimizers.AdaHessian,
    "Adam": keras.optimizers.Adam,
}


def losses(task: SmallTask, optimizer: str, dropout: float, seed: int, epochs: int) -> tuple[float, float]:
    """Return the loss before and after a training."""
    x, y = task.load()
    keras.utils.set_random_seed(seed)
    *hidden, last = task.build().layers
    parts = [part for layer in hidden for part in (layer, keras.layers.Dropout(dropout))]
    model = keras.Sequential([keras.Input(x.shape[1:]), *parts, last])
    model.compile(OPTIMIZERS[optimizer](), loss=task.loss())
    attach(model)
    before = model.evaluate(x, y, verbose=0)
    model.fit(x, y, batch_size=16, epochs=epochs, verbose=0)
    return float(before), float(model.evaluate(x, y, verbose=0))


def main() -> None:
    """Run what the command line asks for; print the trainings that diverge, and how many do."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", default=",".join(DEEP))
    parser.add_argument("--optimizers", default=",".join(OPTIMIZERS))
    parser.add_argument("--dropout", default="0.2,0.5")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=6)
    arguments = parser.parse_args()
    for optimizer in arguments.optimizers.split(","):
        run = diverged = 0
        for name in arguments.tasks.split(","):
            for dropout in arguments.dropout.split(","):
                for seed in range(arguments.seeds):
                    before, after = losses(DEEP[name], optimizer, float(dropout), seed, arguments.epochs)
                    run += 1
                    if not after <= 2 * before:
                        diverged += 1
                        print(
                            f"{optimizer} {name} dropout {dropout} seed {seed}: {before:.3g} -> {after:.3g}", flush=True
                        )
                keras.backend.clear_session()
        print(f"{optimizer}: {diverged} of {run} trainings diverged", flush=True)


if __name__ == "__main__":
    main()
