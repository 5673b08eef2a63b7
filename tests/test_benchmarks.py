"""Every benchmark runs in its smallest form; its figures are for people, not for tests."""

import os
import runpy
import sys
from pathlib import Path

import pytest

from keras_lr.finder._own_rule import FULL_LENGTH

REPOSITORY = Path(__file__).parents[1]
DATA = Path(os.environ.get("KERAS_LR_DATA", REPOSITORY.parent / "shared" / "data"))

ON_WORKLOADS = {
    "fit_against_tuned": "--smoke --workloads co2_deep_linear,co2_forecast",
    "tuned_runs": "--smoke --workloads co2_forecast --output {folder}/runs.csv",
    "fit_cost": "--workloads co2_deep_linear --rounds 1",
    "rates_on_backends": "--workloads co2_deep_linear --output {folder}/rates.csv",
    "optimizers_on_workloads": "--workloads co2_deep_linear --only DoG --seeds 1 --output {folder}/runs.csv",
    "line_searches_on_workloads": "--workloads co2_deep_linear --searches PAL --starts 1 --output {folder}/runs.csv",
    "gradient_only_on_workloads": "starts --workloads co2_deep_linear",
    "words": "--tasks pooled --epochs 1 --rows 640 --seeds 1 --output {folder}/runs.csv",
}
WITHOUT_A_FILE = {
    "breast_cancer_line_searches": "--batches 50 --seeds 1 --evaluations 20",
    "gradient_only_first_tries": "--tasks digits_from_zero --epochs 1 --seeds 1",
    "sweep_digits": "1",
    "dead_networks": "--smoke --tasks sine_and_product",
    "unscaled_targets": "--smoke --tasks diabetes",
    "small_batches": "--tasks wine --dropout 0.5 --epochs 1 --seeds 1",
    "short_runs": "--tasks digits_mlp --optimizers momentum --steps 20 --seeds 1 --output {folder}/runs.csv",
    "many_epochs": "--tasks iris --optimizers adam --epochs 1 --seeds 1 --output {folder}/runs.csv",
    "range_test_fit": "",
    "range_test_study": "",
    "diagnose_on_tasks": "",
    "diagnose_over_epochs": "--tasks iris --optimizers adam --epochs 2 --output {folder}/cases.csv",
    "schedule_cost": "--width 8 --steps 2 --rounds 1",
    "optimizer_cost": "--models deep --rounds 1 --only Prodigy",
    "line_search_cost": "--models small --rounds 1 --steps 2",
    "gradient_only_cost": "--models small --rounds 1 --steps 2",
    "range_test_cost": "--rounds 1 --steps 4",
    "monitor_cost": "--rounds 1 --steps 10",
}

PRINTED = {
    "fit_against_tuned": ("co2_deep_linear  ", "mean gap", "steps to 95% of the way", "rmsprop, jax\nworkload"),
    "tuned_runs": ("co2_forecast rmsprop constant 3.16228e-05 0 ", "co2_forecast adam cosine "),
    "fit_cost": ("co2_deep_linear  ", "ratio of time"),
    "rates_on_backends": ("sgd co2_deep_linear", "within one rung (3.16): adam: 1 of 1; sgd: 1 of 1"),
    "optimizers_on_workloads": ("co2_deep_linear", "DoG"),
    "line_searches_on_workloads": ("co2_deep_linear", "PAL"),
    "gradient_only_on_workloads": ("co2_deep_linear", "Inexact(overshoot=3.0", "AtTheCap()"),
    "words": ("pooled, adam, 640 x 1, 0 ", "our loss over that of the best: mean "),
    "gradient_only_first_tries": ("| GradientOnly() | SGD |", "| digits_from_zero |"),
    "short_runs": ("digits_mlp momentum 20 steps, seed 0", "20, momentum  ", "all  "),
    "many_epochs": ("task='iris', optimizer='adam', epochs=1, seed=0", "iris  ", "all   "),
    "breast_cancer_line_searches": ("batch  50 GOLS-I ", "the defaults, decayed", "PLS", "SGD 0.1"),
    "dead_networks": ("3 pairs of runs", "without  mean loss"),
    "unscaled_targets": ("diabetes   momentum     0  ", "without  geometric mean", "with     geometric mean"),
    "small_batches": ("AdaHessian: 0 of 1 trainings diverged", "Adam: 0 of 1 trainings"),
    "sweep_digits": ("best learning rate", "the same to the last bit: True"),
    "range_test_fit": (
        "### Cross-fitted on all",
        "| unseen workloads | schedule |",
        "Kind(name='Adam', share=0.5",
        repr(FULL_LENGTH),
    ),
    "range_test_study": (
        "### Unseen workloads, constant: 36 cases",
        "| keras-lr | 0 | +0.06 |",
        "### Workloads, schedule",
    ),
    "diagnose_over_epochs": ("task='iris', optimizer='adam', use='peak', epochs=2", "few rows  constant"),
    "diagnose_on_tasks": ("| constant | diagnose |", "### Trainings under way", "runs said to be too low"),
    "schedule_cost": ("OneCycle  ", "x constant rate"),
    "optimizer_cost": ("| deep | Prodigy |", "| deep | Adam | 1.00 |"),
    "line_search_cost": ("| SGD | 1.00 |", "PAL", "Polyak"),
    "monitor_cost": ("torch: fit", "a look costs", "with every=50"),
    "gradient_only_cost": ("| momentum | 1.00 |", "along the gradient", "along RMSprop"),
    "range_test_cost": ("ms a step, range test ",),
}


@pytest.mark.parametrize(
    "name",
    [
        *(pytest.param(name, marks=pytest.mark.numpy_only) for name in ON_WORKLOADS),  # many steps
        *(pytest.param(name, marks=pytest.mark.only_on_torch) for name in WITHOUT_A_FILE),
    ],
)
def test_runs_and_prints_a_table(name, tmp_path, monkeypatch, capsys):
    if name in ON_WORKLOADS and not (DATA / "co2_weekly.npz").exists():
        pytest.skip("the benchmark data is not here: benchmarks/_data.py says where to get it")
    script = REPOSITORY / "benchmarks" / f"{name}.py"
    arguments = (ON_WORKLOADS | WITHOUT_A_FILE)[name].format(folder=tmp_path).split()
    monkeypatch.setattr(sys, "argv", [str(script), *arguments])
    monkeypatch.syspath_prepend(script.parent)
    # In this process: a new one would spend most of its time importing.
    runpy.run_path(str(script), run_name="__main__")
    printed = capsys.readouterr().out
    for word in PRINTED[name]:
        assert word in printed
    assert "nan" not in printed
