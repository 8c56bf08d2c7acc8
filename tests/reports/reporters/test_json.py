from __future__ import annotations

import json
from pathlib import Path

import pytest

from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.reports.report import Report, verdict
from gandiag.reports.reporters.json import Json


@pytest.mark.parametrize("which", ["sick", "healthy"])
def test_diagnoses_read_back(which: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """What was written gives the same diagnoses again."""
    report: Report = request.getfixturevalue(which)
    path = Path(Json().publish(report, tmp_path / "new"))
    data = json.loads(path.read_text(encoding="utf-8"))
    assert path == tmp_path / "new" / "diagnoses.json"
    assert tuple(Diagnosis.from_json(item) for item in data["diagnoses"]) == report.diagnoses
    assert data["verdict"] == verdict(report.diagnoses)


def test_treatments_are_told(sick: Report, tmp_path: Path) -> None:
    """A script finds fix, advice and diff."""
    data = json.loads(Path(Json().publish(sick, tmp_path)).read_text(encoding="utf-8"))
    assert data["treatments"][0]["fix"] == "linear_critic"
    assert "+    steps: 5" in data["treatments"][0]["diff"]


def test_strange_numbers_are_valid_json(odd: Report, tmp_path: Path) -> None:
    """NaN and infinity are strings, so that any parser reads the file."""

    def refuse(word: str) -> float:
        raise AssertionError(word)

    text = Path(Json().publish(odd, tmp_path)).read_text(encoding="utf-8")
    data = json.loads(text, parse_constant=refuse)
    assert data["diagnoses"][0]["severity"] is None
    assert data["diagnoses"][0]["evidence"][2]["observed"] == "NaN"
