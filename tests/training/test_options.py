"""Options of the training loop: instance noise, averaged generator, learning-rate decay."""

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

ALL_OPTIONS: dict[str, Any] = {
    "instance_noise": {"sd": 0.2, "until": 0.8},
    "averaging": 0.9,
    "decay_from": 0.5,
}


def short_training(steps: int = 20, **options: object) -> Training:
    """Return settings of a short training run with batches of 32."""
    return Training.model_validate({"steps": steps, "batch_size": 32, **options})


def build_points_gan(latent_size: int = 4) -> GAN:
    """Return a small GAN for points."""
    return Vanilla(latent_size=latent_size, width=16).build((2,))


def train_weights(
    build: Callable[[], GAN], samples: Tensor, training: Training, watch: Watch | None
) -> dict[str, Tensor]:
    """Train from fixed seeds; return all weights and buffers, also of the averaged generator."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        gan = add_averaged_generator(build(), training)
        train(gan, samples, training, 0, watch)
    networks = {"g": gan.generator, "d": gan.discriminator, "evaluated": gan.evaluated_generator}
    return {
        f"{name}.{key}": value
        for name, network in networks.items()
        for key, value in network.state_dict().items()
    }


@pytest.mark.parametrize(
    "options", [{key: value} for key, value in ALL_OPTIONS.items()] + [ALL_OPTIONS]
)
@pytest.mark.parametrize("gan_type", ["points", "noisy", "images"])
def test_watch_changes_no_bit(
    gan_type: str,
    options: dict[str, Any],
    ring: Data,
    ring_reference: Reference,
    memory: Recorder,
    build_noisy_gan: Callable[[], GAN],
    normal: Callable[..., Tensor],
) -> None:
    """With each option and with all of them, a watch leaves the weights bit-identical."""
    samples, reference = ring.train, ring_reference
    build = build_noisy_gan if gan_type == "noisy" else build_points_gan
    if gan_type == "images":
        images = normal((400, 1, 8, 8)).tanh()
        samples, reference = (
            images[:200],
            Reference.from_samples(images[:200], images[200:], size=32),
        )
        build = lambda: DCGAN(width=4, batch_norm=True).build((1, 8, 8))  # noqa: E731
    probes = [
        ScheduledProbe(name, plugins.build("probes", name), 1)
        for name in ("diversity", "displacement", "confidence", "units")
    ]
    grids: list[Tensor] = []
    watch = Watch(
        probes,
        memory,
        torch.sigmoid,
        sample_grid_every=5,
        save_sample_grid=lambda _, samples: grids.append(samples),
    )
    watch.set_reference(reference)
    alone = train_weights(build, samples, short_training(**options), None)
    watched = train_weights(build, samples, short_training(**options), watch)
    assert alone.keys() == watched.keys()
    assert all(torch.equal(alone[key], watched[key]) for key in alone)
    assert not any(probe.is_switched_off for probe in watch.probes)
    assert grids


@given(st.floats(0.01, 1), st.integers(1, 5000))
def test_noise_factor_falls_to_zero(until: float, steps: int) -> None:
    """The noise factor begins at 1, never grows, and is 0 from its end on."""
    noise = InstanceNoise(sd=1.0, until=until)
    factors = [
        compute_noise_factor(noise, step, steps)
        for step in range(0, steps + 1, max(steps // 50, 1))
    ]
    assert factors[0] == 1
    assert all(after <= before for before, after in pairwise(factors))
    assert compute_noise_factor(noise, steps, steps) == 0
    assert compute_noise_factor(noise, int(until * steps) + 1, steps) == 0


def test_noise_is_in_units_of_the_data() -> None:
    """The noise's standard deviation is a share of the data's, in any units."""
    samples = 50 * torch.randn(4000, 2, generator=torch.Generator().manual_seed(0))
    sampler = BatchSampler(samples, None, short_training(100, instance_noise={"sd": 0.4}), 0)
    noise = sampler.add_noise(samples, 50) - samples  # half of the noise is left
    assert float(noise.std()) == pytest.approx(0.2 * 50, rel=0.05)
    assert sampler.add_noise(samples, 100) is samples


class RecordingDiscriminator(nn.Module):
    """A discriminator that stores all its inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))
        self.inputs: list[Tensor] = []

    def forward(self, samples: Tensor) -> Tensor:
        """Return ``(B,)`` scores."""
        self.inputs.append(samples.detach())
        return samples @ self.weight


def test_all_inputs_of_the_discriminator_have_noise() -> None:
    """Real and fake batches have noise in discriminator steps, and fake ones in generator steps."""
    plain = build_points_gan()
    gan = GAN(plain.generator, RecordingDiscriminator(), plain.objective, plain.latent_size)
    samples = torch.tensor([[3.0, 3.0], [-3.0, -3.0]] * 50)
    train(gan, samples, short_training(1, instance_noise={"sd": 0.1}), 0, None)
    real, fake, generator_fake = gan.discriminator.inputs
    assert len(real.unique(dim=0)) == 32
    noise = (real.abs() - 3).flatten()
    assert float(noise.std()) == pytest.approx(0.3, rel=0.3)
    assert fake.shape == generator_fake.shape == (32, 2)


def test_snapshot_has_samples_without_noise(memory: Recorder) -> None:
    """Snapshots have the real and generated samples without instance noise."""
    samples, real_batches = torch.tensor([[3.0, 3.0], [-3.0, -3.0]] * 50), []

    @dataclass(frozen=True)
    class CollectReal:
        uses: ClassVar[frozenset[str]] = frozenset()

        def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
            """Store the real batch."""
            real_batches.append(snapshot.real)
            return {}

    watch = Watch([ScheduledProbe("collect_real", CollectReal(), 1)], memory)
    train(build_points_gan(), samples, short_training(2, instance_noise={"sd": 0.5}), 0, watch)
    assert real_batches
    assert all(set(real.unique().tolist()) == {3.0, -3.0} for real in real_batches)


def test_average_has_closed_form(ring: Data) -> None:
    """After w_1, ..., w_n the average is b^(n-1) w_1 + (1 - b) * sum over i > 1 of b^(n-i) w_i."""
    weights: list[Tensor] = []
    training = short_training(6, averaging=0.8)
    gan = add_averaged_generator(build_points_gan(), training)
    first = next(gan.generator.parameters())
    watch = Watch([], Recorder(None, {}, {}), after_step=lambda _: weights.append(first.clone()))
    train(gan, ring.train, training, 0, watch)
    n, decay = len(weights), 0.8
    expected = decay ** (n - 1) * weights[0]
    for i in range(1, n):
        expected = expected + (1 - decay) * decay ** (n - 1 - i) * weights[i]
    torch.testing.assert_close(next(gan.evaluated_generator.parameters()), expected)


def test_average_does_not_change_training(ring: Data) -> None:
    """With an averaged generator, the weights of both networks are bit-identical."""
    with_average = train_weights(build_points_gan, ring.train, short_training(averaging=0.99), None)
    without = train_weights(build_points_gan, ring.train, short_training(), None)
    for key in without:
        if not key.startswith("evaluated."):
            assert torch.equal(with_average[key], without[key])


def test_average_is_evaluated(ring: Data, ring_reference: Reference, memory: Recorder) -> None:
    """Recent samples, fixed samples and sample grids come from the averaged generator."""
    training, grids, found = short_training(6, averaging=0.9), {}, []
    gan = add_averaged_generator(build_points_gan(), training)

    @dataclass(frozen=True)
    class CompareFixedSamples:
        uses: ClassVar[frozenset[str]] = frozenset({"recent", "fixed", "latents"})

        def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
            """Compare the fixed samples with those of both generators at the same latents."""
            if snapshot.fixed is not None and snapshot.recent is not None:
                calls = [call.args[0] for call in snapshot.latents]
                made = gan.evaluated_generator(torch.cat(calls)[:DISPLACEMENT_LATENTS])
                torch.testing.assert_close(snapshot.fixed, made, rtol=0, atol=0)
                other = gan.generator(torch.cat(calls)[:DISPLACEMENT_LATENTS])
                found.append(not torch.equal(made, other))
            return {}

    watch = Watch(
        [ScheduledProbe("compare_fixed_samples", CompareFixedSamples(), 1)],
        memory,
        sample_grid_every=1,
        save_sample_grid=lambda step, samples: grids.setdefault(step, samples),
    )
    watch.set_reference(ring_reference)
    train(gan, ring.train, training, 0, watch)
    assert any(found)
    torch.testing.assert_close(
        grids[6], watch.generate_samples(gan.evaluated_generator), rtol=0, atol=0
    )
    assert not torch.equal(grids[6], watch.generate_samples(gan.generator))


@contextmanager
def record_learning_rates() -> Iterator[list[tuple[str, float]]]:
    """Record the learning rate of each optimizer step, with the name of the optimizer's class."""
    rates: list[tuple[str, float]] = []

    def add_rate(optimizer: Optimizer, *_: object) -> None:
        rates.append((type(optimizer).__name__, optimizer.param_groups[0]["lr"]))

    handle = register_optimizer_step_pre_hook(add_rate)
    try:
        yield rates
    finally:
        handle.remove()


def test_learning_rates_decay_linearly(ring: Data) -> None:
    """After half of the run, both learning rates fall linearly, to reach 0 after the last step."""
    options = {
        "decay_from": 0.5,
        "generator": {"optimizer": {"name": "sgd", "lr": 0.1}},
        "discriminator": {"optimizer": {"name": "adam", "lr": 0.01}, "steps": 2},
    }
    with record_learning_rates() as rates:
        train(build_points_gan(), ring.train, short_training(10, **options), 0, None)
    factors = [1.0] * 6 + [0.8, 0.6, 0.4, 0.2]
    assert [rate for name, rate in rates if name == "SGD"] == pytest.approx(
        [0.1 * x for x in factors]
    )
    twice = [0.01 * x for x in factors for _ in range(2)]
    assert [rate for name, rate in rates if name == "Adam"] == pytest.approx(twice)


def test_learning_rates_are_constant_by_default(ring: Data) -> None:
    """Without decay, the learning rate is equal at all steps."""
    with record_learning_rates() as rates:
        train(build_points_gan(), ring.train, short_training(5), 0, None)
    assert {rate for _, rate in rates} == {2e-4}
