"""Laws of what a loop may do beside its steps: instance noise, averaging, falling rates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer, register_optimizer_step_pre_hook

from gandiag.datasets.data import Data
from gandiag.models.gan import GAN
from gandiag.models.variants.dcgan import DCGAN
from gandiag.models.variants.vanilla import Vanilla
from gandiag.monitoring.fixed_latents import DISPLACEMENT_LATENTS
from gandiag.monitoring.reference import Reference
from gandiag.monitoring.schedule import ScheduledProbe
from gandiag.monitoring.snapshot import Snapshot
from gandiag.monitoring.watch import Watch
from gandiag.plugins import registry as plugins
from gandiag.records.writer import Recorder
from gandiag.scenario.training_settings import InstanceNoise, Training
from gandiag.training.batches import BatchSampler, compute_noise_factor
from gandiag.training.trainer import add_averaged_generator, train

ALL: dict[str, Any] = {
    "instance_noise": {"sd": 0.2, "until": 0.8},
    "averaging": 0.9,
    "decay_from": 0.5,
}


def plan(steps: int = 20, **options: object) -> Training:
    """Short training with batches of 32."""
    return Training.model_validate({"steps": steps, "batch_size": 32, **options})


def points_gan(latent_size: int = 4) -> GAN:
    """A small GAN for points."""
    return Vanilla(latent_size=latent_size, width=16).build((2,))


def played(
    build: Callable[[], GAN], samples: Tensor, training: Training, watch: Watch | None
) -> dict[str, Tensor]:
    """All weights and buffers after a game, the average's too, everything seeded."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        gan = add_averaged_generator(build(), training)
        train(gan, samples, training, 0, watch)
    networks = {"g": gan.generator, "d": gan.discriminator, "judged": gan.evaluated_generator}
    return {
        f"{name}.{key}": value
        for name, network in networks.items()
        for key, value in network.state_dict().items()
    }


@pytest.mark.parametrize("options", [{key: value} for key, value in ALL.items()] + [ALL])
@pytest.mark.parametrize("kind", ["points", "noisy", "images"])
def test_watch_changes_no_bit(
    kind: str,
    options: dict[str, Any],
    ring: Data,
    ring_reference: Reference,
    memory: Recorder,
    build_noisy_gan: Callable[[], GAN],
    normal: Callable[..., Tensor],
) -> None:
    """With every probe at every step, the weights are the same bits under each option and all."""
    samples, reference = ring.train, ring_reference
    build = build_noisy_gan if kind == "noisy" else points_gan
    if kind == "images":
        images = normal((400, 1, 8, 8)).tanh()
        samples, reference = (
            images[:200],
            Reference.from_samples(images[:200], images[200:], size=32),
        )
        build = lambda: DCGAN(width=4, batch_norm=True).build((1, 8, 8))  # noqa: E731
    probes = [
        ScheduledProbe(name, plugins.build("probes", name), 1)
        for name in ("diversity", "displacement")
    ]
    probes += [
        ScheduledProbe(name, plugins.build("probes", name), 1) for name in ("confidence", "units")
    ]
    sheets: list[Tensor] = []
    watch = Watch(
        probes,
        memory,
        torch.sigmoid,
        sample_grid_every=5,
        save_sample_grid=lambda _, s: sheets.append(s),
    )
    watch.set_reference(reference)
    alone = played(build, samples, plan(**options), None)
    watched = played(build, samples, plan(**options), watch)
    assert alone.keys() == watched.keys()
    assert all(torch.equal(alone[key], watched[key]) for key in alone)
    assert not any(probe.is_switched_off for probe in watch.probes)
    assert sheets


@given(st.floats(0.01, 1), st.integers(1, 5000))
def test_noise_falls_to_nothing(until: float, steps: int) -> None:
    """Instance noise is whole at first, never grows, and is gone at its end and after it."""
    noise = InstanceNoise(sd=1.0, until=until)
    left = [
        compute_noise_factor(noise, step, steps)
        for step in range(0, steps + 1, max(steps // 50, 1))
    ]
    assert left[0] == 1
    assert all(after <= before for before, after in pairwise(left))
    assert compute_noise_factor(noise, steps, steps) == 0
    assert compute_noise_factor(noise, int(until * steps) + 1, steps) == 0


def test_noise_is_in_units_of_the_data() -> None:
    """Its standard deviation is the asked share of the data's own, whatever their units."""
    samples = 50 * torch.randn(4000, 2, generator=torch.Generator().manual_seed(0))
    draws = BatchSampler(samples, None, plan(100, instance_noise={"sd": 0.4}), 0)
    added = draws.add_noise(samples, 50) - samples  # half of it is left
    assert float(added.std()) == pytest.approx(0.2 * 50, rel=0.05)
    assert draws.add_noise(samples, 100) is samples


class Sees(nn.Module):
    """A discriminator that keeps all that it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.ones(2))
        self.seen: list[Tensor] = []

    def forward(self, samples: Tensor) -> Tensor:
        """``(B,)`` scores."""
        self.seen.append(samples.detach())
        return samples @ self.slope


def test_noise_reaches_all_that_d_sees() -> None:
    """Real and fake are noisy in D's turn, and fakes in G's; the first batch already."""
    plain = points_gan()
    gan = GAN(plain.generator, Sees(), plain.objective, plain.latent_size)
    samples = torch.tensor([[3.0, 3.0], [-3.0, -3.0]] * 50)
    train(gan, samples, plan(1, instance_noise={"sd": 0.1}), 0, None)
    real, fake, judged = gan.discriminator.seen
    assert len(real.unique(dim=0)) == 32
    off = (real.abs() - 3).flatten()
    assert float(off.std()) == pytest.approx(0.3, rel=0.3)
    assert fake.shape == judged.shape == (32, 2)


def test_snapshot_has_samples_without_noise(memory: Recorder) -> None:
    """What probes see as real and fake is what data and generator gave, not what D was shown."""
    samples, shown = torch.tensor([[3.0, 3.0], [-3.0, -3.0]] * 50), []

    @dataclass(frozen=True)
    class Collects:
        uses: ClassVar[frozenset[str]] = frozenset()

        def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
            """Keep the real batch."""
            shown.append(snapshot.real)
            return {}

    watch = Watch([ScheduledProbe("collects", Collects(), 1)], memory)
    train(points_gan(), samples, plan(2, instance_noise={"sd": 0.5}), 0, watch)
    assert shown
    assert all(set(real.unique().tolist()) == {3.0, -3.0} for real in shown)


def test_average_has_closed_form(ring: Data) -> None:
    """After w_1 ... w_n the average is b^(n-1) w_1 + (1 - b) sum of b^(n-i) w_i over i > 1."""
    weights: list[Tensor] = []
    training = plan(6, averaging=0.8)
    gan = add_averaged_generator(points_gan(), training)
    first = next(gan.generator.parameters())
    watch = Watch([], Recorder(None, {}, {}), after_step=lambda _: weights.append(first.clone()))
    train(gan, ring.train, training, 0, watch)
    n, decay = len(weights), 0.8
    expected = decay ** (n - 1) * weights[0]
    for i in range(1, n):
        expected = expected + (1 - decay) * decay ** (n - 1 - i) * weights[i]
    torch.testing.assert_close(next(gan.evaluated_generator.parameters()), expected)


def test_average_plays_no_part(ring: Data) -> None:
    """Averaging changes no bit of the two players."""
    with_average = played(points_gan, ring.train, plan(averaging=0.99), None)
    without = played(points_gan, ring.train, plan(), None)
    for key in without:
        if not key.startswith("judged."):
            assert torch.equal(with_average[key], without[key])


def test_average_is_what_is_judged(ring: Data, ring_reference: Reference, memory: Recorder) -> None:
    """Newest fakes, fixed samples and sheets are the averaged generator's."""
    training, sheets, found = plan(6, averaging=0.9), {}, []
    gan = add_averaged_generator(points_gan(), training)

    @dataclass(frozen=True)
    class Compares:
        uses: ClassVar[frozenset[str]] = frozenset({"recent", "fixed", "latents"})

        def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
            """Set what is judged beside what the average makes of the same latents."""
            if snapshot.fixed is not None and snapshot.recent is not None:
                calls = [call.args[0] for call in snapshot.latents]
                made = gan.evaluated_generator(torch.cat(calls)[:DISPLACEMENT_LATENTS])
                torch.testing.assert_close(snapshot.fixed, made, rtol=0, atol=0)
                other = gan.generator(torch.cat(calls)[:DISPLACEMENT_LATENTS])
                found.append(not torch.equal(made, other))
            return {}

    watch = Watch(
        [ScheduledProbe("compares", Compares(), 1)],
        memory,
        sample_grid_every=1,
        save_sample_grid=lambda step, samples: sheets.setdefault(step, samples),
    )
    watch.set_reference(ring_reference)
    train(gan, ring.train, training, 0, watch)
    assert any(found)
    torch.testing.assert_close(
        sheets[6], watch.generate_samples(gan.evaluated_generator), rtol=0, atol=0
    )
    assert not torch.equal(sheets[6], watch.generate_samples(gan.generator))


@contextmanager
def rates() -> Iterator[list[tuple[str, float]]]:
    """The learning rate of every optimizer step, with the optimizer's kind."""
    seen: list[tuple[str, float]] = []

    def note(optimizer: Optimizer, *_: object) -> None:
        seen.append((type(optimizer).__name__, optimizer.param_groups[0]["lr"]))

    handle = register_optimizer_step_pre_hook(note)
    try:
        yield seen
    finally:
        handle.remove()


def test_rates_fall_together(ring: Data) -> None:
    """From half the run on, both players' rates fall in line, to be 0 after the last step."""
    options = {
        "decay_from": 0.5,
        "generator": {"optimizer": {"name": "sgd", "lr": 0.1}},
        "discriminator": {"optimizer": {"name": "adam", "lr": 0.01}, "steps": 2},
    }
    with rates() as seen:
        train(points_gan(), ring.train, plan(10, **options), 0, None)
    left = [1.0] * 6 + [0.8, 0.6, 0.4, 0.2]
    assert [rate for kind, rate in seen if kind == "SGD"] == pytest.approx([0.1 * x for x in left])
    twice = [0.01 * x for x in left for _ in range(2)]
    assert [rate for kind, rate in seen if kind == "Adam"] == pytest.approx(twice)


def test_rates_stay_unless_asked(ring: Data) -> None:
    """Without decay the rates are the same number at every step."""
    with rates() as seen:
        train(points_gan(), ring.train, plan(5), 0, None)
    assert {rate for _, rate in seen} == {2e-4}
