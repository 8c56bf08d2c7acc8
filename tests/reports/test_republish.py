"""Reports of saved runs: published again, for another audience, or of two runs on one page."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from gandiag.cli.main import main
from gandiag.plugins.errors import BadInput
from gandiag.reports import republish as pages

RECORDS = Path(__file__).parents[1] / "recorded_runs"


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    """A failing run and a healthy one, each in its own folder."""
    found = []
    for name in ("ring_collapse", "ring_healthy"):
        shutil.copytree(RECORDS / name, tmp_path / name)
        found.append(tmp_path / name)
    return found[0], found[1]


def test_reports_are_published_again(runs: tuple[Path, Path]) -> None:
    """The reporters write into the run's folder, for the given audience."""
    (place,) = pages.republish_run(runs[0], ["html"], "student")
    assert Path(place) == runs[0] / "report.html"
    assert "<math display" in Path(place).read_text(encoding="utf-8")
    (place,) = pages.republish_run(runs[0], ["html"])
    assert "<math display" not in Path(place).read_text(encoding="utf-8")


def test_audience_is_ignored_by_other_reporters(runs: tuple[Path, Path]) -> None:
    """A reporter without the option ``audience`` writes its usual file."""
    (place,) = pages.republish_run(runs[0], ["json"], "student")
    assert Path(place).name == "diagnoses.json"


def test_two_runs_lie_side_by_side(runs: tuple[Path, Path]) -> None:
    """The page of two runs is a new file in the first run's folder."""
    result = CliRunner().invoke(main, ["report", *map(str, runs)])
    assert result.exit_code == 0, result.output
    assert result.output.strip().endswith("beside.html")
    page = (runs[0] / "beside.html").read_text(encoding="utf-8")
    assert "ring_collapse" in page
    assert "ring_healthy" in page
    assert not (runs[0] / "report.html").exists()
    assert not (runs[1] / "beside.html").exists()


def test_reporters_of_one_run_refuse_two(runs: tuple[Path, Path]) -> None:
    """A reporter of single runs fails with one line that names a reporter of two runs."""
    with pytest.raises(BadInput, match="html"):
        pages.republish_pair(*runs, ["json"])


def test_log_has_no_page(tmp_path: Path) -> None:
    """A log has no folder to write into."""
    log = tmp_path / "log.csv"
    log.write_text("step,loss/value/generator\n1,0.5\n2,0.4\n")
    with pytest.raises(BadInput):
        pages.republish_run(log)
