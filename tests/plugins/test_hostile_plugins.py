"""Installed plugins that fail: each is named and fenced off, and the rest goes on."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gandiag
from gandiag.plugins import fence
from gandiag.plugins import registry as plugins
from gandiag.plugins.builtin import BUILT_IN
from gandiag.plugins.errors import BadInput
from gandiag.records.record import Record
from gandiag.reports.report import build_report
from gandiag.reports.reporters.html import render_page
from gandiag.scenario.schema import Scenario
from gandiag.training import pipeline

# What each misbehaviour does in the place of the plugin's method.
MISBEHAVIOURS = {
    "raises": "raise ZeroDivisionError('by \x1b[2J zero')",
    "exits": "sys.exit(3)",
    "prints": "print('noise'); return good(*args)",
    "nonsense": "return {'nonsense': object()}",
    "none": "return None",
    "hangs": "\n            while True: time.sleep(0.01)",
}
# Class variables, method and correct answer of each family.
FAMILIES = {
    "datasets": ("", "load", "from gandiag.datasets.ring import Ring; return Ring().load()"),
    "variants": (
        "",
        "build",
        "from gandiag.models.variants.vanilla import Vanilla; return Vanilla(width=4).build(*args)",
    ),
    "probes": ("uses: ClassVar = frozenset()", "observe", "return {'share/generator': 0.5}"),
    "detectors": (
        "condition: ClassVar = 'odd'; needs: ClassVar = frozenset()",
        "detect",
        "from gandiag.diagnosis.diagnosis import Diagnosis; return Diagnosis('odd', 'absent', '')",
    ),
    "readers": ("", "recognises", "return False"),
    "fixes": (
        "treats: ClassVar = frozenset({'mode_collapse'}); causes: ClassVar = frozenset(); "
        "advice: ClassVar = 'Be odd.'",
        "apply",
        "return args[0].set({'training.steps': 7})",
    ),
    "reporters": ("", "publish", "return 'a place'"),
}
SOURCE = """
import sys, time
from dataclasses import dataclass
from typing import ClassVar

def good(*args):
    {good}

@dataclass(frozen=True)
class Plugin:
    '''A plugin that {name}.'''
    {variables}
    def {method}(self, *args):
        {body}
    def read(self, *args):
        return None
"""
SECONDS = 0.3  # the limit of a hanging plugin in these tests
TINY = {
    "data": {"ring": {"samples": 500, "held_out": 200}},
    "training": {"steps": 25, "batch_size": 16},
    "variant": {"vanilla": {"width": 8}},
    "probes": {"plane": False},
    "reporters": ["json"],
}
RUN = Path(__file__).parents[1] / "recorded_runs" / "ring_collapse"


@pytest.fixture(autouse=True)
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install every misbehaviour of every family, as pip leaves a package."""
    site = tmp_path / "site"
    (site / "hostile-1.0.dist-info").mkdir(parents=True)
    (site / "hostile_plugins").mkdir()
    (site / "hostile_plugins" / "__init__.py").write_text("")
    lines = []
    for family, (variables, method, good) in FAMILIES.items():
        lines.append(f"[gandiag.{family}]")
        for name, body in MISBEHAVIOURS.items():
            text = SOURCE.format(
                good=good, name=name, variables=variables or "pass", method=method, body=body
            )
            module = f"{family}_{name}"
            (site / "hostile_plugins" / f"{module}.py").write_text(text)
            lines.append(f"{name} = hostile_plugins.{module}:Plugin")
        lines.append(f"broken = hostile_plugins.{family}_nowhere:Plugin")
    info = site / "hostile-1.0.dist-info"
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hostile\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(site)
    importlib.invalidate_caches()
    for limit in ("DETECTOR_SECONDS", "FIX_SECONDS", "REPORTER_SECONDS"):
        for module in (
            "diagnosis.diagnosis",
            "reports.report",
            "reports.republish",
            "records.logs",
        ):
            monkeypatch.setattr(f"gandiag.{module}.{limit}", SECONDS, raising=False)
    plugins._entries.cache_clear()
    fence._given_up.clear()
    yield
    plugins._entries.cache_clear()
    fence._given_up.clear()
    for name in [each for each in sys.modules if each.startswith("hostile_plugins")]:
        del sys.modules[name]


@pytest.fixture(autouse=True)
def _own_warnings(unraised_warnings: list[str]) -> Iterator[None]:
    """Warnings that name a plugin of this package are expected; no others are."""
    yield
    unraised_warnings[:] = [text for text in unraised_warnings if "hostile" not in text]


def warnings_of(unraised: list[str]) -> str:
    """All warnings so far."""
    return " | ".join(unraised)


@pytest.mark.parametrize("name", MISBEHAVIOURS)
def test_detector_is_fenced_off(name: str) -> None:
    """Its answer is inconclusive and names it; the other detectors answer as without it."""
    record = gandiag.load(RUN)
    alone = gandiag.diagnose(record)
    odd = plugins.build("detectors", name)
    found = gandiag.diagnose(record, [odd, *(plugins.build("detectors", n) for n in DEFAULTS)])
    assert found[1:] == alone
    assert found[0].condition == "odd"
    if name == "prints":
        assert found[0].status == "absent"
        return
    assert found[0].status == "inconclusive"
    assert found[0].summary.startswith("Could not be evaluated: ")
    if name not in ("nonsense", "none"):
        assert f"hostile_plugins.detectors_{name}" in found[0].summary
    report = build_report(record, None, [odd], ())
    assert "Could not be evaluated" in render_page(report)


DEFAULTS = ("vanishing_gradients", "mode_collapse", "non_convergence")


def test_installed_plugins_break_nothing(tmp_path: Path, unraised_warnings: list[str]) -> None:
    """A run with a failure, and a log, are diagnosed and reported although all are installed."""
    detectors = [plugins.build("detectors", name) for name in DEFAULTS]
    fixes = plugins.build_all("fixes")
    report = build_report(gandiag.load(RUN), Scenario.parse(TINY), detectors, fixes)
    names = {suggested.fix for suggested in report.suggested_fixes}
    assert "prints" in names
    assert not names & {"raises", "exits", "nonsense", "none", "hangs", "broken"}
    log = tmp_path / "log.csv"
    log.write_text("step,d_loss,g_loss\n" + "".join(f"{i},0.7,0.7\n" for i in range(50)))
    assert isinstance(gandiag.load(log), Record)
    (tmp_path / "unknown.bin").write_bytes(bytes(range(256)))
    with pytest.raises(BadInput, match="no reader recognises"):
        gandiag.load(tmp_path / "unknown.bin")  # the readers of others are asked last
    said = warnings_of(unraised_warnings)
    for family in ("fixes", "readers"):
        for name in ("raises", "exits", "nonsense", "none", "hangs"):
            assert f"Plugin of hostile_plugins.{family}_{name}" in said, (family, name)
        assert f"plugin ignored: {family}.broken" in said
    assert "\x1b" not in said


@pytest.mark.parametrize("family", ["datasets", "variants"])
@pytest.mark.parametrize("name", ["raises", "exits", "prints", "nonsense", "none", "broken"])
def test_chosen_plugin_is_named(family: str, name: str) -> None:
    """A dataset or variant that fails ends the run with one line that names it."""
    key = {"datasets": "data", "variants": "variant"}[family]
    scenario = Scenario.parse(TINY | {key: name})
    if name == "prints":
        pipeline.run(scenario)
        return
    with pytest.raises(BadInput, match=f"hostile_plugins.{family}_") as error:
        pipeline.run(scenario)
    assert str(error.value).isprintable()


@pytest.mark.parametrize("name", ["raises", "exits", "prints", "nonsense", "none"])
def test_probe_is_switched_off(name: str, unraised_warnings: list[str]) -> None:
    """A probe that fails is switched off, the weights of the run are those without it."""
    report = pipeline.run(Scenario.parse(TINY | {"probes": {name: {"every": 5}}}))
    recorded = f"{name}/share/generator" in report.record.signals
    assert recorded == (name == "prints")
    assert "loss/value/generator" in report.record.signals
    if name != "prints":
        limit = report.record.facts["not_measured"][f"probe {name}"]
        assert "is switched off since step" in limit["text"]
        assert f"probe {name} is switched off" in warnings_of(unraised_warnings)
        unraised_warnings.clear()


@pytest.mark.parametrize("name", MISBEHAVIOURS)
def test_reporter_costs_its_report(name: str, tmp_path: Path, unraised_warnings: list[str]) -> None:
    """A reporter that fails costs its own report and a warning; the others are written."""
    pipeline.run(Scenario.parse(TINY | {"reporters": [name, "json"]}), tmp_path / "run")
    assert (tmp_path / "run" / "diagnoses.json").is_file()
    said = f"no report by Plugin of hostile_plugins.reporters_{name}"
    assert (said in warnings_of(unraised_warnings)) == (name != "prints")


@pytest.mark.parametrize("name", ["raises", "exits", "none", "hangs"])
def test_fix_on_request_is_named(name: str) -> None:
    """A fix that the user asks for and that fails is one line."""
    from gandiag.comparison.scenarios import apply_fixes

    with pytest.raises(BadInput, match=f"fixes_{name}") as error:
        apply_fixes(Scenario.parse(TINY), [name])
    assert str(error.value).isprintable()


class Follower:
    """A follower whose every method misbehaves."""

    def __init__(self, error: BaseException) -> None:
        """Raise this error."""
        self.error = error

    def begin(self, *_: Any) -> None:
        """Misbehave."""
        raise self.error

    follow = alert = end = begin


@pytest.mark.parametrize("error", [ZeroDivisionError(), SystemExit(3)])
def test_follower_is_removed(error: BaseException, unraised_warnings: list[str]) -> None:
    """A follower that fails is removed with a warning, and the run goes on."""
    report = pipeline.run(Scenario.parse(TINY), followers=[Follower(error)])
    assert report.record.environment["steps_played"] == 25
    assert "Follower is removed" in warnings_of(unraised_warnings)
    unraised_warnings.clear()


def test_hanging_plugin_is_called_once(unraised_warnings: list[str]) -> None:
    """A plugin that has exceeded its time is not called again, which would cost it each time."""
    record, odd = gandiag.load(RUN), plugins.build("detectors", "hangs")
    for text in ("took more than 0.3 s", "is not called again"):
        (found,) = gandiag.diagnose(record, [odd])
        assert text in found.summary


def test_slow_probe_measures_more_rarely(unraised_warnings: list[str]) -> None:
    """A third-party probe that takes more than its share is said, and measures more rarely."""
    from gandiag.monitoring.schedule import ScheduledProbe
    from gandiag.monitoring.snapshot import Snapshot

    class Slow:
        uses: frozenset[str] = frozenset()

        def observe(self, snapshot: Snapshot) -> dict[str, float]:
            import time

            time.sleep(0.06)
            return {"a/generator": 1.0}

    scheduled, snapshot = ScheduledProbe("slow", Slow(), 10), Any
    snapshot = type("Step", (), {"step": 5, "network_name": "generator"})()
    for _ in range(4):
        assert scheduled.observe(snapshot) == {"slow/a/generator": 1.0}
    assert scheduled.every in (40, 80)
    assert "instead of every 10" in scheduled.notice
    assert scheduled.notice in warnings_of(unraised_warnings)
    unraised_warnings.clear()


def test_every_family_is_in_the_table() -> None:
    """The table has every family whose plugins are called in a run or a diagnosis."""
    assert set(FAMILIES) | {"instruments"} == set(BUILT_IN)
