"""The commands, run in this process on a task that takes a second."""

import json
import sys
from pathlib import Path

import keras
import pytest

from keras_lr.cli import main
from keras_lr.finder import RULES
from keras_lr.report import Report

pytestmark = pytest.mark.above_backends

SCRIPT = """
import keras
import numpy as np
from neighbour import SLOPE
from keras_lr.task import Task

def build():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile(optimizer="sgd", loss="mse")
    return model

def task():
    x = np.linspace(-1, 1, 512, dtype="float32")[:, None]
    return Task(build, x, SLOPE * x, validation_data=(x, SLOPE * x), batch_size=8, epochs=5)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "problem.py").write_text(SCRIPT)
    (tmp_path / "neighbour.py").write_text("SLOPE = 3.0")
    monkeypatch.chdir(tmp_path)
    path, modules = list(sys.path), set(sys.modules)
    yield tmp_path
    sys.path[:] = path
    for name in {"problem", "neighbour", "other", "asks", "bare"} & (set(sys.modules) - modules):
        del sys.modules[name]


@pytest.fixture
def terminal(monkeypatch, capsys):
    """Return a function that runs a command and returns (status, what it printed, what it said on the error stream)."""

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["keras-lr", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return run


def test_fit_trains_shows_saves_and_reports(folder, terminal):
    status, printed, said = terminal(
        *("fit", "problem.py", "--epochs", "2", "--backup-dir", "backup"),
        *("--report", "out.json", "--save", "model.keras"),
    )
    assert status == 0
    assert "learning rate" in printed
    assert "The report is in out.json" in printed
    assert "The model is in model.keras" in printed
    assert "epoch 2/2  loss" in said  # no terminal here: one line an epoch, with an estimate
    assert "epoch 3" not in said
    assert "0 s left" in said
    report = Report.from_json(Path("out.json").read_text())
    assert str(report) in printed
    model = keras.saving.load_model("model.keras")
    assert not Path("backup").exists()  # the run has come to its end
    assert model.get_weights()[0][0, 0] == pytest.approx(3.0, abs=0.05)  # it has learnt the slope, without a rate


def test_race_finds_a_rate_without_training(folder, terminal):
    status, printed, _ = terminal("race", "problem.py", "--report", "race.HTML")
    assert status == 0
    assert "learning rate" in printed
    assert "</html>" in Path("race.HTML").read_text(encoding="utf-8")


def test_range_test_sweeps_as_asked_and_shows_every_rule(folder, terminal):
    status, printed, _ = terminal("range-test", "problem.py", "--steps", "60", "--sweeps", "2", "--report", "test.json")
    assert status == 0
    report = Report.from_json(Path("test.json").read_text(encoding="utf-8"))
    assert str(report) in printed
    parts = json.loads(Path("test.json").read_text(encoding="utf-8"))["parts"]
    (table,) = [part for part in parts if part.get("title") == "Suggestions"]
    rates = {name: rate for name, _, rate, *_ in table["rows"]}
    assert set(RULES) < set(rates)
    # 64 batches of 8 from the line y = 3x: the largest stable rate is 1 / (mean of x^2 and 1), a little below 1
    assert 0.02 < rates["constant"] < 1
    (chart,) = [part for part in parts if part.get("title") == "Loss over the learning rate"]
    assert chart["note"].startswith("2 sweeps pooled")
    assert 0 < len(chart["lines"][0]["x"]) <= 60


def test_diagnose_judges_the_rate_that_the_model_was_compiled_with(folder, terminal):
    status, printed, _ = terminal("diagnose", "problem.py", "--epochs", "2", "--report", "diagnosis.json")
    assert status == 0
    report = Report.from_json(Path("diagnosis.json").read_text(encoding="utf-8"))
    assert str(report) in printed
    # SGD's own 0.01 on a parabola whose largest stable rate is a little below 1
    words = " ".join(printed.split())
    assert "verdict too low" in words
    assert "steps of the run 128" in words


def test_sweep_trains_at_every_rate_and_seed_and_goes_on(folder, terminal):
    command = ("sweep", "problem.py", "--rates", "0.01,0.1,1000", "--seeds", "2", "--epochs", "1", "--storage", "s.db")
    status, printed, said = terminal(*command, "--report", "sweep.json")
    assert status == 0
    report = Report.from_json(Path("sweep.json").read_text(encoding="utf-8"))
    assert str(report) in printed
    assert "2 of 2 diverged" in printed
    assert "6/6  rate 1e+03, seed 1  0 s left" in said
    status, again, said = terminal(*command)
    assert (status, said) == (0, "")  # nothing is left to train
    assert again in printed


@pytest.mark.parametrize("command", ["sweep", "compare"])
def test_a_storage_that_cannot_be_used_is_said_in_a_line(folder, terminal, command):
    Path("notes.txt").write_text("no database\n" * 100)
    for storage, message in [(".", "is a folder; name a file in it"), ("notes.txt", "file is not a database.")]:
        status, printed, said = terminal(command, "problem.py", "--storage", storage)
        assert (status, printed) == (2, "")
        assert said.startswith(f"keras-lr: storage='{storage}'")
        assert message in said
        assert len(said.splitlines()) == 1


def test_compare_trains_as_compiled_beside_ours_or_by_the_methods_of_the_script(folder, terminal):
    status, printed, said = terminal("compare", "problem.py", "--seeds", "1", "--target", "0.01")
    assert status == 0
    for words in ("as compiled", "keras-lr", "Target 0.01"):
        assert words in printed
    assert "3/3" in said
    with Path("problem.py").open("a") as script:
        script.write("\ndef methods():\n    return {'slow': 0.001, 'fast': 0.1}\n")
    status, printed, _ = terminal("compare", "problem.py", "--seeds", "1", "--epochs", "1", "--report", "compare.html")
    assert status == 0
    assert "slow" in printed
    assert "keras-lr" not in printed
    assert "</html>" in Path("compare.html").read_text(encoding="utf-8")
    with Path("problem.py").open("a") as script:
        script.write("\ndef methods():\n    return 0.1\n")
    status, _, said = terminal("compare", "problem.py")
    assert status == 2
    assert "methods() in 'problem.py' returned float, not a dictionary" in said


@pytest.mark.parametrize(("command", "options"), [("compare", ["--seeds", "1"]), ("diagnose", [])])
def test_a_script_may_say_how_long_its_schedule_is_in_parts_of_the_run(folder, terminal, command, options):
    schedule = "keras.optimizers.SGD(schedules.Cosine(0.01, schedules.Fraction(1)))"
    script = SCRIPT.replace('"sgd"', schedule).replace("import Task", "import Task\nfrom keras_lr import schedules")
    Path("problem.py").write_text(script)
    status, printed, said = terminal(command, "problem.py", *options)
    assert status == 0, said
    assert "as compiled" in printed or "highest to come" in printed


@pytest.mark.parametrize("command", ["fit", "race", "range-test", "sweep", "compare", "diagnose"])
@pytest.mark.parametrize(
    ("script", "content", "message"),
    [
        ("missing.py", None, "there is no file 'missing.py'"),
        ("notes.txt", "x", "'notes.txt' is not a Python script"),
        ("other.py", "tasks = 3", "'other.py' defines no function task()"),
        ("other.py", "def task():\n    return 'digits'", "task() in 'other.py' returned str, not a keras_lr.Task"),
    ],
)
def test_a_script_that_hands_over_nothing_is_told_how(folder, terminal, command, script, content, message):
    if content is not None:
        Path(script).write_text(content)
    status, printed, said = terminal(command, script)
    assert (status, printed) == (2, "")
    assert said.startswith(f"keras-lr: {message}")
    assert "def task():" in said
    assert "keras_lr.Task(build=build_model" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sweep", "problem.py", "--rates", "0.1,-1"], "rates=[0.1, -1.0]: give at least one finite number above 0"),
        (["sweep", "problem.py", "--rates", "low,high"], "--rates low,high: give numbers with commas between them"),
        (["compare", "problem.py", "--target", "nan"], "target=nan: give a finite number"),
        (["fit", "problem.py", "--backup-dir", "problem.py"], "backup_dir='problem.py' is a file; name a directory"),
        (["fit", "asks.py"], "task() missing 1 required positional argument: 'digits'"),
        (["compare", "none.py"], "methods={}: give a dictionary of methods by name"),
        (["race", "bare.py"], "build() returned the model 'sequential"),
        (["fit", "json.py"], "'json.py' has the name of a module that is in use; rename the script."),
    ],
)
def test_what_the_user_can_mend_is_said_in_a_line(folder, terminal, words, message):
    Path("asks.py").write_text("def task(digits):\n    return digits")
    Path("none.py").write_text(f"{SCRIPT}\ndef methods():\n    return {{}}\n")
    Path("bare.py").write_text(SCRIPT.replace('    model.compile(optimizer="sgd", loss="mse")\n', ""))
    Path("json.py").write_text(SCRIPT)
    status, printed, said = terminal(*words)
    assert (status, printed) == (2, "")
    assert said.startswith(f"keras-lr: {message}")
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("content", "kind", "message"),
    [
        ("import nothing_of_this_name", ModuleNotFoundError, "nothing_of_this_name"),
        ("def task():\n    raise ValueError('the digits are blurred')", ValueError, "the digits are blurred"),
        ("import keras\n\ndef task():\n    keras.layers.Dense(-1)", ValueError, "units"),  # raised by Keras
    ],
)
def test_an_error_of_the_script_is_the_scripts_own(folder, monkeypatch, content, kind, message):
    Path("other.py").write_text(content)
    monkeypatch.setattr(sys, "argv", ["keras-lr", "fit", "other.py"])
    with pytest.raises(kind, match=message):
        main()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--report", "out.pdf"], "--report out.pdf: the name must end in .html or .json."),
        (["--report", "nowhere/out.html"], "there is no folder 'nowhere'; make it first."),
        (["--report", "folder.html"], "--report folder.html is a folder; give the name of a file."),
        (["--save", "model.h5"], "--save model.h5: the name must end in .keras."),
    ],
)
def test_a_file_that_cannot_be_written_is_said_before_training(folder, terminal, options, message):
    Path("folder.html").mkdir()
    status, printed, said = terminal("fit", "problem.py", *options)
    assert (status, printed) == (2, "")
    assert message in said


@pytest.mark.parametrize("command", ["race", "range-test", "sweep", "compare", "diagnose", "demo"])
def test_no_command_trains_for_a_report_that_cannot_be_written(folder, terminal, command):
    script = [] if command == "demo" else ["problem.py"]
    status, printed, said = terminal(command, *script, "--report", "out.pdf")
    assert (status, printed) == (2, "")
    assert "the name must end in .html or .json." in said


def test_help_names_every_command(terminal):
    status, printed, _ = terminal("--help")
    assert status == 0
    for command in ("fit", "race", "range-test", "sweep", "compare", "diagnose", "demo"):
        assert command in printed


@pytest.mark.parametrize("package", ["typer", "rich"])
def test_a_missing_extra_is_named(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(SystemExit, match=rf'The command keras-lr needs {package}, .*pip install "keras-lr\[cli\]"'):
        main()


def test_the_demo_sets_the_default_beside_ours(tmp_path, terminal):
    status, printed, _ = terminal("demo", "--epochs", "1", "--report", str(tmp_path / "demo.json"))
    assert status == 0
    assert "the default, 0.001" in printed
    tree = json.loads((tmp_path / "demo.json").read_text(encoding="utf-8"))
    (table,) = [part for part in tree["parts"] if part.get("title") == "At the end of training"]
    (_, loss, _, steps, _), (_, our_loss, _, our_steps, _) = table["rows"]
    assert steps == 41  # 1,297 digits in batches of 32
    assert our_steps > steps  # the race is counted
    assert max(loss, our_loss) < 2.3  # both have learnt: log(10) is a guess among ten digits


def test_plot_prints_schedules_and_writes_a_page(folder, terminal):
    status, printed, _ = terminal("plot", "OneCycle(0.1, 1000)", "Constant(0.02)")
    assert status == 0
    rows = [line.split() for line in printed.splitlines() if line.strip().startswith(("0 ", "250", "999"))]
    assert rows == [["0", "0.004", "0.02"], ["250", "0.09378", "0.02"], ["999", "4e-07", "0.02"]]
    assert "OneCycle(0.1, 1000)" in (folder / "schedule.html").read_text()


def test_plot_shows_a_thousand_steps_of_a_schedule_without_an_end(folder, terminal):
    status, printed, _ = terminal("plot", "Constant(0.1)", "--report", "rate.json")
    assert status == 0
    assert [line.split() for line in printed.splitlines() if line.endswith("0.1")][-1] == ["1,000", "0.1"]


def test_plot_turns_fractions_and_epochs_into_steps(folder, terminal):
    call = "Linear(1.0, Epochs(2)).warmed_up(Fraction(0.1))"
    status, *_ = terminal("plot", call, "--steps", "500", "--steps-per-epoch", "100", "--report", "out.json")
    assert status == 0
    data = json.loads((folder / "out.json").read_text())
    (line,) = data["parts"][1]["lines"]
    assert (max(line["x"]), max(line["y"])) == (500, pytest.approx(1.0, rel=0.01))
    assert line["y"][list(line["x"]).index(150)] == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("OneCycle(0.1)", "total_steps"),
        ("Cosine(-1, 100)", "a number of at least 0 as initial_learning_rate. Received: initial_learning_rate=-1."),
        ("Nothing(1)", "'Nothing' is not defined"),
        ("OneCycle", "is no schedule"),
        ("1 +", "invalid syntax"),
        ("__import__('os')", "makes no schedule"),
        ("OneCycle(0.1, Epochs(3))", "--steps-per-epoch"),
        ("OneCycle(0.1, Fraction(1))", "--steps for total_steps"),
    ],
)
def test_plot_refuses_what_makes_no_schedule(folder, terminal, call, said):
    status, printed, error = terminal("plot", call)
    assert (status, printed) == (2, "")
    assert error.startswith("keras-lr: ")
    assert said in error
    assert not (folder / "schedule.html").exists()
