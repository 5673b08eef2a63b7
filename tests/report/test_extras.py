"""Optional packages: not imported before they are needed, and named when they are missing."""

import sys

import pytest

from keras_lr.report import Chart, Report
from keras_lr.report._extras import needed


@pytest.mark.parametrize(
    ("package", "extra", "ask"),
    [
        ("matplotlib", "plot", lambda report, folder: report.plot()),
        ("plotly", "report", lambda report, folder: report.save(folder / "report.html")),
        ("jinja2", "report", lambda report, folder: report.save(folder / "report.html")),
    ],
)
def test_a_missing_package_is_named_with_its_extra(monkeypatch, tmp_path, package, extra, ask):
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [_Without(package), *sys.meta_path])
    with pytest.raises(ImportError, match=rf'needs {package}, .* pip install "keras-lr\[{extra}\]"'):
        ask(Report("r", [Chart("c", "x", "y")]), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_package_that_breaks_for_its_own_reasons_is_not_called_missing(tmp_path, monkeypatch):
    (tmp_path / "brokenpackage.py").write_text("import another_package_that_is_not_there")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="another_package_that_is_not_there"):
        needed("brokenpackage", "plot", "Plotting")


class _Without:
    def __init__(self, package: str) -> None:
        self._package = package

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == self._package:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
