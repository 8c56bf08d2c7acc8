"""Laws of what a watch does not do because it need not."""

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
    """A linear discriminator that counts its calls by whether anybody wants gradients."""

    def __init__(self) -> None:
        """Make the layer."""
        super().__init__()
        self.layer = nn.Linear(4, 1)
        self.calls: Counter[str] = Counter()

    def forward(self, samples: Tensor) -> Tensor:
        """``(B, 4)`` to ``(B, 1)``."""
        self.calls["training" if torch.is_grad_enabled() else "looking"] += 1
        scores: Tensor = self.layer(samples)
        return scores


def play(same_fakes: bool, early: bool = False) -> tuple[Counter[str], Any, list[float]]:
    """Play a few steps; also return the gap after each of D's steps, measured by hand.

    `same_fakes`: the generator is judged by the fakes that D learns from; `early`: both players
    compute their gradients before either steps.
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
            judged = critic(fake if same_fakes else generator(torch.randn(8, 3)))
            loss(judged, torch.ones(8, 1)).backward(inputs=list(generator.parameters()))
            if early:
                critic_step.step()
            gaps.append(float((critic.layer(real).mean() - critic.layer(fake).mean()).detach()))
            generator_step.step()
        return critic.calls, watch.record, gaps


@pytest.mark.parametrize(
    ("same_fakes", "early", "looks"), [(True, False, 1), (False, False, 2), (True, True, 3)]
)
def test_nothing_is_asked_twice(same_fakes: bool, early: bool, looks: int) -> None:
    """Where G is judged by the fakes that D learned from, D's answer after its step is known.

    Where D answered before its step, or was asked about other fakes, it is asked again about all
    that was said to it before its step.
    """
    calls, record, gaps = play(same_fakes, early)
    assert calls["training"] == 3 * STEPS
    assert calls["looking"] == looks * STEPS
    assert record["confidence_after/gap/discriminator"].values == pytest.approx(gaps, rel=1e-5)
