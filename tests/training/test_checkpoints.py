"""Tests of checkpoints: which are written, that they are complete and change nothing."""

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


def build_gan(width: int = 8) -> GAN:
    """Return untrained networks as in the tiny scenario."""
    return Vanilla(width=width, latent_size=2).build((2,))


def checkpoint_steps(folder: Path) -> list[int]:
    """Return the steps of the checkpoints in a folder."""
    return [step for step, _ in list_checkpoints(folder)]


def test_run_writes_checkpoints(tmp_path: Path) -> None:
    """If requested, a run writes checkpoints after step 1, every N steps and at its end."""
    gandiag.run(Scenario.parse(TINY), tmp_path / "kept", checkpoint_every=10)
    assert checkpoint_steps(tmp_path / "kept") == [1, 10, 20, 25]
    gandiag.run(Scenario.parse(TINY), tmp_path / "plain")
    assert not (tmp_path / "plain" / "checkpoints").exists()


def test_checkpoints_change_nothing(tmp_path: Path) -> None:
    """Signals of runs with and without checkpoints are the same, byte by byte."""
    for name, every in (("kept", 5), ("plain", 0)):
        gandiag.run(Scenario.parse(TINY), tmp_path / name, checkpoint_every=every)
    kept, plain = (tmp_path / name / "signals.jsonl" for name in ("kept", "plain"))
    assert kept.read_bytes() == plain.read_bytes()


def test_checkpoint_restores_all_tensors(tmp_path: Path) -> None:
    """Restored weights and buffers of both networks are the written ones, bit by bit."""
    one, other = build_gan(), build_gan()
    one.generator.register_buffer("seen", torch.arange(3))
    other.generator.register_buffer("seen", torch.zeros(3, dtype=torch.int64))
    writer = CheckpointWriter(tmp_path, 7)
    writer(1, one)
    restore_networks(other, find_checkpoint(tmp_path)[1])
    for mine, theirs in (
        (one.generator, other.generator),
        (one.discriminator, other.discriminator),
    ):
        for name, tensor in mine.state_dict().items():
            assert torch.equal(tensor, theirs.state_dict()[name]), name


def test_interrupted_run_writes_its_last_step(tmp_path: Path) -> None:
    """An interrupted run writes its current networks once."""
    gan, writer = build_gan(), CheckpointWriter(tmp_path, 10)
    for step in range(1, 8):
        writer(step, gan)
    with torch.no_grad():
        next(gan.generator.parameters()).fill_(3.0)
    writer.write()
    assert checkpoint_steps(tmp_path) == [1, 7]
    assert (load_file(find_checkpoint(tmp_path, 7)[1])["generator.0.weight"] == 3).all()
    find_checkpoint(tmp_path, 7)[1].unlink()
    writer.write()
    assert checkpoint_steps(tmp_path) == [1]


def test_checkpoints_of_an_earlier_run_are_deleted(tmp_path: Path) -> None:
    """The first step of a new run deletes the checkpoints of an earlier run in its folder."""
    for step in (500, 1000):
        writer = CheckpointWriter(tmp_path, 1)
        writer(step, build_gan())
    assert checkpoint_steps(tmp_path) == [1000]
    gandiag.run(Scenario.parse(TINY), tmp_path, overwrite=True)  # a run without checkpoints
    assert checkpoint_steps(tmp_path) == []


def test_tied_weights_are_restored(tmp_path: Path) -> None:
    """A network that uses one tensor in two places is written and restored."""
    layer = nn.Linear(2, 2)
    tied = GAN(nn.Sequential(layer, layer), nn.Linear(2, 1), NON_SATURATING, 2)
    CheckpointWriter(tmp_path, 1)(1, tied)
    before = layer.weight.detach().clone()
    with torch.no_grad():
        layer.weight.zero_()
    restore_networks(tied, find_checkpoint(tmp_path)[1])
    assert torch.equal(layer.weight, before)


def test_missing_checkpoint_names_the_nearest(tmp_path: Path) -> None:
    """Without checkpoints the message names the option; without that step, the existing steps."""
    with pytest.raises(
        BadInput, match=r"no checkpoints here; gandiag run .* --checkpoint-every 500"
    ):
        find_checkpoint(tmp_path)
    writer = CheckpointWriter(tmp_path, 10)
    for step in range(1, 21):
        writer(step, build_gan())
    with pytest.raises(BadInput, match="of step 12; nearest is 10; there are 1, 10, 20"):
        find_checkpoint(tmp_path, 12)


def test_other_networks_are_refused(tmp_path: Path) -> None:
    """A checkpoint of other networks, or another file, gives one line with the file's name."""
    CheckpointWriter(tmp_path, 1)(1, build_gan())
    _, path = find_checkpoint(tmp_path)
    with pytest.raises(
        BadInput, match=r"step-00000001.safetensors: does not fit the scenario's gen"
    ):
        restore_networks(build_gan(width=16), path)
    path.write_bytes(b"no tensors")
    with pytest.raises(BadInput, match=r"step-00000001.safetensors: not a checkpoint"):
        restore_networks(build_gan(), path)


def test_run_in_memory_has_no_checkpoints() -> None:
    """A run in memory has no folder for checkpoints and fails before the training."""
    with pytest.raises(BadInput, match="checkpoint_every: checkpoints need a folder"):
        gandiag.run(Scenario.parse(TINY), checkpoint_every=5)
