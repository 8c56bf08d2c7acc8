"""Tests of the learning signal probe: gradients from G's loss to its output."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gandiag.models.gan import Objective
from gandiag.models.losses import NON_SATURATING, SATURATING, WASSERSTEIN
from gandiag.models.networks import Scorer
from gandiag.monitoring.probes.learning_signal import LearningSignal
from gandiag.monitoring.reference import Reference
from gandiag.monitoring.snapshot import Snapshot

MakeSnapshot = Callable[..., Snapshot]
Normal = Callable[..., Tensor]


def snapshot_of(
    make_snapshot: MakeSnapshot, objective: Objective, fake: Tensor, critic: nn.Module
) -> Snapshot:
    """A generator step with the gradients that autograd computes."""
    fake = fake.clone().requires_grad_()
    scores = critic(fake)
    scores.retain_grad()
    objective.generator(scores).backward()
    return make_snapshot(
        fake=fake.detach(),
        fake_scores=scores.detach(),
        real_scores=critic(torch.zeros(4, 2)).detach(),
        score_gradient=scores.grad,
        input_gradient=fake.grad,
    )


def linear_critic(*weights: float, bias: float = 0.0) -> Scorer:
    """``D(x) = w . x + b``."""
    layer = nn.Linear(len(weights), 1)
    layer.weight.data = torch.tensor([weights])
    layer.bias.data = torch.tensor([bias])
    return Scorer(layer)


@pytest.mark.parametrize("batch", [1, 8, 64])
@pytest.mark.parametrize(
    ("objective", "expected"),
    [(SATURATING, 4.54e-5), (NON_SATURATING, 0.99995), (WASSERSTEIN, 1.0)],
)
def test_score_gradient_is_known(
    make_snapshot: MakeSnapshot, objective: Objective, expected: float, batch: int
) -> None:
    """At logits of -10 it is sigma(-10), 1 - sigma(-10) or 1, for any batch size."""
    snapshot = snapshot_of(
        make_snapshot, objective, torch.zeros(batch, 2), linear_critic(0.0, 0.0, bias=-10.0)
    )
    assert float(LearningSignal().observe(snapshot)["score_gradient/generator"]) == pytest.approx(
        expected, rel=1e-3
    )


def test_sample_gradient_is_weight_norm(
    make_snapshot: MakeSnapshot, ring_reference: Reference, normal: Normal
) -> None:
    """For a linear critic the sample gradient is ||w|| times the real pair distance."""
    snapshot = snapshot_of(make_snapshot, WASSERSTEIN, normal((32, 2)), linear_critic(3.0, 4.0))
    found = LearningSignal().observe(snapshot)
    assert float(found["sample_gradient/generator"]) == pytest.approx(
        5 * ring_reference.pair_distance, rel=1e-5
    )


def test_discriminator_gradient_has_no_unit(make_snapshot: MakeSnapshot, normal: Normal) -> None:
    """If a critic is multiplied by 1000 and shifted by 7, its relative gradient stays the same."""
    fake = normal((32, 2))
    small = LearningSignal().observe(
        snapshot_of(make_snapshot, WASSERSTEIN, fake, linear_critic(0.003, 0.004))
    )
    large = LearningSignal().observe(
        snapshot_of(make_snapshot, WASSERSTEIN, fake, linear_critic(3.0, 4.0, bias=7.0))
    )
    name = "discriminator_gradient/generator"
    assert float(small[name]) == pytest.approx(float(large[name]), rel=1e-4)
    assert 1 < float(large[name]) < 10


def test_constant_discriminator_has_no_gradient(
    make_snapshot: MakeSnapshot, normal: Normal
) -> None:
    """A constant discriminator has no gradient and no spread of scores."""
    found = LearningSignal().observe(
        snapshot_of(
            make_snapshot, NON_SATURATING, normal((32, 2)), linear_critic(0.0, 0.0, bias=3.0)
        )
    )
    assert float(found["discriminator_gradient/generator"]) == 0
    assert float(found["score_sd/generator"]) == 0


def test_exact_zero_is_reported(make_snapshot: MakeSnapshot) -> None:
    """A score gradient that float32 rounds to 0 is recorded as 0, and the ratio to it as NaN."""
    found = LearningSignal().observe(
        snapshot_of(
            make_snapshot, SATURATING, torch.zeros(8, 2), linear_critic(1.0, 0.0, bias=-120.0)
        )
    )
    assert float(found["score_gradient/generator"]) == 0
    assert torch.as_tensor(found["discriminator_gradient/generator"]).isnan()


def test_only_generator_steps_count(make_snapshot: MakeSnapshot) -> None:
    """In a discriminator step, or without gradients, there is no signal."""
    assert (
        LearningSignal().observe(
            make_snapshot(network_name="discriminator", score_gradient=torch.ones(3))
        )
        == {}
    )
    assert LearningSignal().observe(make_snapshot()) == {}


def test_score_gradient_needs_no_reference(make_snapshot: MakeSnapshot) -> None:
    """Without a reference the score gradient is still recorded."""
    found = LearningSignal().observe(
        make_snapshot(reference=None, score_gradient=-torch.ones(4) / 4)
    )
    assert {name: float(value) for name, value in found.items()} == {
        "score_gradient/generator": 1.0
    }
