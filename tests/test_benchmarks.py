"""The benchmark of the main job runs; its figures are for people, not for tests."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
DATA = Path(os.environ.get("KERAS_LR_DATA", REPOSITORY.parent / "shared" / "data"))


def test_fit_against_tuned_runs(backend):
    if backend != "jax":
        pytest.skip("one backend is enough to see that the script runs")
    if not (DATA / "co2_weekly.npz").exists():
        pytest.skip("the benchmark data is not here: benchmarks/_data.py says where to get it")
    done = subprocess.run(
        [sys.executable, "benchmarks/fit_against_tuned.py", "--smoke", "--workloads", "co2_deep_linear"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "co2_deep_linear" in done.stdout
