"""Cases of the detection benchmark, as ``detection.yaml`` and ``detection_slow.yaml`` list them."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import yaml

from gandiag.plugins.errors import BadInput, suggest_nearest
from gandiag.scenario.schema import Scenario

CASES_FILE = "detection.yaml"
# The slow cases belong to the same families. They were added after the first file had been
# evaluated, so they have a file of their own: the protocol bears the checksum of the first file.
SLOW_CASES_FILE = "detection_slow.yaml"
PARTS = ("tuning", "held_out", "slow")


@dataclass(frozen=True)
class Case:
    """A scenario of the benchmark. It is trained once with each seed.

    Attributes:
        name: name of the case, and of the folder of its runs.
        family: name of the data and network that the case shares with others.
        part: one of `PARTS`.
        intent: why the case is in the benchmark. Labels and scores do not depend on it.
        scenario: the scenario; its seed is replaced in each run.
    """

    name: str
    family: str
    part: str
    intent: str
    scenario: Scenario


def read_cases() -> tuple[Case, ...]:
    """Read every case, in the order of the files."""
    listed, later = (
        yaml.safe_load((files("gandiag.benchmarks") / name).read_text(encoding="utf-8"))
        for name in (CASES_FILE, SLOW_CASES_FILE)
    )
    slow = {name: {"part": "slow", **entry} for name, entry in later["cases"].items()}
    return tuple(
        _build_case(name, entry, listed["families"][entry["family"]])
        for name, entry in (listed["cases"] | slow).items()
    )


def select_cases(names: Iterable[str] = (), part: str = "") -> tuple[Case, ...]:
    """Select cases by name or by family.

    Args:
        names: names of cases or families; all cases if empty.
        part: one of `PARTS`; all parts if empty.

    Raises:
        BadInput: a name is neither that of a case nor that of a family.
    """
    cases, wanted = read_cases(), tuple(names)
    known = {case.name for case in cases} | {case.family for case in cases}
    for name in wanted:
        if name not in known:
            raise BadInput("--case", f'no case or family "{name}"; {suggest_nearest(name, known)}')
    return tuple(
        case
        for case in cases
        if (not wanted or case.name in wanted or case.family in wanted)
        and (not part or case.part == part)
    )


def _build_case(name: str, entry: Mapping[str, Any], family: Mapping[str, Any]) -> Case:
    base = {
        "name": name,
        "about": entry["intent"],
        "reporters": [],
        "device": "cpu",
        # A copy, as all cases of a family share this mapping.
        **copy.deepcopy(family["scenario"]),
        **entry.get("scenario", {}),
    }
    scenario = Scenario.parse(base, f"{CASES_FILE}: {name}").set(entry["change"])
    steps = scenario.training.steps
    # The run needs one sample grid and one diagnosis, at its end: the detectors are evaluated
    # afterwards, on the record as it was at each step.
    scenario = scenario.set({"sample_grid_every": steps, "detection.every": steps})
    part = entry.get("part", family["part"])
    return Case(name, entry["family"], part, entry["intent"], scenario)
