"""The training loop: exact steps, fixed seeds, and weights that a watch does not change."""

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


def short_training(steps: int = 12, d: int = 1, g: int = 1, batch: int = 32) -> Training:
    """Return settings of a short training run with Adam at a learning rate of 1e-3."""
    networks = {
        name: {"steps": count, "optimizer": {"name": "adam", "lr": 1e-3}}
        for name, count in (("generator", g), ("discriminator", d))
    }
    return Training.model_validate({"steps": steps, "batch_size": batch, **networks})


def train_seeded(
    build: Callable[[], GAN],
    samples: Tensor,
    plan: Training,
    watch: Watch | None = None,
    seed: int = 0,
) -> tuple[GAN, Tensor]:
    """Train from fixed seeds; return the GAN and the state of torch's global generator."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        gan = build()
        labels = torch.arange(len(samples), device=samples.device) % max(gan.classes, 1)
        train(gan, samples, plan, seed, watch, labels)
        return gan, torch.get_rng_state()


def get_states(gan: GAN) -> dict[str, Tensor]:
    """Return all weights and buffers of both networks."""
    return {
        f"{network}.{name}": value
        for network in ("generator", "discriminator")
        for name, value in getattr(gan, network).state_dict().items()
    }


def is_bit_identical(one: GAN, other: GAN) -> bool:
    """Return whether the weights and buffers of two GANs are bit-identical."""
    a, b = get_states(one), get_states(other)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def build_watch(reference: Reference, recorder: Recorder, every: int = 1) -> Watch:
    """Return a watch with all built-in probes, and a sample grid every third step."""
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
    """With all probes at every step, weights, buffers and random state are bit-identical."""
    build = BUILDERS.get(name, build_noisy_gan)
    plan = short_training(105 if name == "noisy" else 25, d=2)
    watch = build_watch(ring_reference, memory)
    alone, state = train_seeded(build, ring.train, plan)
    watched, watched_state = train_seeded(build, ring.train, plan, watch)
    assert is_bit_identical(alone, watched)
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
    """The same seed gives bit-identical weights, and another seed gives others."""
    first, again, other = (
        train_seeded(BUILDERS[name], ring.train, short_training(), seed=seed)[0]
        for seed in (3, 3, 4)
    )
    assert is_bit_identical(first, again)
    assert not is_bit_identical(first, other)


def test_batches_have_own_stream(ring: Data) -> None:
    """Training leaves torch's global generator untouched, unless the networks use it."""
    gan, state = BUILDERS["vanilla"](), torch.get_rng_state()
    train(gan, ring.train, short_training(), 0, None)
    assert torch.equal(torch.get_rng_state(), state)


@contextmanager
def record_steps(gan: GAN) -> Iterator[list[str]]:
    """Record the names of the networks in the order of their optimizer steps."""
    owners = {
        id(parameter): name
        for name in ("generator", "discriminator")
        for parameter in getattr(gan, name).parameters()
    }
    stepped: list[str] = []

    def add_name(optimizer: Optimizer, *_: object) -> None:
        stepped.append(owners[id(optimizer.param_groups[0]["params"][0])])

    handle = register_optimizer_step_post_hook(add_name)
    try:
        yield stepped
    finally:
        handle.remove()


@pytest.mark.parametrize(
    ("steps", "d", "g"), [(6, 1, 1), (5, 3, 1), (7, 1, 3), (10, 2, 4), (2, 1, 5), (1, 4, 1)]
)
def test_steps_are_exact(ring: Data, steps: int, d: int, g: int) -> None:
    """D takes d steps, then G takes g steps, until G has taken exactly the given number."""
    gan = BUILDERS["vanilla"]()
    with record_steps(gan) as stepped:
        assert train(gan, ring.train, short_training(steps, d, g), 0, None) == steps
    rounds = math.ceil(steps / g)
    assert Counter(stepped) == {"generator": steps, "discriminator": rounds * d}
    expected = (["discriminator"] * d + ["generator"] * g) * rounds
    assert stepped == expected[: len(stepped)]


@dataclass(frozen=True)
class RaiseAtStep:
    """A probe that raises an error at one step."""

    error: BaseException
    step: int
    uses: ClassVar[frozenset[str]] = frozenset()

    def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
        """Return the step, or raise the error at its step."""
        if snapshot.step == self.step:
            raise self.error
        return {f"step/{snapshot.network_name}": float(snapshot.step)}


@pytest.mark.parametrize("end", [11, 16])
def test_stop_happens_between_steps(ring: Data, memory: Recorder, end: int) -> None:
    """A run that is stopped after k steps is bit-identical to a run of k steps."""

    def stop(rows: object, step: int) -> None:
        if step >= end:
            raise StopTraining

    watch = Watch([], memory, flush_every=5, after_flush=stop)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        stopped = BUILDERS["vanilla"]()
        assert train(stopped, ring.train, short_training(100, d=2), 0, watch) == end
    short, _ = train_seeded(BUILDERS["vanilla"], ring.train, short_training(end, d=2))
    assert is_bit_identical(stopped, short)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError()])
def test_interrupted_run_keeps_its_measurements(
    ring: Data, tmp_path: Path, error: BaseException
) -> None:
    """Ctrl-C during a step ends the run, and all earlier measurements are in the record."""
    watch = Watch([ScheduledProbe("p", RaiseAtStep(error, 13), 1)], Recorder(tmp_path, {}, {}))
    plan = short_training(30)
    if isinstance(error, Exception):  # an error of a probe does not end the run
        with pytest.warns(RuntimeWarning, match="switched off"):
            train(BUILDERS["vanilla"](), ring.train, plan, 0, watch)
    else:
        with pytest.raises(type(error)):
            train(BUILDERS["vanilla"](), ring.train, plan, 0, watch)
    record = Record.load(tmp_path)
    assert record["p/step/generator"].values.tolist() == list(range(13))


def test_error_of_a_network_is_raised(ring: Data, tmp_path: Path) -> None:
    """An error of a network is not hidden, and the record can be opened."""

    class BrokenDiscriminator(nn.Linear):
        def forward(self, samples: Tensor) -> Tensor:
            raise ZeroDivisionError

    gan = GAN(nn.Linear(4, 2), BrokenDiscriminator(2, 1), SATURATING, latent_size=4)
    with pytest.raises(ZeroDivisionError):
        train(gan, ring.train, short_training(), 0, Watch([], Recorder(tmp_path, {}, {})))
    assert Record.load(tmp_path).last_step == 0


@pytest.mark.parametrize("name", BUILDERS)
@pytest.mark.parametrize("count", [2, 20])
def test_data_smaller_than_a_batch_are_enough(name: str, count: int, ring: Data) -> None:
    """With fewer samples than the batch size, each batch has all samples."""
    labels = torch.arange(count) % 8
    assert train(BUILDERS[name](), ring.train[:count], short_training(3), 0, None, labels) == 3


def test_pass_has_every_sample_once(memory: Recorder) -> None:
    """In one pass over the data, each real sample is used exactly once."""
    used: list[float] = []

    @dataclass(frozen=True)
    class CollectReal:
        uses: ClassVar[frozenset[str]] = frozenset()

        def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
            """Store the real batch of discriminator steps."""
            if snapshot.network_name == "discriminator" and snapshot.real is not None:
                used.extend(snapshot.real[:, 0].tolist())
            return {}

    samples = torch.arange(40.0)[:, None].repeat(1, 2)
    watch = Watch([ScheduledProbe("collect_real", CollectReal(), 1)], memory)
    train(BUILDERS["vanilla"](), samples, short_training(10, batch=8), 0, watch)
    assert sorted(used[:40]) == sorted(used[40:]) == list(range(40))
    assert used[:40] != used[40:]


class Point(nn.Module):
    """The Dirac generator: one parameter, which equals every sample."""

    def __init__(self, at: float) -> None:
        super().__init__()
        self.at = nn.Parameter(torch.tensor([at]))

    def forward(self, latents: Tensor) -> Tensor:
        """Return the point once for each latent."""
        return self.at.expand(len(latents), 1)


def test_dirac_orbit_is_known(memory: Recorder) -> None:
    """Alternating descent on the Dirac-GAN circles the equilibrium (Mescheder et al. 2018).

    From (1, 1) with a learning rate of 0.2, the radius stays in [1.343, 1.422] for 500 steps. The
    discriminator steps first here, so it begins one step before psi = 1.
    """
    psi = 1.0
    for _ in range(30):
        psi = 1 - 0.2 / (1 + math.exp(psi))
    linear = nn.Linear(1, 1, bias=False)
    linear.weight.data = torch.tensor([[-psi]])  # D(x) = -psi x: real samples at 0 score 0
    point = Point(1.0)
    gan = GAN(point, Scorer(linear), SATURATING, latent_size=1)

    @dataclass(frozen=True)
    class ReadWeights:
        uses: ClassVar[frozenset[str]] = frozenset()

        def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
            """Return both parameters in generator steps."""
            if snapshot.network_name == "discriminator":
                return {}
            return {"at": point.at[0].clone(), "weight": linear.weight[0, 0].clone()}

    sgd = {"optimizer": {"name": "sgd", "lr": 0.2}}
    plan = Training.model_validate(
        {"steps": 500, "batch_size": 2, "generator": sgd, "discriminator": sgd}
    )
    train(
        gan, torch.zeros(2, 1), plan, 0, Watch([ScheduledProbe("dirac", ReadWeights(), 1)], memory)
    )
    at, weight = memory.record()["dirac/at"].values, memory.record()["dirac/weight"].values
    radius = (at**2 + weight**2) ** 0.5
    assert radius.min() == pytest.approx(1.343, abs=0.002)
    assert radius.max() == pytest.approx(1.422, abs=0.002)
    revolutions = int(((at[1:] > 0) != (at[:-1] > 0)).sum()) / 2
    assert 6 <= revolutions <= 8


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("name", BUILDERS)
def test_gpu_is_finite(name: str, ring: Data) -> None:
    """On a GPU, all variants train to finite weights, bit-identical with and without a watch."""

    def build() -> GAN:
        gan = BUILDERS[name]()
        gan.generator.cuda()
        gan.discriminator.cuda()
        return gan

    samples = ring.train.cuda()
    recorder = Recorder(None, {}, {})
    watch = build_watch(Reference.from_samples(samples, ring.held_out.cuda()), recorder)
    alone, _ = train_seeded(build, samples, short_training(25))
    watched, _ = train_seeded(build, samples, short_training(25), watch)
    assert is_bit_identical(alone, watched)
    assert all(value.isfinite().all() for value in get_states(alone).values())
    assert not any(probe.is_switched_off for probe in watch.probes)
