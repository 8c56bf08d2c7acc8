from __future__ import annotations

import json
from pathlib import Path

import pytest

from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.reports.report import Report, format_verdict
from gandiag.reports.reporters.json import Json


@pytest.mark.parametrize("which", ["failing", "healthy"])
def test_diagnoses_read_back(which: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """The diagnoses that are read back equal those of the report."""
    report: Report = request.getfixturevalue(which)
    path = Path(Json().publish(report, tmp_path / "new"))
    data = json.loads(path.read_text(encoding="utf-8"))
    assert path == tmp_path / "new" / "diagnoses.json"
    assert tuple(Diagnosis.from_json(item) for item in data["diagnoses"]) == report.diagnoses
    assert data["verdict"] == format_verdict(report.diagnoses)


def test_suggested_fixes_are_written(failing: Report, tmp_path: Path) -> None:
    """The file has name, advice and diff of each suggested fix."""
    data = json.loads(Path(Json().publish(failing, tmp_path)).read_text(encoding="utf-8"))
    assert data["treatments"][0]["fix"] == "linear_critic"
    assert "+    steps: 5" in data["treatments"][0]["diff"]


def test_non_finite_numbers_are_valid_json(odd: Report, tmp_path: Path) -> None:
    """NaN and infinity are strings, so that every JSON parser can read the file."""

    def refuse(word: str) -> float:
        raise AssertionError(word)

    text = Path(Json().publish(odd, tmp_path)).read_text(encoding="utf-8")
    data = json.loads(text, parse_constant=refuse)
    assert data["diagnoses"][0]["severity"] is None
    assert data["diagnoses"][0]["evidence"][2]["observed"] == "NaN"
