from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import softplus
from torch.optim import Adam

import gandiag
from gandiag.diagnosis.diagnosis import Diagnosis


def train(
    momentum: float = 0.1, copies_buffers: bool = True, has_average: bool = False
) -> Diagnosis:
    """Train on two distant Gaussians; return the diagnosis of how samples are drawn.

    Args:
        momentum: of the generator's batch normalisation.
        copies_buffers: whether the average of the generator has its buffers.
        has_average: whether the average is passed to `gandiag.attach`.
    """
    torch.manual_seed(0)
    g = nn.Sequential(
        *(nn.Linear(4, 32), nn.BatchNorm1d(32, momentum=momentum), nn.ReLU(), nn.Linear(32, 2))
    )
    with torch.no_grad():
        g[0].bias += 5.0  # so that the running mean, which begins at 0, matters
    d = nn.Sequential(nn.Linear(2, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))
    g_step, d_step = Adam(g.parameters(), 1e-3, (0.5, 0.9)), Adam(d.parameters(), 1e-3, (0.5, 0.9))
    average = copy.deepcopy(g)
    real = 0.3 * torch.randn(2000, 2) + 2 * torch.randint(2, (2000, 1))
    with gandiag.attach(
        g,
        d,
        g_step,
        d_step,
        scores="logits",
        real=real,
        averaged=average if has_average else None,
        probes={"sampling": {"every": 50}},
    ) as watch:
        for _ in range(500):
            fake = g(torch.randn(64, 4))
            d_step.zero_grad()
            batch = real[torch.randint(2000, (64,))]
            (softplus(-d(batch)).mean() + softplus(d(fake.detach())).mean()).backward()
            d_step.step()
            g_step.zero_grad()
            softplus(-d(fake)).mean().backward()
            g_step.step()
            with torch.no_grad():
                for kept, weight in zip(average.parameters(), g.parameters(), strict=True):
                    kept.lerp_(weight, 0.05)
                for kept, buffer in zip(average.buffers(), g.buffers(), strict=True):
                    if copies_buffers:
                        kept.copy_(buffer)
        modes = [module.training for module in (*g.modules(), *average.modules())]
        assert all(modes)
        return next(d for d in watch.diagnose() if d.condition == "unlike_sampling")


@pytest.mark.parametrize("has_average", [False, True])
def test_good_sampling_is_not_reported(has_average: bool) -> None:
    """Usual running statistics, and an average with its buffers, draw the samples of training."""
    found = train(has_average=has_average)
    assert found.status == "absent"
    assert len(found.evidence) == 1 + has_average


def test_running_statistics_that_lag_are_reported() -> None:
    """With running statistics that hardly move, samples in evaluation mode are wrong."""
    found = train(momentum=1e-4)
    assert (found.status, found.kind) == ("present", "evaluation_mode")


def test_average_without_buffers_is_reported() -> None:
    """An average of the weights without the buffers makes wrong samples."""
    found = train(copies_buffers=False, has_average=True)
    assert (found.status, found.kind) == ("present", "averaged")
