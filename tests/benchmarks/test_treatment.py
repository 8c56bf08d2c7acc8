"""Laws of counting cures: which games are treated, and what is said of them."""

from __future__ import annotations

import hashlib
import re
from importlib.resources import files
from pathlib import Path

import pytest

from gandiag.benchmarks.detection.cases import FILE, read_cases
from gandiag.benchmarks.treatment import GAMES, game, table, treat_all
from gandiag.comparison.analysis import compare_outcomes
from gandiag.comparison.compared import compared_scenarios
from gandiag.comparison.outcome import Outcome
from gandiag.comparison.treat import TreatmentResult
from gandiag.plugins.errors import BadInput
from gandiag.scenario.schema import Scenario

PAGE = (Path(__file__).parents[2] / "reports" / "treatment.md").read_text(encoding="utf-8")


def treated(collapse: str, cured: bool) -> TreatmentResult:
    """Eight seeds, with r1 as in `collapse`, a letter each; all collapse without it."""
    arms = compared_scenarios(Scenario.parse({"data": "ring"}), ["r1"])
    short = {"p": "present", "a": "absent"}
    outcomes = [
        Outcome(arm.name, seed, {"mode_collapse": short[one]}, {}, ((1, 1.0),), 1, 1, 1.0, "d")
        for arm, letters in zip(arms, ("p" * 8, collapse), strict=True)
        for seed, one in enumerate(letters)
    ]
    found = compare_outcomes(arms, outcomes, planned=1)
    return TreatmentResult(found, "r1" if cured else None, None, ())


def test_the_games_are_those_of_the_page() -> None:
    """The page names the games that are treated, in their order, and the file they come from."""
    listed = re.findall(r"^\| `(\w+)` \| (?:MNIST|eight|one)", PAGE, re.MULTILINE)
    assert tuple(listed) == GAMES
    text = (files("gandiag.benchmarks") / FILE).read_bytes()
    assert hashlib.sha256(text).hexdigest() in PAGE


def test_the_games_follow_the_rule() -> None:
    """The shipped games that fail, by name; then, in the benchmark's order, games meant to fail."""
    shipped = [
        path.stem
        for path in sorted((Path(__file__).parents[2] / "scenarios").glob("*.yaml"))
        if "present" in Scenario.load(path).expect.values()
    ]
    cases = {case.name: case for case in read_cases()}
    assert list(GAMES[: len(shipped)]) == shipped
    others = GAMES[len(shipped) :]
    assert list(others) == [name for name in cases if name in others]
    assert not any(cases[name].intent.startswith("healthy") for name in others)
    assert len(set(GAMES)) == 10
    assert [game(name).name for name in GAMES] == list(GAMES)


def test_cures_are_counted() -> None:
    """Each game has a row that says what it suffers from, what was tried, and how it went."""
    text = table([("one", treated("a" * 8, True)), ("two", treated("p" * 8, False))])
    _, _, one, two, _, count = text.splitlines()
    assert one == (
        "| `one` | mode collapse 8 of 8 | `r1` cures (mode collapse 0 of 8) | `r1` | 16 |"
    )
    assert two.startswith("| `two` | mode collapse 8 of 8 | `r1` no evidence (mode collapse 8 of 8")
    assert two.endswith("| - | 16 |")
    assert count.startswith("1 of 2 games were cured")


def test_an_unknown_game_is_one_line(tmp_path: Path) -> None:
    """A name that is none of the ten is answered with the nearest."""
    with pytest.raises(BadInput, match='no game "ring_five"; nearest is "ring_five_to_one"'):
        list(treat_all(tmp_path, ["ring_five"]))
    assert not list(tmp_path.iterdir())
