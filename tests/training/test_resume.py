"""A run that goes on after an interruption ends with the same bits as one that never stopped."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from gandiag.diagnosis.detectors.mode_collapse import ModeCollapse
from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.plugins import registry as plugins
from gandiag.plugins.errors import BadInput
from gandiag.records.record import Record, Row
from gandiag.records.run_folder import STATE_FILE
from gandiag.scenario.schema import Scenario
from gandiag.training import checkpoints
from gandiag.training.checkpoints import find_checkpoint, list_checkpoints
from gandiag.training.pipeline import Continuity, run

STEPS = 70  # more than the 50 steps between two flushes of the measurements
ALL_OPTIONS: dict[str, Any] = {
    "averaging": 0.9,
    "decay_from": 0.5,
    "instance_noise": {"sd": 0.2},
}
PENALTIES: dict[str, Any] = {"gradient_penalty": 1.0, "r1": 0.1, "label_smoothing": 0.1}
SGD: dict[str, Any] = {
    "generator": {"optimizer": {"name": "sgd", "momentum": 0.5}},
    "discriminator": {"optimizer": "sgd"},
}
RMSPROP: dict[str, Any] = {
    "generator": {"optimizer": "rmsprop"},
    "discriminator": {"optimizer": "rmsprop", "steps": 2},
}
# Variant, its options, and options of the training. Together they have each variant, each optimizer
# and each option that keeps anything from one step to the next.
CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "adam": ("vanilla", {}, {}),
    "sgd": ("vanilla", {}, SGD),
    "rmsprop": ("linear_critic", {}, RMSPROP),
    "all options": ("vanilla", PENALTIES, ALL_OPTIONS),
    "several steps": ("vanilla", {}, {"generator": {"steps": 3}, "discriminator": {"steps": 2}}),
    "spectral": ("vanilla", {"spectral_norm": True, "pack": 2}, ALL_OPTIONS),
    "minibatch": ("minibatch_discrimination", {}, {}),
    "conditional": ("conditional", {"classes": 8}, ALL_OPTIONS | SGD),
    "dirac": ("dirac", {}, RMSPROP),
    "dcgan": ("dcgan", {"width": 4, "batch_norm": True, "minibatch": "stddev"}, ALL_OPTIONS),
}


def build_scenario(name: str, folder: Path, **changes: Any) -> Scenario:
    """Return the scenario of a case, with 32 samples a batch and its file of images, if any."""
    variant, options, training = CASES[name]
    data: dict[str, Any] = {"ring": {"samples": 300, "held_out": 200}}
    if variant == "dcgan":
        path = folder / "images.npy"
        np.save(path, np.random.default_rng(0).uniform(-1, 1, (300, 8, 8)).astype(np.float32))
        data = {"npz": {"path": str(path), "held_out_share": 0.4}}
    elif variant != "dirac":
        options = {"width": 8, **options}
    return Scenario.parse(
        {
            "name": "tiny",
            "data": data,
            "variant": {variant: options},
            "training": {"steps": STEPS, "batch_size": 32, **training},
            "probes": {"diversity": {"every": 20}},
            "detection": {"every": 20},
            "sample_grid_every": 20,
            "reporters": [],
            "device": "cpu",
            **changes,
        }
    )


def stop_after(steps: int) -> Callable[[], bool]:
    """Return a function that is asked after each step, and is true after so many steps."""
    count = itertools.count(1)
    return lambda: next(count) >= steps


def interrupt(scenario: Scenario, folder: Path, step: int, is_resumed: bool = False) -> None:
    """Run, or continue a run, until it has trained for `step` further steps."""
    run(scenario, folder, continuity=Continuity(0, stop_after(step), is_resumed))


def resume(scenario: Scenario, folder: Path, **options: Any) -> None:
    """Continue a run to its end, with a checkpoint there."""
    run(scenario, folder, **options, continuity=Continuity(STEPS, is_resumed=True))


def read_results(folder: Path) -> tuple[dict[str, Any], bytes, dict[str, bytes]]:
    """Return last weights, signals, and sample grids by name."""
    weights = load_file(find_checkpoint(folder, STEPS)[1])
    grids = {path.name: path.read_bytes() for path in (folder / "samples").iterdir()}
    return weights, (folder / "signals.jsonl").read_bytes(), grids


def assert_same_results(one: Path, other: Path) -> None:
    """Check that two runs have the same weights, signals and sample grids, bit by bit."""
    (weights, *rest), (other_weights, *other_rest) = read_results(one), read_results(other)
    assert rest == other_rest
    assert weights.keys() == other_weights.keys()
    for name, tensor in weights.items():
        assert torch.equal(tensor, other_weights[name]), name


def test_cases_are_complete() -> None:
    """The cases have every variant and every optimizer."""
    assert {variant for variant, _, _ in CASES.values()} == set(plugins.list_names("variants"))
    named = json.dumps([training for _, _, training in CASES.values()])
    assert '"sgd"' in named
    assert '"rmsprop"' in named


@pytest.mark.parametrize("name", CASES)
def test_resumed_run_has_the_same_bits(name: str, tmp_path: Path) -> None:
    """After two interruptions, weights, signals and sample grids are those without any."""
    scenario = build_scenario(name, tmp_path)
    run(scenario, tmp_path / "whole", continuity=Continuity(STEPS))
    # Before the first flush, in the middle of a round of several steps, and one step after a flush.
    interrupt(scenario, tmp_path / "resumed", 23)
    assert (tmp_path / "resumed" / STATE_FILE).is_file()
    interrupt(scenario, tmp_path / "resumed", 28, is_resumed=True)
    assert Record.load(tmp_path / "resumed").environment["interrupted"]
    torch.rand(3)  # what the process drew before is of no importance
    resume(scenario, tmp_path / "resumed")
    assert_same_results(tmp_path / "whole", tmp_path / "resumed")
    assert "interrupted" not in Record.load(tmp_path / "resumed").environment
    assert not (tmp_path / "resumed" / STATE_FILE).exists()


def test_rows_after_the_state_are_measured_again(tmp_path: Path) -> None:
    """A killed run has rows, and a half-written one, after its last state: they are replaced."""
    scenario = build_scenario("adam", tmp_path)
    run(scenario, tmp_path / "whole", continuity=Continuity(STEPS))
    folder = tmp_path / "resumed"
    interrupt(scenario, folder, 30)
    kept = tmp_path / "kept"
    shutil.copy(folder / STATE_FILE, kept)
    interrupt(scenario, folder, 25, is_resumed=True)
    kept.replace(folder / STATE_FILE)  # as if the process had been killed 25 steps after it
    with (folder / "signals.jsonl").open("a") as file:
        file.write('{"step": 56, "sig')
    resume(scenario, folder)
    assert_same_results(tmp_path / "whole", folder)


def test_stop_on_is_not_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interruption does not move the evaluations, nor the step at which a failure ends a run."""

    def detect(self: ModeCollapse, record: Record) -> Diagnosis:
        found = "present" if record.last_step >= 30 else "absent"
        return Diagnosis("mode_collapse", found, "")  # type: ignore[arg-type]

    monkeypatch.setattr(ModeCollapse, "needs", frozenset())
    monkeypatch.setattr(ModeCollapse, "detect", detect)
    detection = {"every": 50, "stop_on": ["mode_collapse"]}
    scenario = build_scenario("adam", tmp_path, detection=detection)
    for folder in (tmp_path / "whole", tmp_path / "resumed"):
        if folder.name == "resumed":
            interrupt(scenario, folder, 35)
        run(scenario, folder, continuity=Continuity(0, is_resumed=folder.name == "resumed"))
    ends = [
        Record.load(tmp_path / name).environment["steps_played"] for name in ("whole", "resumed")
    ]
    assert ends == [51, 51]


def test_followers_get_the_whole_run(tmp_path: Path) -> None:
    """A follower that begins again gets the rows until the interruption, once."""
    steps: list[int] = []

    class Collector:
        def begin(self, *_: Any) -> None:
            """Do nothing."""

        def follow(self, rows: list[Row], step: int) -> None:
            """Collect the steps of the rows."""
            steps.extend(row.step for row in rows)

        alert = begin

        def end(self) -> None:
            """Do nothing."""

    scenario = build_scenario("adam", tmp_path)
    interrupt(scenario, tmp_path / "run", 60)
    resume(scenario, tmp_path / "run", followers=[Collector()])
    assert steps == sorted(set(steps))
    assert steps[0] == 0


def test_a_state_is_written_from_time_to_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without checkpoints, too, a killed run has a state, which is at most some minutes old."""
    monkeypatch.setattr(checkpoints, "STATE_SECONDS", 0.0)
    writes: list[Path] = []
    monkeypatch.setattr(
        "gandiag.training.run_state.RunState.write", lambda self, folder: writes.append(folder)
    )
    run(build_scenario("adam", tmp_path), tmp_path / "run", continuity=Continuity())
    assert len(writes) == STEPS
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_later_checkpoints_are_removed(tmp_path: Path) -> None:
    """Checkpoints until the state are kept; later ones would look like those of the new part."""
    scenario = build_scenario("adam", tmp_path)
    folder = tmp_path / "run"
    run(scenario, folder, continuity=Continuity(10, stop_after(30)))
    find_checkpoint(folder, 30)[1].rename(folder / "checkpoints" / "step-00000031.safetensors")
    run(scenario, folder, continuity=Continuity(20, is_resumed=True))
    assert [step for step, _ in list_checkpoints(folder)] == [1, 10, 20, 40, 60, STEPS]


@pytest.mark.parametrize("damage", ["cut", "no tensors", "no header", "other scenario", "no rows"])
def test_damaged_states_are_refused(tmp_path: Path, damage: str) -> None:
    """A state that is damaged, or not of this run, gives one line with the file's name."""
    scenario = build_scenario("adam", tmp_path)
    folder = tmp_path / "run"
    interrupt(scenario, folder, 55)
    path = folder / STATE_FILE
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "no tensors":
        path.write_bytes(b"no tensors")
    elif damage == "no header":
        save_file({"0": torch.zeros(2)}, path)
    elif damage == "other scenario":
        scenario = scenario.set({"seed": 7})
    else:
        (folder / "signals.jsonl").write_text("")
    with pytest.raises(BadInput, match=r"resume\.safetensors: is no state from which"):
        resume(scenario, folder)
