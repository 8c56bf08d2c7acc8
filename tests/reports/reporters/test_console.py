from __future__ import annotations

from pathlib import Path

import pytest

from gandiag.reports.report import Report
from gandiag.reports.reporters.console import Console


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 80 columns without colours, like a pipe."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")


def test_verdict_comes_first(failing: Report, capsys: pytest.CaptureFixture[str]) -> None:
    """The first line is the verdict."""
    Console().publish(failing, Path("there"))
    first = capsys.readouterr().out.splitlines()[0]
    assert first.strip() == "failing: Mode collapse (total) since step 350."


def test_evidence_has_thresholds(failing: Report, capsys: pytest.CaptureFixture[str]) -> None:
    """Each observed number is beside its threshold; the suggested fixes are below."""
    Console().publish(failing, Path("there"))
    text = capsys.readouterr().out
    for item in failing.diagnoses[0].evidence:
        line = next(line for line in text.splitlines() if item.meaning in line)
        assert f"{item.observed:.3g}" in line
        assert f"below {item.threshold:g}" in line
        assert "yes" in line
    assert failing.suggested_fixes[0].advice in text
    assert text.rstrip().endswith("there")


@pytest.mark.parametrize("which", ["failing", "healthy", "odd"])
def test_fits_eighty_columns(
    which: str, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    """No line is wider than 80 columns, and a pipe gets no escape codes."""
    Console().publish(request.getfixturevalue(which), Path("there"))
    text = capsys.readouterr().out
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "\x1b" not in text


def test_path_of_the_page_is_printed(
    healthy: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """If there is a page, its path is printed on one line."""
    page = tmp_path / "report.html"
    page.touch()
    assert Console().publish(healthy, tmp_path) == str(page)
    assert str(page) in capsys.readouterr().out.splitlines()
