"""The datasets `sine` and `gaussian`, and the ring at another place."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from gandiag.datasets.gaussian import Gaussian
from gandiag.datasets.ring import Ring
from gandiag.datasets.sine import Sine
from gandiag.plugins import registry as plugins
from gandiag.plugins.errors import BadInput


@pytest.mark.parametrize("periods", [1, 3])
def test_points_lie_on_the_curve(periods: int) -> None:
    """The x are uniform over whole periods, and y is sin x plus noise with this sd."""
    plugin = Sine(periods, sd=0.05)
    points, end = plugin.load().train, periods * math.pi
    assert points.shape == (10_000, 2)
    assert points[:, 0].abs().max() <= end
    assert float(points[:, 0].std()) == pytest.approx(end / math.sqrt(3), rel=0.02)
    noise = points[:, 1] - points[:, 0].sin()
    assert abs(float(noise.mean())) < 5 * 0.05 / 100  # 5 standard errors of 10,000 points
    assert float(noise.std()) == pytest.approx(0.05, rel=0.05)


def test_gaussian_has_its_mean_and_covariance() -> None:
    """The points of `gaussian` have the mean and the covariance of its options, here in 3-d."""
    plugin = Gaussian(dimensions=3, mean=2.0, sd=0.5, samples=50_000)
    points = plugin.load().train
    assert plugin.centres().tolist() == [[2.0, 2.0, 2.0]]
    torch.testing.assert_close(points.mean(0), plugin.centres()[0], atol=0.012, rtol=0)
    torch.testing.assert_close(torch.cov(points.T), 0.25 * torch.eye(3), atol=0.01, rtol=0)


def test_middle_moves_the_ring() -> None:
    """The option `middle` shifts the centres and the points of a ring, and changes nothing else."""
    there, here = Ring(middle=(8.0, -1.0)), Ring()
    moved = here.centres() + torch.tensor([8.0, -1.0])
    torch.testing.assert_close(there.centres(), moved)
    torch.testing.assert_close(
        there.load().train, here.load().train + torch.tensor([8.0, -1.0]), atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize("name", ["sine", "gaussian"])
def test_seed_fixes_points(name: str) -> None:
    """A seed fixes the points. Held-out points are others, from a stream of their own."""
    before = torch.get_rng_state()
    first, again, other, fewer = (
        plugins.build("datasets", name, options).load()
        for options in ({}, {}, {"seed": 1}, {"samples": 10})
    )
    assert torch.equal(first.train, again.train)
    assert not torch.equal(first.train, other.train)
    assert torch.equal(first.held_out, fewer.held_out)
    train, held_out = ({tuple(p) for p in part.tolist()} for part in first[:2])
    assert not train & held_out
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("sine", {"periods": 0}, "periods must be at least 1"),
        ("sine", {"sd": -1.0}, "sd must be finite and not negative"),
        ("sine", {"seed": -1}, "seed must not be negative"),
        ("sine", {"held_out": 0}, "samples and held_out must be at least 1"),
        ("gaussian", {"dimensions": 0}, "dimensions must be at least 1"),
        ("gaussian", {"sd": -1.0}, "sd must be finite and not negative"),
        ("gaussian", {"seed": -1}, "seed must not be negative"),
        ("ring", {"middle": [0.0]}, "middle"),
    ],
)
def test_bad_options_are_refused(name: str, options: dict[str, Any], message: str) -> None:
    """An option out of range is rejected when the plugin is built, with a message that names it."""
    with pytest.raises(BadInput, match=message):
        plugins.build("datasets", name, options, "x.yaml: data")
