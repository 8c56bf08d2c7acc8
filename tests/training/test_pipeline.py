"""The pipeline of a run: its files, its record in memory, its followers and its errors."""

from __future__ import annotations

import getpass
import json
import re
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from gandiag.diagnosis.diagnosis import Diagnosis, diagnose
from gandiag.plugins.errors import BadInput
from gandiag.records.record import Record, Row
from gandiag.reports.report import Report, build_report
from gandiag.scenario.schema import Scenario
from gandiag.training.components import Components
from gandiag.training.pipeline import run

TINY: dict[str, Any] = {
    "name": "tiny",
    "data": {"ring": {"samples": 600, "held_out": 200}},
    "variant": {"vanilla": {"width": 16, "latent_size": 8}},
    "training": {"steps": 23, "batch_size": 32},
    "detection": {"every": 10},
    "reporters": ["json"],
    "sample_grid_every": 10,
    "device": "cpu",
}


def tiny(**changes: Any) -> Scenario:
    """Return a scenario that runs for about a second."""
    return Scenario.parse(TINY | changes)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run."""
    run_folder = tmp_path_factory.mktemp("run")
    run(tiny(), run_folder)
    return run_folder


def test_run_writes_its_files(folder: Path) -> None:
    """The folder has scenario, environment, signals, sample grids and diagnoses, and no more."""
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert found == {
        "scenario.yaml",
        "environment.json",
        "signals.jsonl",
        "diagnoses.json",
        "samples/real.npy",
        "samples/step-00000001.npy",
        "samples/step-00000010.npy",
        "samples/step-00000020.npy",
    }


def test_saved_scenario_is_complete(folder: Path) -> None:
    """The saved scenario has all defaults and equals the scenario of the run."""
    assert Scenario.load(folder / "scenario.yaml") == tiny()
    written = yaml.safe_load((folder / "scenario.yaml").read_text())
    assert written["training"]["generator"]["optimizer"]["lr"] == 2e-4


def test_facts_are_present(folder: Path) -> None:
    """The record has the settings of the run and the statistics of the real data."""
    facts = Record.load(folder).facts
    assert facts["steps"] == 23
    assert facts["batch_size"] == 32
    assert facts["shape"] == [2]
    assert facts["real_pair_distance"] == pytest.approx(2.51, rel=0.1)
    assert sum(facts["mode_shares"]) == pytest.approx(1, abs=1e-4)
    assert len(facts["class_shares"]) == 8
    assert 0 < facts["turnover_baseline"] < 0.5
    assert facts["mean_energy_distance"] == pytest.approx(
        0.577, abs=0.01
    )  # eight modes on a circle


def test_environment_is_anonymous(folder: Path) -> None:
    """The environment has versions and device, but no name of user, host or home folder."""
    text = (folder / "environment.json").read_text()
    environment = json.loads(text)
    assert environment["device"] == "cpu"
    assert torch.__version__.startswith(environment["versions"]["torch"])
    assert environment["steps_played"] == 23
    assert environment["seconds"] >= 0
    for name in (getpass.getuser(), socket.gethostname(), str(Path.home())):
        assert not re.search(rf"\b{re.escape(name)}\b", text), name


def test_signals_cover_the_run(folder: Path) -> None:
    """All default probes recorded signals, except those that need a longer run."""
    record = Record.load(folder)
    assert record["loss/value/generator"].steps.tolist() == [0, 10, 20]
    probes = {name.split("/")[0] for name in record.signals}
    late = {
        "displacement",
        "diversity",
        "update",
    }  # these need 100 steps, 512 generated samples and 50 steps: more than this run has
    assert probes == set(tiny().probes) - late


def test_saved_record_gives_same_diagnoses(folder: Path) -> None:
    """The diagnoses of the saved record equal those of the run."""
    components = Components.from_scenario(tiny())
    written = json.loads((folder / "diagnoses.json").read_text())["diagnoses"]
    replayed = [found.as_json() for found in diagnose(Record.load(folder), components.detectors)]
    assert replayed == written


def test_run_in_memory_is_identical() -> None:
    """A run without a folder writes no files and records the same values."""
    one, other = run(tiny()), run(tiny())
    assert one.record.folder is None
    assert one.record.sample_grids() == []
    assert one.diagnoses == other.diagnoses
    for name, signal in one.record.signals.items():
        assert signal.values.tobytes() == other.record[name].values.tobytes(), name


def test_run_leaves_random_state() -> None:
    """A run leaves torch's global generator untouched."""
    torch.rand(7)  # a state that no earlier run has set
    state = torch.get_rng_state()
    run(tiny(training={"steps": 2, "batch_size": 32}))
    assert torch.equal(torch.get_rng_state(), state)


def test_seed_changes_the_run() -> None:
    """Another seed gives another run on the same data."""
    plan = {"steps": 3, "batch_size": 32}
    one, other = run(tiny(training=plan)), run(tiny(training=plan, seed=1))
    assert one.record.facts == other.record.facts
    name = "loss/value/generator"
    assert one.record[name].values.tolist() != other.record[name].values.tolist()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"variant": "vanila"}, 'nearest is "vanilla"'),
        ({"variant": {"vanilla": {"widht": 3}}}, "vanilla.widht"),
        ({"variant": {"vanilla": {"width": "wide"}}}, "vanilla.width"),
        ({"data": {"ring": {"modes": 0}}}, "modes"),
        ({"data": {"npz": {"path": "nowhere.npz"}}}, "nowhere.npz"),
        ({"probes": {"loss": {"every": 0}}}, "probes.loss.every"),
        ({"probes": {"los": {}}}, 'nearest is "loss"'),
        ({"detection": {"detectors": ["mode_colapse"]}}, 'nearest is "mode_collapse"'),
        ({"detection": {"stop_on": ["mode_colapse"]}}, 'nearest is "mode_collapse"'),
        ({"expect": {"collapse": "present"}}, "collapse"),
        ({"reporters": ["jsn"]}, 'nearest is "json"'),
        ({"device": "gpu"}, "cuda:<number>"),
        ({"device": "cuda:99"}, "GPU"),
    ],
)
def test_bad_scenario_writes_nothing(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    """A mistake in a scenario is reported with file and key before any file is written."""
    run_folder = tmp_path / "run"
    with pytest.raises(BadInput, match=re.escape(message)):
        run(tiny(**changes), run_folder, place="mine.yaml")
    assert not run_folder.exists()


class RecordingFollower:
    """A follower that stores its calls, and may fail at one of them."""

    def __init__(self, fails_at: str = "") -> None:
        self.calls: list[str] = []
        self.rows: list[Row] = []
        self.fails_at = fails_at

    def _add(self, call: str) -> None:
        self.calls.append(call)
        if call == self.fails_at:
            raise ConnectionError("no network")

    def begin(self, scenario: Scenario, folder: Path | None) -> None:
        """The run begins."""
        self._add("begin")

    def follow(self, rows: Sequence[Row], step: int) -> None:
        """New rows."""
        self.rows.extend(rows)
        self._add("follow")

    def alert(self, diagnosis: Diagnosis, step: int) -> None:
        """A condition appears or clears."""
        self._add("alert")

    def end(self) -> None:
        """The run is over."""
        self._add("end")


def test_followers_get_every_row() -> None:
    """A follower gets the begin, each row once and in order, and the end once."""
    follower = RecordingFollower()
    report = run(tiny(), followers=[follower])
    assert follower.calls[0] == "begin"
    assert follower.calls[-1] == "end"
    assert follower.calls.count("begin") == follower.calls.count("end") == 1
    steps = [row.step for row in follower.rows]
    assert steps == sorted(set(steps))
    assert steps == report.record["loss/value/generator"].steps.tolist()


@pytest.mark.parametrize("moment", ["begin", "follow", "end"])
def test_failing_follower_is_dropped(moment: str) -> None:
    """A follower that raises is dropped with one warning, and the run continues to its end."""
    failing, other = RecordingFollower(moment), RecordingFollower()
    with pytest.warns(RuntimeWarning, match="RecordingFollower is removed") as caught:
        report = run(tiny(), followers=[failing, other])
    assert len(caught) == 1
    assert report.record.environment["steps_played"] == 23
    assert failing.calls.count(moment) == 1
    assert other.calls[-1] == "end"


def test_interrupted_run_is_diagnosed(tmp_path: Path) -> None:
    """After Ctrl-C, the record can be opened, and followers have got the end."""

    class PressCtrlC(RecordingFollower):
        def follow(self, rows: Sequence[Row], step: int) -> None:
            """Raise KeyboardInterrupt at the first flush."""
            if step >= 1 and "follow" not in self.calls:
                self.calls.append("follow")
                raise KeyboardInterrupt

    interrupting = PressCtrlC()
    with pytest.raises(KeyboardInterrupt):
        run(tiny(), tmp_path, followers=[interrupting])
    assert interrupting.calls == ["begin", "follow", "end"]
    record = Record.load(tmp_path)
    assert record["loss/value/generator"].steps.tolist() == [0]
    assert Scenario.load(tmp_path / "scenario.yaml") == tiny()


def test_stop_on_ends_early(tmp_path: Path) -> None:
    """A condition in `stop_on` ends the run at the next diagnosis; all files are written."""
    diverging = tiny(
        training={
            "steps": 400,
            "batch_size": 32,
            "generator": {"optimizer": {"name": "sgd", "lr": 1e18}},
        },
        detection={"every": 10, "stop_on": ["non_convergence"]},
        probes={"diversity": {"every": 10}, "displacement": {"every": 10}, "units": False},
    )
    report = run(diverging, tmp_path)
    assert report.record.environment["steps_played"] < 400
    found = {d.condition: d for d in report.diagnoses}["non_convergence"]
    assert (found.status, found.kind) == ("present", "divergence")
    assert (tmp_path / "diagnoses.json").is_file()


def test_record_without_scenario_gives_a_report(folder: Path) -> None:
    """A record without a scenario is diagnosed, too, but has no suggested fixes."""
    components = Components.from_scenario(tiny())
    report = build_report(Record.load(folder), None, components.detectors, components.fixes)
    assert isinstance(report, Report)
    assert len(report.diagnoses) == len(components.detectors)
    assert report.suggested_fixes == ()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_gpu_run_is_finite(tmp_path: Path) -> None:
    """The pipeline runs on a GPU, and the environment names the GPU."""
    report = run(tiny(device="cuda"), tmp_path)
    assert report.record.environment["device"].startswith("cuda")
    assert report.record["loss/value/generator"].last < 100
