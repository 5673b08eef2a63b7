"""Draws the pictures of the pages in docs/; KERAS_BACKEND=torch python scripts/pictures.py [fit schedules ...].

They show the problem with which every page begins, scikit-learn's digits. `examples/what_a_rate_is_worth.py` draws the
picture of the README.
"""

import re
import sys
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

import keras_lr
from keras_lr import line_search, optimizers, schedules

DOCS = Path(__file__).parents[1] / "docs"
FOLDER = DOCS / "pictures"
FIRST_BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
EPOCHS, BATCH_SIZE = 10, 32
STEPS = EPOCHS * 41

PROBLEM: dict = {}
exec(FIRST_BLOCK.search((DOCS / "index.md").read_text(encoding="utf-8"))[1], PROBLEM)
DATA = {"x": PROBLEM["x"], "y": PROBLEM["y"], "batch_size": BATCH_SIZE}

GALLERY = {
    "WSD": schedules.WSD(1.0, 1000, warmup_steps=50),
    "OneCycle": schedules.OneCycle(1.0, 1000),
    "Cosine, warmed up": schedules.Cosine(1.0, 1000).warmed_up(100),
    "CosineRestarts": schedules.CosineRestarts(1.0, 140, cycle_multiplier=2.0),
    "Linear": schedules.Linear(1.0, 1000),
    "Polynomial": schedules.Polynomial(1.0, 1000, power=2.0),
    "Exponential": schedules.Exponential(1.0, 0.004),
    "TimeBased": schedules.TimeBased(1.0, 1e-4),
    "InverseTime": schedules.InverseTime(1.0, 0.01),
    "InverseSquareRoot": schedules.InverseSquareRoot(1.0, 100),
    "StepBased": schedules.StepBased(1.0, 0.5, 200),
    "MultiStep": schedules.MultiStep(1.0, [300, 600, 800], 0.3),
    "Triangular": schedules.Triangular(0.1, 1.0, 125),
    "Triangular2": schedules.Triangular2(0.1, 1.0, 125),
    "ExpRange": schedules.ExpRange(0.1, 1.0, 125, 0.997),
    "SlantedTriangular": schedules.SlantedTriangular(1.0, 1000),
    "FlatCosine": schedules.FlatCosine(1.0, 1000),
    "WSDS": schedules.WSDS(1.0, 333, decay_steps=60, warmup_steps=50),
    "REX": schedules.REX(1.0, 1000),
    "KDecay": schedules.KDecay(1.0, 1000, k=3.0),
}


def new_model(optimizer: keras.optimizers.Optimizer | None = None) -> keras.Model:
    keras.utils.set_random_seed(0)
    model = PROBLEM["build_model"]()
    if optimizer is not None:
        model.compile(optimizer, loss=model.loss)
        keras_lr.attach(model)
    return model


def recorded(optimizer: keras.optimizers.Optimizer) -> tuple[list[float], list[float]]:
    """Train with an optimizer; return its rate at each step and the loss of each epoch."""
    rates: list[float] = []
    note = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: rates.append(float(optimizer.learning_rate))
    )
    history = new_model(optimizer).fit(**DATA, epochs=EPOCHS, verbose=0, callbacks=[note])
    return rates, history.history["loss"]


def draw(result: keras_lr.report.Shown, charts: int) -> None:
    """Draw the charts of a result, two in a row."""
    columns = min(charts, 2)
    rows = charts // columns
    _, axes = plt.subplots(rows, columns, figsize=(5.2 * columns, 3.4 * rows), squeeze=False, layout="constrained")
    result.plot(axes.ravel())


def rates_and_losses(contenders: dict[str, keras.optimizers.Optimizer], quantity: str) -> None:
    """Draw what each optimizer chose at each step, and the loss that came of it."""
    _, (left, right) = plt.subplots(1, 2, figsize=(10.4, 3.4), layout="constrained")
    for name, optimizer in contenders.items():
        rates, losses = recorded(optimizer)
        left.semilogy(rates, label=name, linewidth=1)
        right.semilogy(range(1, EPOCHS + 1), losses, label=name)
    label(left, "step", quantity)
    label(right, "epoch", "training loss")
    right.legend(fontsize=8)


def label(ax: Axes, x: str, y: str) -> None:
    ax.set(xlabel=x, ylabel=y)
    ax.grid(alpha=0.25)


def fit() -> None:
    draw(keras_lr.fit(new_model(), **DATA, epochs=EPOCHS, validation_data=PROBLEM["held_out"], verbose=0), charts=4)


def range_test() -> None:
    draw(keras_lr.range_test(new_model(), **DATA), charts=1)


def diagnose() -> None:
    model = new_model()
    model.optimizer.learning_rate = 1e-4
    draw(keras_lr.diagnose(model, **DATA, epochs=EPOCHS), charts=2)


def sweep() -> None:
    task = keras_lr.Task(PROBLEM["build_model"], **DATA, epochs=EPOCHS, validation_data=PROBLEM["held_out"])
    draw(keras_lr.sweep(task), charts=2)


def optimizer_rates() -> None:
    names = ["Prodigy", "DAdaptAdam", "DoG", "DAdaptSGD"]
    found = {name: getattr(optimizers, name)() for name in names}
    rates_and_losses(found | {"Mechanic(Adam)": optimizers.Mechanic(keras.optimizers.Adam())}, "learning rate found")


def line_searches() -> None:
    searches = {name: getattr(line_search, name)() for name in ["PAL", "SLS", "PoNoS", "Polyak"]}
    rates_and_losses({name: optimizers.LineSearch(search) for name, search in searches.items()}, "alpha")


def first_steps() -> None:
    starts = [1e-8, 1e-4, 1.0, 1e4, 1e8]
    searches = {f"first trial {s:.0e}": optimizers.GradientOnly(initial_step=s, decay_steps=STEPS) for s in starts}
    rates_and_losses(searches, "step size")


def gallery() -> None:
    _, axes = plt.subplots(4, 5, figsize=(10.4, 6.4), sharex=True, sharey=True, layout="constrained")
    steps = np.arange(1001)
    for ax, (name, schedule) in zip(axes.ravel(), GALLERY.items(), strict=True):
        ax.plot(steps, schedule.values(steps))
        ax.set_title(name, fontsize=9)
        ax.grid(alpha=0.25)


PICTURES = {
    "fit": fit,
    "range_test": range_test,
    "diagnose": diagnose,
    "sweep": sweep,
    "schedules": gallery,
    "optimizers": optimizer_rates,
    "line_search": line_searches,
    "gradient_only": first_steps,
}


def main(names: list[str], folder: Path = FOLDER) -> None:
    for name in names or PICTURES:
        PICTURES[name]()
        plt.savefig(folder / f"{name}.png", dpi=90)
        plt.close("all")
        print(folder / f"{name}.png")


if __name__ == "__main__":
    main(sys.argv[1:])
