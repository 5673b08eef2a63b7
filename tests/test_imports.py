"""What `import keras_lr` does to a process: nothing but give its names."""

import json
import subprocess
import sys

import pytest

PROGRAM = """
import json, sys
import keras
before = set(sys.modules)
seen = []

def hook(event, arguments):
    if event.startswith(("socket.", "subprocess.", "os.system", "shutil.")):
        seen.append(event)
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        seen.append(f"open {arguments[0]}")

sys.addaudithook(hook)
environment = dict(__import__("os").environ)
import keras_lr
changed = dict(__import__("os").environ) != environment
new = {name.partition(".")[0] for name in set(sys.modules) - before}
print("RESULT" + json.dumps({"new": sorted(new), "seen": seen, "changed": changed}))
"""


@pytest.fixture(scope="module")
def imported() -> tuple[dict, str]:
    ended = subprocess.run([sys.executable, "-B", "-c", PROGRAM], capture_output=True, text=True, check=True)
    printed, _, result = ended.stdout.partition("RESULT")
    return json.loads(result), printed


def test_it_imports_nothing_that_keras_did_not(imported):
    """Above all no second framework, no matplotlib, plotly, jinja2, typer, rich, SciPy, pandas."""
    result, _ = imported
    assert set(result["new"]) - set(sys.stdlib_module_names) == {"keras_lr"}


def test_it_prints_writes_and_opens_nothing(imported):
    result, printed = imported
    assert printed == ""
    assert result["seen"] == []
    assert not result["changed"]
