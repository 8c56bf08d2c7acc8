from __future__ import annotations

from pathlib import Path

import pytest

from gandiag.reports.report import Report
from gandiag.reports.reporters.console import Console


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 80 columns without colours, as a pipe is."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")


def test_verdict_comes_first(sick: Report, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever reads one line reads the verdict."""
    Console().publish(sick, Path("there"))
    first = capsys.readouterr().out.splitlines()[0]
    assert first.strip() == "sick: Mode collapse (total) since step 350."


def test_evidence_has_its_thresholds(sick: Report, capsys: pytest.CaptureFixture[str]) -> None:
    """Each observed number stands beside its gate, and the advice below."""
    Console().publish(sick, Path("there"))
    text = capsys.readouterr().out
    for item in sick.diagnoses[0].evidence:
        line = next(line for line in text.splitlines() if item.meaning in line)
        assert f"{item.observed:.3g}" in line
        assert f"below {item.threshold:g}" in line
        assert "yes" in line
    assert sick.suggested_fixes[0].advice in text
    assert text.rstrip().endswith("there")


@pytest.mark.parametrize("which", ["sick", "healthy", "odd"])
def test_fits_eighty_columns(
    which: str, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is wider than a terminal, and no escape code reaches a pipe."""
    Console().publish(request.getfixturevalue(which), Path("there"))
    text = capsys.readouterr().out
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "\x1b" not in text


def test_page_is_pointed_to(
    healthy: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where there is a page, its path is printed in one piece."""
    page = tmp_path / "report.html"
    page.touch()
    assert Console().publish(healthy, tmp_path) == str(page)
    assert str(page) in capsys.readouterr().out.splitlines()
