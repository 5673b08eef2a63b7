"""The published small comparison: Wisconsin breast cancer, one hidden layer of 32, 3,000 evaluations.

    KERAS_BACKEND=jax python benchmarks/breast_cancer_line_searches.py

GOLS-I, the probabilistic line search and a grid of SGD at batches of 10, 50 and 400: 400 training rows, 169 test rows,
binary cross-entropy of a sigmoid net, as in Kafka and Wilke, arXiv:1903.09383. Batches are drawn without replacement,
each independently of the others. Prints the final training and test loss, the mean over seeds.
"""

import argparse

import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_breast_cancer

import keras_lr
from keras_lr.line_search import Inexact
from keras_lr.optimizers import AdagradDirection, GradientOnly, ProbabilisticLineSearch, SteepestDescent

EVALUATIONS = 3000
RATES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
SEARCHES = {
    "GOLS-I": lambda: GradientOnly(Inexact(), SteepestDescent(), max_update_norm=1.0, initial_step=1e-8),
    "GOLS-I along Adagrad": lambda: GradientOnly(
        Inexact(overshoot=3.0), AdagradDirection(), max_update_norm=3.0, decay_steps=EVALUATIONS
    ),
    "the defaults": GradientOnly,
    "the defaults, decayed": lambda: GradientOnly(decay_steps=EVALUATIONS),
    "PLS": ProbabilisticLineSearch,
}


def data():
    x, y = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    x, y = x[order].astype("float32"), y[order].astype("float32")[:, None]
    x = (x - x[:400].mean(0)) / x[:400].std(0)
    return x[:400], y[:400], x[400:], y[400:]


def net():
    normal = keras.initializers.RandomNormal(stddev=1.0)
    hidden = layers.Dense(32, "sigmoid", kernel_initializer=normal, bias_initializer=normal)
    return keras.Sequential([keras.Input((30,)), hidden, layers.Dense(1, kernel_initializer=normal)])


class Draws(keras.utils.PyDataset):
    """Batches drawn one by one, without replacement inside each."""

    def __init__(self, x, y, batch_size, number, seed):
        super().__init__()
        random = np.random.default_rng(seed)
        self.rows = [random.choice(len(x), batch_size, replace=False) for _ in range(number)]
        self.x, self.y = x, y

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        return self.x[self.rows[index]], self.y[self.rows[index]]


class Trainer:
    """One compiled model for one method; every run begins with fresh weights and a fresh optimizer."""

    def __init__(self, optimizer):
        self.model = net()
        self.model.compile(optimizer, loss=keras.losses.BinaryCrossentropy(from_logits=True))
        if isinstance(optimizer, ProbabilisticLineSearch):
            keras_lr.attach(self.model)
        optimizer.build(self.model.trainable_variables)
        self.fresh = [keras.ops.convert_to_numpy(v) for v in optimizer.variables]

    def run(self, batch_size, evaluations, seed, rate=None):
        """Return training loss, test loss and accepted steps."""
        x, y, x_test, y_test = data()
        keras.utils.set_random_seed(seed)
        self.model.set_weights(net().get_weights())
        optimizer = self.model.optimizer
        for variable, value in zip(optimizer.variables, self.fresh, strict=True):
            variable.assign(value)
        if rate is not None:
            optimizer.learning_rate = rate
        self.model.fit(Draws(x, y, batch_size, evaluations, seed), verbose=0, shuffle=False)
        losses = [self.model.evaluate(*part, batch_size=400, verbose=0) for part in ((x, y), (x_test, y_test))]
        return *losses, getattr(optimizer, "accepts", evaluations)


def compare(batches, evaluations, seeds):
    """Yield batch size, method, and the means over seeds."""
    searches = {name: Trainer(make()) for name, make in SEARCHES.items()}
    plain = Trainer(keras.optimizers.SGD())
    methods = {name: (trainer, None) for name, trainer in searches.items()}
    methods |= {f"SGD {rate:g}": (plain, rate) for rate in RATES}
    for batch_size in batches:
        for name, (trainer, rate) in methods.items():
            runs = [trainer.run(batch_size, evaluations, seed, rate) for seed in range(seeds)]
            yield batch_size, name, *np.mean(runs, 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--batches", type=int, nargs="*", default=[10, 50, 400])
    parser.add_argument("--evaluations", type=int, default=EVALUATIONS)
    arguments = parser.parse_args()
    table = compare(arguments.batches, arguments.evaluations, arguments.seeds)
    for batch_size, name, train, test, accepts in table:
        print(f"batch {batch_size:3} {name:16} train {train:.4f} test {test:.4f} accepts {accepts:.0f}", flush=True)
