"""Benchmark of `gandiag treat`: its cases, and its table."""

from __future__ import annotations

import hashlib
import re
from importlib.resources import files
from pathlib import Path

import pytest

from gandiag.benchmarks.detection.cases import CASES_FILE, read_cases
from gandiag.benchmarks.treatment import CASES, format_table, load_case, treat_cases
from gandiag.comparison.analysis import compare_outcomes
from gandiag.comparison.outcome import Outcome
from gandiag.comparison.scenarios import build_compared_scenarios
from gandiag.comparison.treat import TreatmentResult
from gandiag.plugins.errors import BadInput
from gandiag.scenario.schema import Scenario

PAGE = (Path(__file__).parents[2] / "reports" / "treatment.md").read_text(encoding="utf-8")


def build_result(collapse: str, is_confirmed: bool) -> TreatmentResult:
    """All eight baseline runs collapse; each letter of `collapse` is a run with r1."""
    compared = build_compared_scenarios(Scenario.parse({"data": "ring"}), ["r1"])
    status = {"p": "present", "a": "absent"}
    outcomes = [
        Outcome(each.name, seed, {"mode_collapse": status[s]}, {}, ((1, 1.0),), 1, 1, 1.0, "d")
        for each, letters in zip(compared, ("p" * 8, collapse), strict=True)
        for seed, s in enumerate(letters)
    ]
    comparison = compare_outcomes(compared, outcomes, planned=1)
    return TreatmentResult(comparison, "r1" if is_confirmed else None, None, ())


def test_page_lists_the_cases() -> None:
    """The page lists the cases in their order, and the checksum of their file."""
    listed = re.findall(r"^\| `(\w+)` \| (?:MNIST|eight|one)", PAGE, re.MULTILINE)
    assert tuple(listed) == CASES
    text = (files("gandiag.benchmarks") / CASES_FILE).read_bytes()
    assert hashlib.sha256(text).hexdigest() in PAGE


def test_cases_follow_the_rule_of_the_page() -> None:
    """Shipped failing scenarios by name come first, then cases meant to fail in file order."""
    shipped = [
        path.stem
        for path in sorted((Path(__file__).parents[2] / "scenarios").glob("*.yaml"))
        if "present" in Scenario.load(path).expect.values()
    ]
    cases = {case.name: case for case in read_cases()}
    assert list(CASES[: len(shipped)]) == shipped
    others = CASES[len(shipped) :]
    assert list(others) == [name for name in cases if name in others]
    assert not any(cases[name].intent.startswith("healthy") for name in others)
    assert len(set(CASES)) == 10
    assert [load_case(name).name for name in CASES] == list(CASES)


def test_table_counts_confirmed_fixes() -> None:
    """Each case has a row with its failures, the fixes tried and the confirmed fix."""
    fixed, failing = build_result("a" * 8, True), build_result("p" * 8, False)
    _, _, one, two, _, count = format_table([("one", fixed), ("two", failing)]).splitlines()
    assert one == (
        "| `one` | mode collapse 8 of 8 | `r1` cures (mode collapse 0 of 8) | `r1` | 16 |"
    )
    assert two.startswith("| `two` | mode collapse 8 of 8 | `r1` no evidence (mode collapse 8 of 8")
    assert two.endswith("| - | 16 |")
    assert count.startswith("A fix is confirmed for 1 of 2 cases.")


def test_unknown_case_is_refused(tmp_path: Path) -> None:
    """The message names the nearest case, and nothing is written."""
    with pytest.raises(BadInput, match='no case "ring_five"; nearest is "ring_five_to_one"'):
        list(treat_cases(tmp_path, ["ring_five"]))
    assert not list(tmp_path.iterdir())
