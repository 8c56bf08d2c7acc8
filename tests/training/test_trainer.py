"""Laws of the loop: exact steps, fixed seeds, and weights that a watch does not change."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer, register_optimizer_step_post_hook

from gandiag.datasets.data import Data
from gandiag.models.gan import GAN
from gandiag.models.losses import SATURATING
from gandiag.models.networks import Scorer
from gandiag.models.variants.conditional import Conditional
from gandiag.models.variants.linear_critic import LinearCritic
from gandiag.models.variants.minibatch_discrimination import MinibatchDiscrimination
from gandiag.models.variants.vanilla import Vanilla
from gandiag.monitoring.reference import Reference
from gandiag.monitoring.schedule import ScheduledProbe
from gandiag.monitoring.snapshot import Snapshot
from gandiag.monitoring.watch import Watch
from gandiag.plugins import registry as plugins
from gandiag.plugins.builtin import BUILT_IN
from gandiag.records.record import Record
from gandiag.records.writer import Recorder
from gandiag.scenario.schema import Training
from gandiag.training.trainer import StopTraining, train

SMALL = {"latent_size": 8, "width": 16}
BUILDERS: Mapping[str, Callable[[], GAN]] = {
    "vanilla": lambda: Vanilla(**SMALL, r1=0.1).build((2,)),  # type: ignore[arg-type]
    "minibatch": lambda: MinibatchDiscrimination(**SMALL, kernels=4).build((2,)),
    "critic_clip": lambda: LinearCritic("clip", **SMALL).build((2,)),  # type: ignore[arg-type]
    "critic_penalty": lambda: LinearCritic(penalty=0.1, **SMALL).build((2,)),  # type: ignore[arg-type]
    "hinge": lambda: Vanilla("hinge", spectral_norm=True, **SMALL).build((2,)),  # type: ignore[arg-type]
    "squares": lambda: Vanilla("least_squares", 0.1, pack=2, **SMALL).build((2,)),  # type: ignore[arg-type]
    "stddev": lambda: Vanilla(minibatch="stddev", activation="relu", **SMALL).build((2,)),  # type: ignore[arg-type]
    "conditional": lambda: Conditional(classes=8, r1=0.1, **SMALL).build((2,)),  # type: ignore[arg-type]
}


def training(steps: int = 12, d: int = 1, g: int = 1, batch: int = 32) -> Training:
    """Short training with Adam at 1e-3."""
    players = {
        name: {"steps": count, "optimizer": {"name": "adam", "lr": 1e-3}}
        for name, count in (("generator", g), ("discriminator", d))
    }
    return Training.model_validate({"steps": steps, "batch_size": batch, **players})


def played(
    build: Callable[[], GAN],
    samples: Tensor,
    plan: Training,
    watch: Watch | None = None,
    seed: int = 0,
) -> tuple[GAN, Tensor]:
    """A trained GAN and torch's global random state after it, everything seeded."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        gan = build()
        labels = torch.arange(len(samples), device=samples.device) % max(gan.classes, 1)
        train(gan, samples, plan, seed, watch, labels)
        return gan, torch.get_rng_state()


def states(gan: GAN) -> dict[str, Tensor]:
    """All weights and buffers of both players."""
    return {
        f"{player}.{name}": value
        for player in ("generator", "discriminator")
        for name, value in getattr(gan, player).state_dict().items()
    }


def same_bits(one: GAN, other: GAN) -> bool:
    """Whether two GANs' weights and buffers are the same bits."""
    a, b = states(one), states(other)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def watching(reference: Reference, recorder: Recorder, every: int = 1) -> Watch:
    """A watch with every probe of the catalogue, and a sheet every third step."""
    names = BUILT_IN["probes"]
    probes = [ScheduledProbe(name, plugins.build("probes", name), every) for name in names]
    watch = Watch(
        probes,
        recorder,
        torch.sigmoid,
        flush_every=5,
        sample_grid_every=3,
        save_sample_grid=lambda step, samples: None,
    )
    watch.set_reference(reference)
    return watch


@pytest.mark.parametrize("name", [*BUILDERS, "noisy"])
def test_watch_changes_no_bit(
    name: str,
    ring: Data,
    ring_reference: Reference,
    memory: Recorder,
    build_noisy_gan: Callable[[], GAN],
) -> None:
    """With every probe at every step, weights, buffers and random state are the same bits."""
    build = BUILDERS.get(name, build_noisy_gan)
    plan = training(105 if name == "noisy" else 25, d=2)
    watch = watching(ring_reference, memory)
    alone, state = played(build, ring.train, plan)
    watched, watched_state = played(build, ring.train, plan, watch)
    assert same_bits(alone, watched)
    assert torch.equal(state, watched_state)
    assert not any(probe.is_switched_off for probe in watch.probes)
    modules = [*watched.generator.modules(), *watched.discriminator.modules()]
    assert all(module.training for module in modules)
    assert not any(module._forward_hooks or module._backward_hooks for module in modules)
    signals = memory.record().signals
    assert "diversity/coverage/generator" in signals
    assert ("displacement/distance/generator" in signals) == (name == "noisy")


@pytest.mark.parametrize("name", BUILDERS)
def test_seed_fixes_bits(name: str, ring: Data) -> None:
    """The same seed gives the same bits, and another seed gives others."""
    first, again, other = (
        played(BUILDERS[name], ring.train, training(), seed=seed)[0] for seed in (3, 3, 4)
    )
    assert same_bits(first, again)
    assert not same_bits(first, other)


def test_batches_have_own_stream(ring: Data) -> None:
    """Playing draws nothing from torch's global generator unless the networks do."""
    gan, state = BUILDERS["vanilla"](), torch.get_rng_state()
    train(gan, ring.train, training(), 0, None)
    assert torch.equal(torch.get_rng_state(), state)


@contextmanager
def counted(gan: GAN) -> Iterator[list[str]]:
    """The players in the order in which their optimizers stepped."""
    owners = {
        id(parameter): name
        for name in ("generator", "discriminator")
        for parameter in getattr(gan, name).parameters()
    }
    turns: list[str] = []

    def note(optimizer: Optimizer, *_: object) -> None:
        turns.append(owners[id(optimizer.param_groups[0]["params"][0])])

    handle = register_optimizer_step_post_hook(note)
    try:
        yield turns
    finally:
        handle.remove()


@pytest.mark.parametrize(
    ("steps", "d", "g"), [(6, 1, 1), (5, 3, 1), (7, 1, 3), (10, 2, 4), (2, 1, 5), (1, 4, 1)]
)
def test_steps_are_exact(ring: Data, steps: int, d: int, g: int) -> None:
    """D takes its steps, then G its own, in turn, until G has had exactly as many as asked."""
    gan = BUILDERS["vanilla"]()
    with counted(gan) as turns:
        assert train(gan, ring.train, training(steps, d, g), 0, None) == steps
    rounds = math.ceil(steps / g)
    assert Counter(turns) == {"generator": steps, "discriminator": rounds * d}
    expected = (["discriminator"] * d + ["generator"] * g) * rounds
    assert turns == expected[: len(turns)]


@dataclass(frozen=True)
class Raises:
    """A probe that raises at one step, whatever the reason."""

    error: BaseException
    step: int
    uses: ClassVar[frozenset[str]] = frozenset()

    def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
        """Return the step until it is time."""
        if snapshot.step == self.step:
            raise self.error
        return {f"step/{snapshot.network_name}": float(snapshot.step)}


@pytest.mark.parametrize("end", [11, 16])
def test_stop_falls_between_steps(ring: Data, memory: Recorder, end: int) -> None:
    """A run that is stopped after k steps has the bits of a run of k steps."""

    def stop(rows: object, step: int) -> None:
        if step >= end:
            raise StopTraining

    watch = Watch([], memory, flush_every=5, after_flush=stop)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        stopped = BUILDERS["vanilla"]()
        assert train(stopped, ring.train, training(100, d=2), 0, watch) == end
    short, _ = played(BUILDERS["vanilla"], ring.train, training(end, d=2))
    assert same_bits(stopped, short)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(1), MemoryError()])
def test_interrupted_run_opens(ring: Data, tmp_path: Path, error: BaseException) -> None:
    """Ctrl-C in the middle of a turn ends the run, and what was measured until then is kept."""
    watch = Watch([ScheduledProbe("p", Raises(error, 13), 1)], Recorder(tmp_path, {}, {}))
    plan = training(30)
    if isinstance(error, Exception):  # a probe's own error is not the run's
        with pytest.warns(RuntimeWarning, match="switched off"):
            train(BUILDERS["vanilla"](), ring.train, plan, 0, watch)
    else:
        with pytest.raises(type(error)):
            train(BUILDERS["vanilla"](), ring.train, plan, 0, watch)
    record = Record.load(tmp_path)
    assert record["p/step/generator"].values.tolist() == list(range(13))


def test_broken_network_ends_loudly(ring: Data, tmp_path: Path) -> None:
    """An error of the players themselves is not hidden, and the record still opens."""

    class Breaks(nn.Linear):
        def forward(self, samples: Tensor) -> Tensor:
            raise ZeroDivisionError

    gan = GAN(nn.Linear(4, 2), Breaks(2, 1), SATURATING, latent_size=4)
    with pytest.raises(ZeroDivisionError):
        train(gan, ring.train, training(), 0, Watch([], Recorder(tmp_path, {}, {})))
    assert Record.load(tmp_path).last_step == 0


@pytest.mark.parametrize("name", BUILDERS)
@pytest.mark.parametrize("count", [2, 20])
def test_little_data_are_enough(name: str, count: int, ring: Data) -> None:
    """With fewer samples than a batch, all of them are the batch."""
    labels = torch.arange(count) % 8
    assert train(BUILDERS[name](), ring.train[:count], training(3), 0, None, labels) == 3


def test_every_sample_is_seen(memory: Recorder) -> None:
    """In one pass over the data, every real sample is shown exactly once."""
    shown: list[float] = []

    @dataclass(frozen=True)
    class Collects:
        uses: ClassVar[frozenset[str]] = frozenset()

        def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
            """Note D's real batch."""
            if snapshot.network_name == "discriminator" and snapshot.real is not None:
                shown.extend(snapshot.real[:, 0].tolist())
            return {}

    samples = torch.arange(40.0)[:, None].repeat(1, 2)
    watch = Watch([ScheduledProbe("collects", Collects(), 1)], memory)
    train(BUILDERS["vanilla"](), samples, training(10, batch=8), 0, watch)
    assert sorted(shown[:40]) == sorted(shown[40:]) == list(range(40))
    assert shown[:40] != shown[40:]


class Point(nn.Module):
    """The Dirac generator: one parameter, which is every sample."""

    def __init__(self, at: float) -> None:
        super().__init__()
        self.at = nn.Parameter(torch.tensor([at]))

    def forward(self, latents: Tensor) -> Tensor:
        """Return the point once for each latent."""
        return self.at.expand(len(latents), 1)


def test_dirac_orbit_is_known(memory: Recorder) -> None:
    """Alternating descent on the Dirac-GAN circles its equilibrium (Mescheder 2018; science 3.1).

    From (1, 1) with steps of 0.2 the radius stays within [1.343, 1.422] for 500 steps, while the
    parameters turn around. Here D plays first, so it begins one step of its own before psi = 1.
    """
    psi = 1.0
    for _ in range(30):
        psi = 1 - 0.2 / (1 + math.exp(psi))
    slope = nn.Linear(1, 1, bias=False)
    slope.weight.data = torch.tensor([[-psi]])  # D(x) = -psi x: reals at 0 score 0
    point = Point(1.0)
    gan = GAN(point, Scorer(slope), SATURATING, latent_size=1)

    @dataclass(frozen=True)
    class Where:
        uses: ClassVar[frozenset[str]] = frozenset()

        def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
            """Both parameters, once D has stepped."""
            if snapshot.network_name == "discriminator":
                return {}
            return {"at": point.at[0].clone(), "slope": slope.weight[0, 0].clone()}

    sgd = {"optimizer": {"name": "sgd", "lr": 0.2}}
    plan = Training.model_validate(
        {"steps": 500, "batch_size": 2, "generator": sgd, "discriminator": sgd}
    )
    train(gan, torch.zeros(2, 1), plan, 0, Watch([ScheduledProbe("where", Where(), 1)], memory))
    at, weight = memory.record()["where/at"].values, memory.record()["where/slope"].values
    radius = (at**2 + weight**2) ** 0.5
    assert radius.min() == pytest.approx(1.343, abs=0.002)
    assert radius.max() == pytest.approx(1.422, abs=0.002)
    turns = int(((at[1:] > 0) != (at[:-1] > 0)).sum()) / 2
    assert 6 <= turns <= 8


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("name", BUILDERS)
def test_gpu_is_finite(name: str, ring: Data) -> None:
    """On a GPU every variant trains to finite weights, watched or not, with the same bits."""

    def build() -> GAN:
        gan = BUILDERS[name]()
        gan.generator.cuda()
        gan.discriminator.cuda()
        return gan

    samples = ring.train.cuda()
    recorder = Recorder(None, {}, {})
    watch = watching(Reference.from_samples(samples, ring.held_out.cuda()), recorder)
    alone, _ = played(build, samples, training(25))
    watched, _ = played(build, samples, training(25), watch)
    assert same_bits(alone, watched)
    assert all(value.isfinite().all() for value in states(alone).values())
    assert not any(probe.is_switched_off for probe in watch.probes)
