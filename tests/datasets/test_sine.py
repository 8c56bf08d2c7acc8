"""Laws of the points along a sine curve, and of one Gaussian and a ring far off."""

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
def test_points_lie_along_curve(periods: int) -> None:
    """Whole periods are filled evenly by x, and y is off sin x by noise of the asked sd."""
    plugin = Sine(periods, sd=0.05)
    points, end = plugin.load().train, periods * math.pi
    assert points.shape == (10_000, 2)
    assert points[:, 0].abs().max() <= end
    assert float(points[:, 0].std()) == pytest.approx(end / math.sqrt(3), rel=0.02)
    off = plugin.off(points)
    assert abs(float(off.mean())) < 5 * 0.05 / 100
    assert float(off.std()) == pytest.approx(0.05, rel=0.05)


def test_length_is_known() -> None:
    """The ends are at 0 and 1, the middle at 1/2; a quarter of a period is as long as the next.

    Over one period the length is 7.640395578, an elliptic integral: from 0 to pi / 2 it is a
    quarter of that, whichever way the curve bends.
    """
    points = torch.tensor([[x, 0.0] for x in (-9.0, -math.pi, -math.pi / 2, 0.0, math.pi / 2, 9.0)])
    expected = torch.tensor([0.0, 0.0, 0.25, 0.5, 0.75, 1.0])
    torch.testing.assert_close(Sine().along(points), expected, atol=1e-5, rtol=0)
    eighth = torch.tensor([[math.pi / 4, 0.0]])
    length = 1.0580955  # of sin x from 0 to pi / 4, by Simpson's rule with 10^5 pieces
    share = 0.5 + length / 7.640395578
    assert float(Sine().along(eighth)) == pytest.approx(share, abs=1e-5)


def test_gaussian_is_as_asked() -> None:
    """Mean and covariance are the asked ones, in any number of dimensions."""
    plugin = Gaussian(dimensions=3, mean=2.0, sd=0.5, samples=50_000)
    points = plugin.load().train
    assert plugin.centres().tolist() == [[2.0, 2.0, 2.0]]
    torch.testing.assert_close(points.mean(0), plugin.centres()[0], atol=0.012, rtol=0)
    torch.testing.assert_close(torch.cov(points.T), 0.25 * torch.eye(3), atol=0.01, rtol=0)


def test_middle_moves_the_ring() -> None:
    """A ring elsewhere is the same ring, moved: centres and points."""
    there, here = Ring(middle=(8.0, -1.0)), Ring()
    moved = here.centres() + torch.tensor([8.0, -1.0])
    torch.testing.assert_close(there.centres(), moved)
    torch.testing.assert_close(
        there.load().train, here.load().train + torch.tensor([8.0, -1.0]), atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize("name", ["sine", "gaussian"])
def test_streams_are_their_own(name: str) -> None:
    """The same seed gives the same points, another seed others, and held-out points are apart."""
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
    ("name", "options", "told"),
    [
        ("sine", {"periods": 0}, "periods is at least 1"),
        ("sine", {"sd": -1.0}, "sd is finite and not negative"),
        ("sine", {"seed": -1}, "seed is not negative"),
        ("sine", {"held_out": 0}, "samples and held_out are at least 1"),
        ("gaussian", {"dimensions": 0}, "dimensions is at least 1"),
        ("gaussian", {"sd": -1.0}, "sd is finite and not negative"),
        ("gaussian", {"seed": -1}, "seed is not negative"),
        ("ring", {"middle": [0.0]}, "middle"),
    ],
)
def test_bad_options_are_refused(name: str, options: dict[str, Any], told: str) -> None:
    """Options that describe no such data are refused when the plugin is made."""
    with pytest.raises(BadInput, match=told):
        plugins.build("datasets", name, options, "x.yaml: data")
