"""A model saved with our classes loads in a process that has imported nothing but `keras_lr`."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np

import keras_lr

SCRIPT = runpy.run_path(str(Path(__file__).parents[1] / "scripts" / "registered.py"))


def test_the_list_of_classes_is_up_to_date():
    written = json.loads(SCRIPT["PATH"].read_text("utf-8"))
    assert written == SCRIPT["homes"](), "run: python scripts/registered.py"


def test_a_saved_model_finds_our_classes(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    schedule = keras_lr.schedules.WarmUp(keras_lr.schedules.Cosine(0.1, 100), warmup_steps=5)
    model.compile(optimizer=keras.optimizers.Adam(schedule), loss="mse")
    model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0)
    model.save(tmp_path / "model.keras")
    code = (
        "import sys, keras, keras_lr; model = keras.models.load_model(sys.argv[1]); "
        "print(model.optimizer._learning_rate, int(model.optimizer.iterations))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "model.keras")],
        env=os.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert repr(schedule) in done.stdout
    assert done.stdout.strip().endswith(" 1")
