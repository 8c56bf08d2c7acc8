"""``import gandiag``: its names, the cost of its import, and `gandiag.run`."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import gandiag
from gandiag.diagnosis.detectors.mode_collapse import ModeCollapse
from gandiag.scenario.schema import Scenario

SCENARIO = Scenario.parse(
    {
        "name": "tiny",
        "data": {"ring": {"samples": 300, "held_out": 300}},
        "variant": {"vanilla": {"width": 8, "latent_size": 2}},
        "training": {"steps": 20, "batch_size": 32},
        "reporters": [],
    }
)


def test_all_is_sorted_and_complete() -> None:
    """``__all__`` is sorted, is what ``dir`` shows, and every name leads somewhere."""
    assert gandiag.__all__ == sorted(gandiag.__all__)
    assert dir(gandiag) == gandiag.__all__
    assert all(getattr(gandiag, name) is not None for name in gandiag.__all__)
    assert set(gandiag._HOMES) == set(gandiag.__all__) - {"__version__"}
    assert gandiag.__version__ == version("gandiag")


def test_import_is_light() -> None:
    """The import loads neither torch nor another slow package."""
    heavy = "{'torch', 'numpy', 'pydantic', 'yaml', 'rich', 'importlib.metadata'}"
    code = f"import gandiag, sys; print(sorted({heavy} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_diagnosis_needs_no_torch(tmp_path: Path) -> None:
    """A saved record is diagnosed without torch."""
    gandiag.run(SCENARIO, tmp_path)
    code = f"""
import sys, gandiag
print(len(gandiag.diagnose({str(tmp_path)!r})), "torch" in sys.modules)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["3", "False"]


def test_unknown_names_are_refused() -> None:
    """An unknown name raises AttributeError."""
    with pytest.raises(AttributeError, match="no attribute 'frobnicate'"):
        _ = gandiag.frobnicate


def test_run_takes_changes() -> None:
    """A run in memory takes changes of the scenario by dotted key."""
    changes = {"training.steps": 5, "variant.vanilla.width": 4}
    report = gandiag.run(SCENARIO, seed=7, **changes)
    assert report.scenario is not None
    assert report.scenario.seed == 7
    assert report.scenario.training.steps == 5
    assert report.scenario.variant.options == {"width": 4, "latent_size": 2}
    assert report.record.folder is None


def test_error_names_the_change() -> None:
    """The message about a wrong change begins with this change."""
    with pytest.raises(gandiag.BadInput, match=r'^variant=vanila: variant: no variant "vanila"'):
        gandiag.run(SCENARIO, variant="vanila")


def test_saved_run_has_the_same_diagnoses(tmp_path: Path) -> None:
    """The diagnoses of a run equal those of its folder and of its loaded record."""
    report = gandiag.run(SCENARIO, tmp_path)
    again = gandiag.diagnose(tmp_path)
    assert again == report.diagnoses == gandiag.diagnose(gandiag.load(tmp_path))


def test_detectors_may_be_chosen() -> None:
    """The caller may pass a list of detectors."""
    record = gandiag.run(SCENARIO).record
    (found,) = gandiag.diagnose(record, [ModeCollapse()])
    assert found.condition == "mode_collapse"
