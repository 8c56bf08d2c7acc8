"""The shipped scenarios: described, valid to the last option, short, and fixed by few changes."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from gandiag.plugins import registry as plugins
from gandiag.plugins.builtin import DETECTORS
from gandiag.scenario.schema import Scenario
from gandiag.scenario.shipped import list_shipped
from gandiag.training.components import Components

# Generator steps: detectors need 500, and a demonstration should end within minutes.
SHORTEST, LONGEST = 500, 5000
MOST_STEPS = 10_000  # of both networks together
FEWEST_EVALUATIONS = 10  # of the samples, before a detector answers
FEWEST_GRIDS = 4  # sample grids that show how the samples change
MOST_CHANGES = 3  # keys in which a failing scenario and its fix differ
ABSOLUTE_PATH = re.compile(r"""(?:^|[\s"'(:=])(?:/|~|[A-Za-z]:\\|file:)\S""")


@cache
def scenario(name: str) -> Scenario:
    """A shipped scenario with every default written out."""
    return Scenario.load(list_shipped()[name])


@cache
def conditions() -> set[str]:
    """The conditions that the default detectors detect."""
    kinds = (plugins.load("detectors", name) for name in DETECTORS)
    return {kind.condition for kind in kinds}  # type: ignore[attr-defined]


def changed_keys(before: Scenario, after: Scenario) -> list[str]:
    """Dotted keys in which the runs of two scenarios differ; another plugin counts as one key."""
    ignored = ("name", "about", "expect")
    old, new = ({k: v for k, v in s.as_data().items() if k not in ignored} for s in (before, after))
    return _changed_keys(old, new)


def _changed_keys(old: dict[str, Any], new: dict[str, Any], prefix: str = "") -> list[str]:
    found = []
    for key in sorted({*old, *new}):
        first, second, path = old.get(key), new.get(key), f"{prefix}{key}"
        if isinstance(first, dict) and isinstance(second, dict) and first.keys() == second.keys():
            found += _changed_keys(first, second, f"{path}.")
        elif first != second:
            found.append(path)
    return found


def failing_scenarios() -> list[str]:
    """The shipped scenarios that expect a failure; a lesson about a failure needs no fix."""
    return [
        name
        for name in list_shipped()
        if "present" in scenario(name).expect.values() and not name.startswith("lessons/")
    ]


def test_scenarios_are_described() -> None:
    """A scenario is named after its file, and its description is a few full sentences."""
    for name in list_shipped():
        found = scenario(name)
        assert found.name == Path(name).name
        assert re.match(r"[A-Z].*\.\s*\Z", found.about, re.DOTALL), name
        assert 60 < len(found.about) < 600, name


def test_expected_conditions_are_detected() -> None:
    """A scenario expects diagnoses, and only of conditions that its own detectors detect."""
    for name in list_shipped():
        expected = set(scenario(name).expect)
        assert expected, name
        assert expected <= conditions(), name
        detected = {
            plugins.load("detectors", choice.name).condition  # type: ignore[attr-defined]
            for choice in scenario(name).detection.detectors
        }
        assert expected <= detected, name


def test_plugins_and_options_exist() -> None:
    """Every plugin and every option of a scenario exists."""
    for name in list_shipped():
        components = Components.from_scenario(scenario(name), name)
        assert components.probes
        assert components.detectors


def test_extended_files_are_shipped() -> None:
    """A scenario extends only a shipped scenario in the same folder."""
    for name, file in list_shipped().items():
        written = yaml.safe_load(file.read_text(encoding="utf-8"))
        if "extends" in written:
            assert Path(written["extends"]).name == written["extends"], name
            assert file.with_name(written["extends"]) in list_shipped().values(), name


def test_scenarios_fit_every_machine() -> None:
    """A scenario has no absolute path and does not choose a device."""
    for name, file in list_shipped().items():
        assert not ABSOLUTE_PATH.search(file.read_text(encoding="utf-8")), name
        assert scenario(name).device == "auto", name


def test_scenarios_take_minutes() -> None:
    """A scenario is long enough for its diagnoses and sample grids, and ends within minutes."""
    for name in list_shipped():
        training, probes = scenario(name).training, scenario(name).probes
        ratio = training.discriminator.steps / training.generator.steps
        assert SHORTEST < training.steps <= LONGEST, name
        assert training.steps * (1 + ratio) <= MOST_STEPS, name
        for probe in ("diversity", "displacement"):
            assert training.steps // probes[probe]["every"] >= FEWEST_EVALUATIONS, name
        # The probe `plane` draws points; a sample grid shows images.
        is_plane = scenario(name).data.name in ("gaussian", "ring", "sine")
        every = probes["plane"]["every"] if is_plane else scenario(name).sample_grid_every
        assert training.steps // every >= FEWEST_GRIDS, name


def test_failing_scenarios_have_a_fix() -> None:
    """For every failing scenario, a scenario with few changes expects no failure."""
    for name in failing_scenarios():
        fixed = scenario(f"{name}_cured")
        assert fixed.expect == dict.fromkeys(conditions(), "absent"), name
        keys = changed_keys(scenario(name), fixed)
        assert 1 <= len(keys) <= MOST_CHANGES, (name, keys)
        assert all(key.split(".")[0] in ("training", "variant") for key in keys), (name, keys)
        assert "training.steps" not in keys, name


def test_every_condition_has_a_scenario() -> None:
    """Each default condition is present in some scenario, and none is in the healthy one."""
    present = {
        condition
        for name in failing_scenarios()
        for condition, status in scenario(name).expect.items()
        if status == "present"
    }
    assert present == conditions()
    assert scenario("healthy").expect == dict.fromkeys(conditions(), "absent")
