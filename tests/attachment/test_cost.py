"""gandiag makes no forward pass whose result it already has."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as loss
from torch.optim import SGD

import gandiag

STEPS = 12


class Counting(nn.Module):
    """A linear discriminator; it counts calls with gradients (training) and without (measuring)."""

    def __init__(self) -> None:
        """Create the layer."""
        super().__init__()
        self.layer = nn.Linear(4, 1)
        self.calls: Counter[str] = Counter()

    def forward(self, samples: Tensor) -> Tensor:
        """``(B, 4)`` to ``(B, 1)``."""
        self.calls["training" if torch.is_grad_enabled() else "measuring"] += 1
        scores: Tensor = self.layer(samples)
        return scores


def train(same_fakes: bool, early: bool = False) -> tuple[Counter[str], Any, list[float]]:
    """Train for a few steps; return the calls, the record, and the gap after each step of D.

    Args:
        same_fakes: whether the generator step uses the fakes of the discriminator step.
        early: whether both networks compute their gradients before either of them steps.
    """
    torch.manual_seed(0)
    generator, critic = nn.Linear(3, 4), Counting()
    generator_step, critic_step = (SGD(n.parameters(), lr=0.5) for n in (generator, critic))
    probes = {name: False for name in gandiag.Scenario().probes} | {
        "confidence_after": {"every": 1}
    }
    gaps = []
    with gandiag.attach(
        generator, critic, generator_step, critic_step, scores="logits", probes=probes
    ) as watch:
        for _ in range(STEPS):
            real, fake = torch.randn(8, 4) + 1, generator(torch.randn(8, 3))
            critic_step.zero_grad()
            on_real, on_fake = critic(real), critic(fake.detach())
            (loss(on_real, torch.ones(8, 1)) + loss(on_fake, torch.zeros(8, 1))).backward()
            if not early:
                critic_step.step()
            generator_step.zero_grad()
            scores = critic(fake if same_fakes else generator(torch.randn(8, 3)))
            loss(scores, torch.ones(8, 1)).backward(inputs=list(generator.parameters()))
            if early:
                critic_step.step()
            gaps.append(float((critic.layer(real).mean() - critic.layer(fake).mean()).detach()))
            generator_step.step()
        return critic.calls, watch.record, gaps


@pytest.mark.parametrize(
    ("same_fakes", "early", "measurements"), [(True, False, 1), (False, False, 2), (True, True, 2)]
)
def test_known_scores_are_not_computed_again(
    same_fakes: bool, early: bool, measurements: int
) -> None:
    """If the generator step uses the fakes of D's step, the loop itself computes their new scores.

    If D scored these fakes before its step, or the generator step uses other fakes, gandiag scores
    again the batches that were scored before D's step.
    """
    calls, record, gaps = train(same_fakes, early)
    assert calls["training"] == 3 * STEPS
    assert calls["measuring"] == measurements * STEPS
    assert record["confidence_after/gap/discriminator"].values == pytest.approx(gaps, rel=1e-5)
