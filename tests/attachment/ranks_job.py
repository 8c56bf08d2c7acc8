"""A job of several ranks that trains a small GAN: ``ranks_job.py FOLDER WHAT``.

Start it with ``torch.distributed.run``. WHAT is ``compare`` (the same loop without and with
gandiag) or ``fail`` (rank 1 raises).
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
from tests.attachment.loops import LATENT_SIZE, TrainingLoop, build_loop, real_fake_then_generator

STEPS = 51
FAILING_CALL = 25  # call of the generator at which rank 1 raises
OFTEN = {
    name: {"every": 5}
    for name in ("gradient", "confidence", "learning_signal", "displacement", "units")
}


@dataclass(frozen=True)
class RankProbe:
    """Measures the number of the rank; the record contains the mean over the ranks."""

    uses: ClassVar[frozenset[str]] = frozenset()

    def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
        """Return the rank, for both networks."""
        return {f"rank/{snapshot.network_name}": float(dist.get_rank())}


@dataclass(frozen=True)
class FakeCollector:
    """Stores the latest fakes of a snapshot."""

    kept: list[Tensor]
    uses: ClassVar[frozenset[str]] = frozenset({"recent"})

    def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
        """Store the fakes of a generator step."""
        if snapshot.recent is not None:
            self.kept[:] = [snapshot.recent]
        return {}


def build_wrapped_loop() -> TrainingLoop:
    """A loop whose networks average their gradients; each rank draws its own latents."""
    loop = build_loop("real_fake_then_generator")
    g, d = (DistributedDataParallel(n) for n in (loop.generator, loop.discriminator))
    torch.manual_seed(100 + dist.get_rank())
    return TrainingLoop(g, d, Adam(g.parameters()), Adam(d.parameters()), loop.train, "logits")


def read_state(loop: TrainingLoop) -> dict[str, Tensor]:
    """Weights and buffers of both networks, and the state of the random generator."""
    found = {"random": torch.get_rng_state()}
    for name, network in (("g", loop.generator), ("d", loop.discriminator)):
        found |= {f"{name}/{key}": value.clone() for key, value in network.state_dict().items()}
    return found


def compare(folder: Path) -> None:
    """Train without gandiag, then with it on wrapped networks, then with it on inner networks."""
    rank = dist.get_rank()
    unwatched = build_wrapped_loop()
    unwatched.train(unwatched, STEPS)
    save_file(read_state(unwatched), folder / f"unwatched-{rank}.safetensors")
    watched = build_wrapped_loop()
    fakes: list[Tensor] = []
    shown: list[Tensor] = []

    def collect(network: nn.Module, args: object, fake: Tensor) -> None:
        if fake.requires_grad:  # otherwise gandiag has called the network
            fakes.append(fake.detach())

    watched.generator.module.register_forward_hook(collect)
    with gandiag.attach(
        *watched[:4], scores="logits", folder=folder / "run", probes=OFTEN
    ) as watch:
        watch._session.watch.probes += [ScheduledProbe("which", RankProbe(), 10)]
        watch._session.watch.probes += [ScheduledProbe("collector", FakeCollector(shown), 50)]
        watched.train(watched, STEPS)
    assert rank == 0 or watch.publish(folder / "run") == ()
    save_file(read_state(watched), folder / f"watched-{rank}.safetensors")
    tensors = {"generated": torch.cat(fakes[-16:]), "shown": torch.cat(shown or fakes[:1])}
    save_file(tensors, folder / f"fakes-{rank}.safetensors")
    bare = build_wrapped_loop()
    inner = (bare.generator.module, bare.discriminator.module)
    with gandiag.attach(*inner, *bare[2:4], scores="logits", probes=OFTEN) as watch:
        bare.train(bare, STEPS)
        assert watch.step == STEPS
        assert bool(watch.record.signals) == (rank == 0)
    save_file(read_state(bare), folder / f"bare-{rank}.safetensors")
    if rank == 0:  # no other rank runs this: a collective would hang
        layer = nn.SyncBatchNorm(LATENT_SIZE)
        with without_side_effects(layer):
            scores = layer(torch.randn(4, LATENT_SIZE))
        assert scores.mean().abs() < 1e-6
        assert "forward" not in vars(layer)


def fail(folder: Path) -> None:
    """Rank 1 raises between two steps, and is not detached."""
    loop = build_wrapped_loop()
    calls: list[int] = []

    def raise_on_rank_1(*_: object) -> None:
        calls.append(1)
        if dist.get_rank() == 1 and len(calls) == FAILING_CALL:
            raise RuntimeError("rank 1 fails")

    loop.generator.register_forward_hook(raise_on_rank_1)
    attached = gandiag.attach(*loop[:4], scores="logits", folder=folder / "run")
    real_fake_then_generator(loop, STEPS)
    attached.detach()


if __name__ == "__main__":
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    {"compare": compare, "fail": fail}[sys.argv[2]](Path(sys.argv[1]))
    dist.destroy_process_group()
