"""A job of several ranks on a small GAN: ``torch.distributed.run ranks_job.py FOLDER WHAT``.

WHAT is ``compare`` (the same game without and with a watch), or ``fail`` (rank 1 raises).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
import torch.distributed as dist
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Adam

import gandiag
from gandiag.monitoring.schedule import ScheduledProbe
from gandiag.monitoring.side_effects import without_side_effects
from gandiag.monitoring.snapshot import Snapshot
from tests.attachment.loops import LATENT, Game, game, real_fake_then_generator

STEPS = 51
FAILS = 25  # call of the generator at which rank 1 raises
OFTEN = {
    name: {"every": 5}
    for name in ("gradient", "confidence", "learning_signal", "displacement", "units")
}


@dataclass(frozen=True)
class Which:
    """Says which rank it is asked on; what is recorded is the mean of those that answered."""

    uses: ClassVar[frozenset[str]] = frozenset()

    def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
        """Return the rank, once for each player."""
        return {f"rank/{snapshot.player}": float(dist.get_rank())}


@dataclass(frozen=True)
class Keeper:
    """Keeps the newest fakes that it is shown."""

    kept: list[Tensor]
    uses: ClassVar[frozenset[str]] = frozenset({"recent"})

    def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
        """Keep the fakes of the generator's turn."""
        if snapshot.recent is not None:
            self.kept[:] = [snapshot.recent]
        return {}


def wrapped() -> Game:
    """A game whose networks average their gradients; latents are each rank's own."""
    played = game("real_fake_then_generator")
    g, d = (DistributedDataParallel(n) for n in (played.generator, played.discriminator))
    torch.manual_seed(100 + dist.get_rank())
    return Game(g, d, Adam(g.parameters()), Adam(d.parameters()), played.play, "logits")


def state(played: Game) -> dict[str, Tensor]:
    """Weights and buffers of both networks, and the random state."""
    found = {"random": torch.get_rng_state()}
    for name, network in (("g", played.generator), ("d", played.discriminator)):
        found |= {f"{name}/{key}": value.clone() for key, value in network.state_dict().items()}
    return found


def compare(folder: Path) -> None:
    """Play without and with a watch, given wrapped networks, then bare ones."""
    rank = dist.get_rank()
    alone = wrapped()
    alone.play(alone, STEPS)
    save_file(state(alone), folder / f"alone-{rank}.safetensors")
    watched = wrapped()
    fakes: list[Tensor] = []
    shown: list[Tensor] = []

    def keep(network: nn.Module, args: object, made: Tensor) -> None:
        if made.requires_grad:  # else it is the watch that looks
            fakes.append(made.detach())

    watched.generator.module.register_forward_hook(keep)
    with gandiag.attach(
        *watched[:4], scores="logits", folder=folder / "run", probes=OFTEN
    ) as watch:
        watch._watch.probes += [ScheduledProbe("which", Which(), 10)]
        watch._watch.probes += [ScheduledProbe("keeper", Keeper(shown), 50)]
        watched.play(watched, STEPS)
    assert rank == 0 or watch.publish(folder / "run") == ()
    save_file(state(watched), folder / f"watched-{rank}.safetensors")
    made = {"made": torch.cat(fakes[-16:]), "shown": torch.cat(shown or fakes[:1])}
    save_file(made, folder / f"fakes-{rank}.safetensors")
    bare = wrapped()
    inner = (bare.generator.module, bare.discriminator.module)
    with gandiag.attach(*inner, *bare[2:4], scores="logits", probes=OFTEN) as watch:
        bare.play(bare, STEPS)
        assert watch.step == STEPS
        assert bool(watch.record.signals) == (rank == 0)
    save_file(state(bare), folder / f"bare-{rank}.safetensors")
    if rank == 0:  # the others are elsewhere: whatever asked them would hang
        layer = nn.SyncBatchNorm(LATENT)
        with without_side_effects(layer):
            scores = layer(torch.randn(4, LATENT))
        assert scores.mean().abs() < 1e-6
        assert "forward" not in vars(layer)


def fail(folder: Path) -> None:
    """Rank 1 raises between two steps, and its watch is not detached."""
    played = wrapped()
    calls: list[int] = []

    def stumble(*_: object) -> None:
        calls.append(1)
        if dist.get_rank() == 1 and len(calls) == FAILS:
            raise RuntimeError("rank 1 stumbles")

    played.generator.register_forward_hook(stumble)
    attached = gandiag.attach(*played[:4], scores="logits", folder=folder / "run")
    real_fake_then_generator(played, STEPS)
    attached.detach()


if __name__ == "__main__":
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    {"compare": compare, "fail": fail}[sys.argv[2]](Path(sys.argv[1]))
    dist.destroy_process_group()
