"""The games of the detection benchmark, as ``detection.yaml`` and a later file list them."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import yaml

from gandiag.plugins.errors import BadInput, nearest
from gandiag.scenario.schema import Scenario

FILE = "detection.yaml"
SLOW = "detection_slow.yaml"  # of the same families, added when the first had long been judged
PARTS = ("tuning", "held_out", "slow")


@dataclass(frozen=True)
class Case:
    """One game of the benchmark; played once a seed.

    Attributes:
        name: of the case, and of the folder of its runs.
        family: data and network that it shares with others.
        part: one of `PARTS`.
        intent: why it is here; never read when runs are labelled or scored.
        scenario: the game, without a seed of its own.
    """

    name: str
    family: str
    part: str
    intent: str
    scenario: Scenario


def read_cases() -> tuple[Case, ...]:
    """Every case, in the order of the files."""
    listed, later = (
        yaml.safe_load((files("gandiag.benchmarks") / name).read_text(encoding="utf-8"))
        for name in (FILE, SLOW)
    )
    slow = {name: {"part": "slow", **entry} for name, entry in later["cases"].items()}
    return tuple(
        _case(name, entry, listed["families"][entry["family"]])
        for name, entry in (listed["cases"] | slow).items()
    )


def chosen(names: Iterable[str] = (), part: str = "") -> tuple[Case, ...]:
    """Cases by their name or their family's, of one part or of all.

    Raises:
        BadInput: a name is neither a case's nor a family's.
    """
    cases, wanted = read_cases(), tuple(names)
    known = {case.name for case in cases} | {case.family for case in cases}
    for name in wanted:
        if name not in known:
            raise BadInput("--case", f'no case or family "{name}"; {nearest(name, known)}')
    return tuple(
        case
        for case in cases
        if (not wanted or case.name in wanted or case.family in wanted)
        and (not part or case.part == part)
    )


def _case(name: str, entry: Mapping[str, Any], family: Mapping[str, Any]) -> Case:
    base = {
        "name": name,
        "about": entry["intent"],
        "reporters": [],
        "device": "cpu",
        **copy.deepcopy(family["scenario"]),
        **entry.get("scenario", {}),
    }
    place = f"{FILE}: {name}"
    scenario = Scenario.parse(base, place).set(entry["change"])
    steps = scenario.training.steps
    # no sheets but the last, and no questions on the way: a record can be asked at any step later
    scenario = scenario.set({"sample_grid_every": steps, "detection.every": steps})
    part = entry.get("part", family["part"])
    return Case(name, entry["family"], part, entry["intent"], scenario)
