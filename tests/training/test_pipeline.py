"""Laws of the way: what a run leaves behind, on disk and in memory."""

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
    """A scenario that is over in a second."""
    return Scenario.parse(TINY | changes)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run's folder."""
    place = tmp_path_factory.mktemp("run")
    run(tiny(), place)
    return place


def test_run_leaves_its_folder(folder: Path) -> None:
    """A run's folder holds scenario, environment, signals, sheets and diagnoses, nothing half."""
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


def test_scenario_is_resolved(folder: Path) -> None:
    """The scenario that is kept says every default, and is the one that was played."""
    assert Scenario.load(folder / "scenario.yaml") == tiny()
    written = yaml.safe_load((folder / "scenario.yaml").read_text())
    assert written["training"]["generator"]["optimizer"]["lr"] == 2e-4


def test_facts_are_present(folder: Path) -> None:
    """A record knows what was planned and what the real data are like."""
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
    )  # eight spots on a circle


def test_environment_names_nobody(folder: Path) -> None:
    """Versions and device are kept; neither user, host nor home folder is named."""
    text = (folder / "environment.json").read_text()
    environment = json.loads(text)
    assert environment["device"] == "cpu"
    assert torch.__version__.startswith(environment["versions"]["torch"])
    assert environment["steps_played"] == 23
    assert environment["seconds"] >= 0
    for name in (getpass.getuser(), socket.gethostname(), str(Path.home())):
        assert not re.search(rf"\b{re.escape(name)}\b", text), name


def test_signals_cover_the_run(folder: Path) -> None:
    """Every default probe left its signals, as far as the run was long enough for them."""
    record = Record.load(folder)
    assert record["loss/value/generator"].steps.tolist() == [0, 10, 20]
    probes = {name.split("/")[0] for name in record.signals}
    late = {
        "displacement",
        "diversity",
        "update",
    }  # 100 steps, 512 fakes, 50 steps: not in this run
    assert probes == set(tiny().probes) - late


def test_replay_gives_same_answer(folder: Path) -> None:
    """The saved record is judged as the run was."""
    parts = Components.from_scenario(tiny())
    written = json.loads((folder / "diagnoses.json").read_text())["diagnoses"]
    replayed = [found.as_json() for found in diagnose(Record.load(folder), parts.detectors)]
    assert replayed == written


def test_memory_run_is_the_same() -> None:
    """A run without a folder writes nothing and records the same."""
    one, other = run(tiny()), run(tiny())
    assert one.record.folder is None
    assert one.record.sample_grids() == []
    assert one.diagnoses == other.diagnoses
    for name, signal in one.record.signals.items():
        assert signal.values.tobytes() == other.record[name].values.tobytes(), name


def test_run_leaves_random_state() -> None:
    """Torch's global generator goes on after a run as if there had been none."""
    torch.rand(7)  # elsewhere than where another run may have left it
    state = torch.get_rng_state()
    run(tiny(training={"steps": 2, "batch_size": 32}))
    assert torch.equal(torch.get_rng_state(), state)


def test_seed_decides_run() -> None:
    """Another seed plays another game on the same data."""
    plan = {"steps": 3, "batch_size": 32}
    one, other = run(tiny(training=plan)), run(tiny(training=plan, seed=1))
    assert one.record.facts == other.record.facts
    name = "loss/value/generator"
    assert one.record[name].values.tolist() != other.record[name].values.tolist()


@pytest.mark.parametrize(
    ("changes", "words"),
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
def test_bad_scenario_writes_nothing(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    """What is wrong with a scenario is said before anything is written, naming file and key."""
    place = tmp_path / "run"
    with pytest.raises(BadInput, match=re.escape(words)):
        run(tiny(**changes), place, place="mine.yaml")
    assert not place.exists()


class Listens:
    """A follower that writes down what it is told, and may fail at it."""

    def __init__(self, fails_at: str = "") -> None:
        self.calls: list[str] = []
        self.rows: list[Row] = []
        self.fails_at = fails_at

    def _note(self, call: str) -> None:
        self.calls.append(call)
        if call == self.fails_at:
            raise ConnectionError("no network")

    def begin(self, scenario: Scenario, folder: Path | None) -> None:
        """The run begins."""
        self._note("begin")

    def follow(self, rows: Sequence[Row], step: int) -> None:
        """New rows."""
        self.rows.extend(rows)
        self._note("follow")

    def alert(self, diagnosis: Diagnosis, step: int) -> None:
        """A condition appears or clears."""
        self._note("alert")

    def end(self) -> None:
        """The run is over."""
        self._note("end")


def test_followers_hear_everything() -> None:
    """A follower is told of the beginning, of every row once and in order, and of the end once."""
    listens = Listens()
    report = run(tiny(), followers=[listens])
    assert listens.calls[0] == "begin"
    assert listens.calls[-1] == "end"
    assert listens.calls.count("begin") == listens.calls.count("end") == 1
    steps = [row.step for row in listens.rows]
    assert steps == sorted(set(steps))
    assert steps == report.record["loss/value/generator"].steps.tolist()


@pytest.mark.parametrize("moment", ["begin", "follow", "end"])
def test_lost_follower_ends_nothing(moment: str) -> None:
    """A follower that fails is dropped with one warning, and the run goes on to its end."""
    lost, other = Listens(moment), Listens()
    with pytest.warns(RuntimeWarning, match="Listens no longer follows") as caught:
        report = run(tiny(), followers=[lost, other])
    assert len(caught) == 1
    assert report.record.environment["steps_played"] == 23
    assert lost.calls.count(moment) == 1
    assert other.calls[-1] == "end"


def test_interrupted_run_is_diagnosed(tmp_path: Path) -> None:
    """After Ctrl-C the folder opens, and followers were told of the end."""

    class Presses(Listens):
        def follow(self, rows: Sequence[Row], step: int) -> None:
            """Press Ctrl-C at the first flush."""
            if step >= 1 and "follow" not in self.calls:
                self.calls.append("follow")
                raise KeyboardInterrupt

    presses = Presses()
    with pytest.raises(KeyboardInterrupt):
        run(tiny(), tmp_path, followers=[presses])
    assert presses.calls == ["begin", "follow", "end"]
    record = Record.load(tmp_path)
    assert record["loss/value/generator"].steps.tolist() == [0]
    assert Scenario.load(tmp_path / "scenario.yaml") == tiny()


def test_stop_on_ends_early(tmp_path: Path) -> None:
    """A condition that ends the run does so at the next look, and the rest is as ever."""
    blown = tiny(
        training={
            "steps": 400,
            "batch_size": 32,
            "generator": {"optimizer": {"name": "sgd", "lr": 1e18}},
        },
        detection={"every": 10, "stop_on": ["non_convergence"]},
        probes={"diversity": {"every": 10}, "displacement": {"every": 10}, "units": False},
    )
    report = run(blown, tmp_path)
    assert report.record.environment["steps_played"] < 400
    found = {d.condition: d for d in report.diagnoses}["non_convergence"]
    assert (found.status, found.kind) == ("present", "divergence")
    assert (tmp_path / "diagnoses.json").is_file()


def test_saved_record_makes_a_report(folder: Path) -> None:
    """A record without a scenario is diagnosed too; no fix can be written out for it."""
    parts = Components.from_scenario(tiny())
    report = build_report(Record.load(folder), None, parts.detectors, parts.fixes)
    assert isinstance(report, Report)
    assert len(report.diagnoses) == len(parts.detectors)
    assert report.suggested_fixes == ()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_gpu_run_is_finite(tmp_path: Path) -> None:
    """The whole way runs on a GPU, and says so."""
    report = run(tiny(device="cuda"), tmp_path)
    assert report.record.environment["device"].startswith("cuda")
    assert report.record["loss/value/generator"].last < 100
