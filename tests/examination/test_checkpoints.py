"""Laws of checkpoints: what is kept, that it is whole, and that keeping it changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import gandiag
from gandiag.models.gan import GAN
from gandiag.models.losses import NON_SATURATING
from gandiag.models.variants.vanilla import Vanilla
from gandiag.plugins.errors import BadInput
from gandiag.scenario.schema import Scenario
from gandiag.training.checkpoints import (
    CheckpointWriter,
    find_checkpoint,
    list_checkpoints,
    restore_networks,
)

TINY: dict[str, Any] = {
    "name": "tiny",
    "data": {"ring": {"samples": 300, "held_out": 200}},
    "variant": {"vanilla": {"width": 8, "latent_size": 2}},
    "training": {"steps": 25, "batch_size": 32},
    "reporters": [],
    "device": "cpu",
}


def game(width: int = 8) -> GAN:
    """Untrained players of the tiny scenario's making."""
    return Vanilla(width=width, latent_size=2).build((2,))


def steps(folder: Path) -> list[int]:
    """Steps of the checkpoints in a folder."""
    return [step for step, _ in list_checkpoints(folder)]


def test_run_keeps_checkpoints(tmp_path: Path) -> None:
    """A run keeps its players after the first step, every so often, and at its end, if asked."""
    gandiag.run(Scenario.parse(TINY), tmp_path / "kept", checkpoint_every=10)
    assert steps(tmp_path / "kept") == [1, 10, 20, 25]
    gandiag.run(Scenario.parse(TINY), tmp_path / "plain")
    assert not (tmp_path / "plain" / "checkpoints").exists()


def test_keeping_changes_nothing(tmp_path: Path) -> None:
    """Signals of a run that keeps checkpoints are those of one that keeps none, byte by byte."""
    for name, every in (("kept", 5), ("plain", 0)):
        gandiag.run(Scenario.parse(TINY), tmp_path / name, checkpoint_every=every)
    kept, plain = (tmp_path / name / "signals.jsonl" for name in ("kept", "plain"))
    assert kept.read_bytes() == plain.read_bytes()


def test_checkpoint_is_the_players(tmp_path: Path) -> None:
    """What is restored is what was kept: weights and buffers of both players, bit by bit."""
    one, other = game(), game()
    one.generator.register_buffer("seen", torch.arange(3))
    other.generator.register_buffer("seen", torch.zeros(3, dtype=torch.int64))
    keeper = CheckpointWriter(tmp_path, 7)
    keeper(1, one)
    restore_networks(other, find_checkpoint(tmp_path)[1])
    for mine, theirs in (
        (one.generator, other.generator),
        (one.discriminator, other.discriminator),
    ):
        for name, tensor in mine.state_dict().items():
            assert torch.equal(tensor, theirs.state_dict()[name]), name


def test_end_is_kept_however_it_comes(tmp_path: Path) -> None:
    """The players of a run that breaks off are kept as they are then, and not a second time."""
    gan, keeper = game(), CheckpointWriter(tmp_path, 10)
    for step in range(1, 8):
        keeper(step, gan)
    with torch.no_grad():
        next(gan.generator.parameters()).fill_(3.0)
    keeper.write()
    assert steps(tmp_path) == [1, 7]
    assert (load_file(find_checkpoint(tmp_path, 7)[1])["generator.0.weight"] == 3).all()
    find_checkpoint(tmp_path, 7)[1].unlink()
    keeper.write()
    assert steps(tmp_path) == [1]


def test_earlier_runs_checkpoints_go(tmp_path: Path) -> None:
    """Those of an earlier run in the folder are taken away with the first of the new one."""
    for step in (500, 1000):
        keeper = CheckpointWriter(tmp_path, 1)
        keeper(step, game())
    assert steps(tmp_path) == [1000]
    gandiag.run(Scenario.parse(TINY), tmp_path, overwrite=True)  # one that keeps none
    assert steps(tmp_path) == []


def test_tied_weights_are_kept(tmp_path: Path) -> None:
    """A network that uses one tensor in two places is kept and restored."""
    layer = nn.Linear(2, 2)
    tied = GAN(nn.Sequential(layer, layer), nn.Linear(2, 1), NON_SATURATING, 2)
    CheckpointWriter(tmp_path, 1)(1, tied)
    before = layer.weight.detach().clone()
    with torch.no_grad():
        layer.weight.zero_()
    restore_networks(tied, find_checkpoint(tmp_path)[1])
    assert torch.equal(layer.weight, before)


def test_missing_checkpoint_is_told(tmp_path: Path) -> None:
    """A folder without checkpoints says how to get some; one without that step, which it has."""
    with pytest.raises(
        BadInput, match=r"no checkpoints here; gandiag run .* --checkpoint-every 500"
    ):
        find_checkpoint(tmp_path)
    keeper = CheckpointWriter(tmp_path, 10)
    for step in range(1, 21):
        keeper(step, game())
    with pytest.raises(BadInput, match="of step 12; nearest is 10; there are 1, 10, 20"):
        find_checkpoint(tmp_path, 12)


def test_other_networks_are_refused(tmp_path: Path) -> None:
    """A checkpoint of other networks, or a file that is none, is one line that names the file."""
    CheckpointWriter(tmp_path, 1)(1, game())
    _, path = find_checkpoint(tmp_path)
    with pytest.raises(
        BadInput, match=r"step-00000001.safetensors: does not fit the scenario's gen"
    ):
        restore_networks(game(width=16), path)
    path.write_bytes(b"no tensors")
    with pytest.raises(BadInput, match=r"step-00000001.safetensors: not a checkpoint"):
        restore_networks(game(), path)


def test_memory_keeps_none() -> None:
    """A run in memory has nowhere to keep checkpoints, and says so before it is played."""
    with pytest.raises(BadInput, match="checkpoint_every: checkpoints need a folder"):
        gandiag.run(Scenario.parse(TINY), checkpoint_every=5)
