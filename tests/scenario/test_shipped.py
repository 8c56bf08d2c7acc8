"""The shipped scenarios: each says what it shows, is sound to its last option, and has its cure."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from gandiag.plugins import registry as plugins
from gandiag.plugins.builtin import DETECTORS
from gandiag.scenario.schema import Scenario
from gandiag.scenario.shipped import list_shipped
from gandiag.training.components import Components

SHORTEST, LONGEST = (
    500,
    5000,
)  # generator steps: judged from 500 on; a demonstration ends in minutes
TURNS = 10_000  # of both players together; the steps are the generator's
LOOKS = 10  # at the samples before anything is judged
SHEETS = 4  # a story in pictures needs a few
CHANGES = 3  # keys at most by which a cure differs
MACHINE = re.compile(r"""(?:^|[\s"'(:=])(?:/|~|[A-Za-z]:\\|file:)\S""")  # an absolute path

every_scenario = pytest.mark.parametrize("name", list_shipped())


@cache
def scenario(name: str) -> Scenario:
    """A shipped scenario with every default written out."""
    return Scenario.load(list_shipped()[name])


def conditions() -> set[str]:
    """What gandiag's own detectors look for in a game of its own."""
    own = (plugins.load("detectors", name) for name in DETECTORS)
    return {kind.condition for kind in own}  # type: ignore[attr-defined]


FAILING = [name for name in list_shipped() if "present" in scenario(name).expect.values()]


def changed(before: Scenario, after: Scenario) -> set[str]:
    """Dotted keys by which two scenarios differ as games; another plugin counts as one key."""
    told = ("name", "about", "expect")
    old, new = ({k: v for k, v in s.as_data().items() if k not in told} for s in (before, after))
    return set(_changed(old, new))


def _changed(old: dict[str, Any], new: dict[str, Any], place: str = "") -> list[str]:
    found = []
    for key in sorted({*old, *new}):
        mine, theirs, here = old.get(key), new.get(key), f"{place}{key}"
        if isinstance(mine, dict) and isinstance(theirs, dict) and mine.keys() == theirs.keys():
            found += _changed(mine, theirs, f"{here}.")
        elif mine != theirs:
            found.append(here)
    return found


@every_scenario
def test_scenario_has_its_story(name: str) -> None:
    """It bears its file's name, tells in full sentences what is to be seen, and is kept short."""
    found = scenario(name)
    assert found.name == Path(name).name
    assert re.match(r"[A-Z].*\.\s*\Z", found.about, re.DOTALL)
    assert 60 < len(found.about) < 600


@every_scenario
def test_scenario_expects_real_conditions(name: str) -> None:
    """It says what its diagnoses will be, of conditions that somebody detects."""
    expected = scenario(name).expect
    assert expected
    assert set(expected) <= conditions()
    asked = {
        plugins.load("detectors", choice.name).condition  # type: ignore[attr-defined]
        for choice in scenario(name).detection.detectors
    }
    assert set(expected) <= asked


@every_scenario
def test_scenario_can_be_made(name: str) -> None:
    """Every plugin and option that it names exists."""
    parts = Components.from_scenario(scenario(name), name)
    assert parts.probes
    assert parts.detectors


@every_scenario
def test_scenario_extends_a_neighbour(name: str) -> None:
    """What it extends is shipped too, and lies in its folder, wherever gandiag is installed."""
    file = list_shipped()[name]
    written = yaml.safe_load(file.read_text(encoding="utf-8"))
    if "extends" in written:
        assert Path(written["extends"]).name == written["extends"]
        assert file.with_name(written["extends"]) in list_shipped().values()


@every_scenario
def test_scenario_names_no_machine(name: str) -> None:
    """It holds no path of the machine that it was written on, and leaves the device open."""
    text = list_shipped()[name].read_text(encoding="utf-8")
    assert not MACHINE.search(text)
    assert scenario(name).device == "auto"


@every_scenario
def test_scenario_is_long_enough_and_short(name: str) -> None:
    """It is long enough to be judged, and ends within minutes."""
    training = scenario(name).training
    turns = training.steps * (1 + training.discriminator.steps / training.generator.steps)
    assert SHORTEST < training.steps <= LONGEST
    assert turns <= TURNS
    for probe in ("diversity", "displacement"):
        assert training.steps // scenario(name).probes[probe]["every"] >= LOOKS
    assert training.steps // scenario(name).sample_grid_every >= SHEETS


@pytest.mark.parametrize("name", FAILING)
def test_failure_has_its_cure(name: str) -> None:
    """Beside every failing game lies one that differs little and expects that nothing fails."""
    cured = scenario(f"{name}_cured")
    assert set(cured.expect) == conditions()
    assert set(cured.expect.values()) == {"absent"}
    keys = changed(scenario(name), cured)
    assert 1 <= len(keys) <= CHANGES, keys
    assert all(key.split(".")[0] in ("training", "variant") for key in keys), keys
    assert "training.steps" not in keys


def test_every_condition_is_shown() -> None:
    """For each condition there is a game that has it, and the healthy one has none."""
    assert {
        condition
        for name in FAILING
        for condition, status in scenario(name).expect.items()
        if status == "present"
    } == conditions()
    assert scenario("healthy").expect == dict.fromkeys(conditions(), "absent")
