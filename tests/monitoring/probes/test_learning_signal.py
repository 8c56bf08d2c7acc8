"""Laws of the slope probe: where the generator's signal dies."""

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


def played(
    make_snapshot: MakeSnapshot, objective: Objective, fake: Tensor, critic: nn.Module
) -> Snapshot:
    """A generator's turn with the gradients that autograd gives."""
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


def linear(*weights: float, bias: float = 0.0) -> Scorer:
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
def test_score_slope_is_known(
    make_snapshot: MakeSnapshot, objective: Objective, expected: float, batch: int
) -> None:
    """At logits of -10 the slope is sigma(-10), 1 - sigma(-10) or 1, for any batch size."""
    snapshot = played(make_snapshot, objective, torch.zeros(batch, 2), linear(0.0, 0.0, bias=-10.0))
    assert float(LearningSignal().observe(snapshot)["score_gradient/generator"]) == pytest.approx(
        expected, rel=1e-3
    )


def test_input_slope_is_weight_norm(
    make_snapshot: MakeSnapshot, ring_reference: Reference, normal: Normal
) -> None:
    """For a linear critic the gradient at its input sums to |w|, in units of the data's scale."""
    snapshot = played(make_snapshot, WASSERSTEIN, normal((32, 2)), linear(3.0, 4.0))
    seen = LearningSignal().observe(snapshot)
    assert float(seen["sample_gradient/generator"]) == pytest.approx(
        5 * ring_reference.pair_distance, rel=1e-5
    )


def test_critic_slope_has_no_units(make_snapshot: MakeSnapshot, normal: Normal) -> None:
    """A critic times 1000, plus 7, has the same slope over the spread of its scores."""
    fake = normal((32, 2))
    small = LearningSignal().observe(played(make_snapshot, WASSERSTEIN, fake, linear(0.003, 0.004)))
    large = LearningSignal().observe(
        played(make_snapshot, WASSERSTEIN, fake, linear(3.0, 4.0, bias=7.0))
    )
    name = "discriminator_gradient/generator"
    assert float(small[name]) == pytest.approx(float(large[name]), rel=1e-4)
    assert 1 < float(large[name]) < 10


def test_flat_critic_shows(make_snapshot: MakeSnapshot, normal: Normal) -> None:
    """A discriminator that says the same to everything has no slope and no spread."""
    seen = LearningSignal().observe(
        played(make_snapshot, NON_SATURATING, normal((32, 2)), linear(0.0, 0.0, bias=3.0))
    )
    assert float(seen["discriminator_gradient/generator"]) == 0
    assert float(seen["score_sd/generator"]) == 0


def test_exact_zero_is_reported(make_snapshot: MakeSnapshot) -> None:
    """A slope that float32 rounds to 0 is reported as 0, and what rests on it as NaN."""
    seen = LearningSignal().observe(
        played(make_snapshot, SATURATING, torch.zeros(8, 2), linear(1.0, 0.0, bias=-120.0))
    )
    assert float(seen["score_gradient/generator"]) == 0
    assert torch.as_tensor(seen["discriminator_gradient/generator"]).isnan()


def test_only_generators_turn_counts(make_snapshot: MakeSnapshot) -> None:
    """In D's turn, and where the loop shows no gradient, there is no signal."""
    assert (
        LearningSignal().observe(
            make_snapshot(network_name="discriminator", score_gradient=torch.ones(3))
        )
        == {}
    )
    assert LearningSignal().observe(make_snapshot()) == {}


def test_score_needs_no_reference(make_snapshot: MakeSnapshot) -> None:
    """Without real data to compare with, the slope at the scores is still known."""
    seen = LearningSignal().observe(
        make_snapshot(reference=None, score_gradient=-torch.ones(4) / 4)
    )
    assert {name: float(value) for name, value in seen.items()} == {"score_gradient/generator": 1.0}
