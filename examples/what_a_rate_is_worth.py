"""How much does a wrong learning rate cost, and what comes out if none is given?

Run: KERAS_BACKEND=jax python examples/what_a_rate_is_worth.py
Writes what_a_rate_is_worth.png, the picture in the README.
"""

import dataclasses

import keras
import matplotlib.pyplot as plt
import numpy as np

import keras_lr
from keras_lr import demo

DEFAULT_RATES = {"Adam": 1e-3, "SGD": 1e-2}  # Keras' own


def trained(name: str, epochs: int, seeds: int) -> tuple[keras_lr.SweepResult, list[keras_lr.FitResult]]:
    """Train scikit-learn's digits at constant rates a factor of 3 apart, and without a rate."""

    def build() -> keras.Model:
        model = demo.digits_model()
        model.compile(optimizer=name, loss=model.loss, metrics=["accuracy"])
        return model

    task = dataclasses.replace(demo.task(epochs), build=build)
    rates = DEFAULT_RATES[name] * 10.0 ** np.arange(-2, 2.6, 0.5)
    sweep = keras_lr.sweep(task, rates, seeds=seeds, widen=False)
    fits = [keras_lr.fit(task.model(seed), **task.fit_arguments(), verbose=0) for seed in range(seeds)]
    return sweep, fits


def main(epochs: int = 10, seeds: int = 3) -> dict[str, tuple[keras_lr.SweepResult, list[keras_lr.FitResult]]]:
    found = {name: trained(name, epochs, seeds) for name in DEFAULT_RATES}
    figure, axes = plt.subplots(1, len(found), figsize=(9, 3.6), sharey=True, layout="constrained")
    for ax, (name, (sweep, fits)) in zip(axes, found.items(), strict=True):
        ax.loglog(sweep.rates, np.median(sweep.values, axis=1), color="#0072b2", label="model.fit, constant rate")
        ax.loglog(np.repeat(sweep.rates, seeds), sweep.values.ravel(), ".", color="#0072b2", alpha=0.5)
        ax.axvline(DEFAULT_RATES[name], color="0.35", linestyle="--", linewidth=1, label="Keras' default rate")
        ends = [fit.history["val_loss"][-1] for fit in fits]
        peaks = [fit.learning_rate for fit in fits]
        ax.loglog(peaks, ends, "o", color="#d55e00", label="keras_lr.fit, no rate given (at the peak it found)")
        ax.set(title=name, xlabel="learning rate")
        ax.grid(alpha=0.25)
        print(f"{name}: keras_lr.fit ends at {np.median(ends):.3f}; constant rates at")
        print(*(f"  {r:.2g}: {v:.3f}" for r, v in zip(sweep.rates, np.median(sweep.values, axis=1), strict=True)))
    axes[0].set_ylabel(f"held-out loss after {epochs} epochs")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False)
    figure.savefig("what_a_rate_is_worth.png", dpi=110)
    return found


if __name__ == "__main__":
    main()
