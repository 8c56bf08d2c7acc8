"""Tests of the plane probe: closed forms for linear networks."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from gandiag.models.gan import GAN
from gandiag.models.networks import Scorer
from gandiag.monitoring.probes.plane import VIEW_MARGIN, Plane
from gandiag.monitoring.reference import Reference
from gandiag.monitoring.snapshot import Call, Snapshot

MakeSnapshot = Callable[..., Snapshot]
Normal = Callable[..., Tensor]


def as_tensor(value: float | Tensor) -> Tensor:
    """The value of a signal that is a vector."""
    assert isinstance(value, Tensor)
    return value


def calls(latents: Tensor) -> tuple[Call, ...]:
    """The generator's calls that generate the fixed samples."""
    return (Call((latents,), {}),)


def test_view_contains_the_data(
    make_snapshot: MakeSnapshot, ring_reference: Reference, normal: Normal
) -> None:
    """All real points lie in the view, with a margin around them."""
    low, high, points = as_tensor(
        Plane().observe(make_snapshot(fake=normal((8, 2))))["view/generator"]
    )
    real = ring_reference.features + ring_reference.mean
    extent = float(real.max() - real.min())
    assert math.isclose(float(real.min() - low), VIEW_MARGIN * extent, rel_tol=1e-4)
    assert math.isclose(float(high - real.max()), VIEW_MARGIN * extent, rel_tol=1e-4)
    assert int(points) == Plane().points


def test_grid_of_a_linear_discriminator(make_snapshot: MakeSnapshot, normal: Normal) -> None:
    """A linear D's P(real) is sigmoid(w x + b) at each point of the grid, rows from below."""
    body = nn.Linear(2, 1)
    fields = {"fake": normal((8, 2)), "latents": calls(normal((64, 4)))}
    found = Plane(cells=5).observe(
        make_snapshot(discriminator=Scorer(body), probability=torch.sigmoid, **fields)
    )
    low, high, _ = as_tensor(found["view/generator"])
    axis = torch.linspace(float(low), float(high), 5)
    for row, y in enumerate(axis):
        for column, x in enumerate(axis):
            expected = torch.sigmoid(body(torch.stack([x, y])))
            torch.testing.assert_close(
                as_tensor(found["probability/discriminator"])[5 * row + column], expected[0]
            )


def test_critic_has_scores(make_snapshot: MakeSnapshot, normal: Normal) -> None:
    """For a critic, which has no P(real), the score is recorded under its own name."""
    found = Plane().observe(make_snapshot(fake=normal((8, 2)), latents=calls(normal((64, 4)))))
    assert "score/discriminator" in found
    assert "probability/discriminator" not in found


def test_descent_direction(make_snapshot: MakeSnapshot, normal: Normal) -> None:
    """The direction of a sample is -dL_G/dx of its own term of the mean, for any batch size."""
    fake = normal((8, 2)).requires_grad_()
    loss = (fake * torch.tensor([3.0, -1.0])).sum(1).mean()
    (gradient,) = torch.autograd.grad(loss, fake)
    found = Plane().observe(make_snapshot(fake=fake.detach(), input_gradient=gradient))
    descent = as_tensor(found["gradient/generator"]).reshape(8, 2)
    torch.testing.assert_close(descent, torch.tensor([-3.0, 1.0]).expand(8, 2))


def test_paths_of_a_linear_generator_are_ellipses(
    make_snapshot: MakeSnapshot, normal: Normal
) -> None:
    """G(cos(t) z + sin(t) z') = cos(t) G(z) + sin(t) G(z') for a linear G."""
    generator, latents = nn.Linear(4, 2, bias=False), normal((64, 4))
    fields = {"fake": normal((8, 2)), "latents": calls(latents), "generator": generator}
    found = Plane(paths=3, points=6).observe(make_snapshot(**fields))
    paths = as_tensor(found["latent_path/generator"]).reshape(3, 6, 2)
    ends, others = generator(latents), generator(latents.roll(1, 0))
    for point in range(6):
        angle = 2 * math.pi * point / 6
        expected = math.cos(angle) * ends[:3] + math.sin(angle) * others[:3]
        torch.testing.assert_close(paths[:, point], expected.detach())


def test_only_samples_with_two_coordinates(make_snapshot: MakeSnapshot, normal: Normal) -> None:
    """Other samples, discriminator steps and runs without a reference give no signal."""
    assert Plane().observe(make_snapshot(fake=normal((8, 3)))) == {}
    assert Plane().observe(make_snapshot(fake=normal((8, 1, 4, 4)))) == {}
    assert Plane().observe(make_snapshot(fake=normal((8, 2)), network_name="discriminator")) == {}
    assert Plane().observe(make_snapshot(fake=normal((8, 2)), reference=None)) == {}


def test_conditional_networks_are_not_evaluated(
    make_snapshot: MakeSnapshot, normal: Normal
) -> None:
    """If G needs labels too, only samples are recorded, and no network is called without them."""
    labelled = (Call((normal((64, 4)), torch.zeros(64, dtype=torch.long)), {}),)
    found = Plane().observe(make_snapshot(fake=normal((8, 2)), latents=labelled))
    assert set(found) == {"view/generator", "fake/generator"}


def test_evaluation_has_no_side_effects(
    make_snapshot: MakeSnapshot, normal: Normal, build_noisy_gan: Callable[[], GAN]
) -> None:
    """Statistics of BatchNorm, random states and weights are the same after an evaluation."""
    gan = build_noisy_gan()
    networks = nn.ModuleList([gan.generator, gan.discriminator])
    before = {name: value.clone() for name, value in networks.state_dict().items()}
    state = torch.get_rng_state()
    fields = {"fake": normal((8, 2)), "latents": calls(normal((64, 4)))}
    found = Plane().observe(
        make_snapshot(generator=gan.generator, discriminator=gan.discriminator, **fields)
    )
    assert "latent_path/generator" in found
    assert torch.equal(torch.get_rng_state(), state)
    for name, value in networks.state_dict().items():
        assert torch.equal(value, before[name]), name
