"""Laws of the motion probe: displacement at fixed latents, in units of the data."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from gandiag.monitoring.probes.displacement import Displacement
from gandiag.monitoring.reference import Reference
from gandiag.monitoring.snapshot import Snapshot

MakeSnapshot = Callable[..., Snapshot]
Normal = Callable[..., Tensor]


@pytest.mark.parametrize("lag", [100, 150, 400])
def test_motion_is_a_rate(
    make_snapshot: MakeSnapshot, ring_reference: Reference, normal: Normal, lag: int
) -> None:
    """Samples that all moved by 5 units in a lag move at 5 / scale * 100 / lag."""
    before = normal((64, 2))
    fixed = before + torch.tensor([3.0, 4.0])
    seen = Displacement().observe(make_snapshot(fixed=fixed, fixed_before=before, fixed_steps=lag))
    expected = 5 / ring_reference.pair_distance * 100 / lag
    assert float(seen["distance/generator"]) == pytest.approx(expected, rel=1e-5)


def test_frozen_generator_does_not_move(make_snapshot: MakeSnapshot, normal: Normal) -> None:
    """A generator that stands still has a motion of exactly 0."""
    fixed = normal((64, 2))
    seen = Displacement().observe(
        make_snapshot(fixed=fixed, fixed_before=fixed.clone(), fixed_steps=100)
    )
    assert float(seen["distance/generator"]) == 0


def test_no_motion_without_past(make_snapshot: MakeSnapshot, normal: Normal) -> None:
    """Before there is a look 100 steps back, only the spread is known; without samples, nothing."""
    assert set(Displacement().observe(make_snapshot(fixed=normal((64, 2))))) == {
        "latent_spread/generator"
    }
    assert Displacement().observe(make_snapshot()) == {}
    assert Displacement().observe(make_snapshot(fixed=normal((64, 2)), reference=None)) == {}


def test_spread_is_pair_distance(make_snapshot: MakeSnapshot, ring_reference: Reference) -> None:
    """Two points 3 apart spread 3 / scale; equal samples, and a single one, not at all."""
    apart = torch.tensor([[0.0, 0.0], [0.0, 3.0]])
    for fixed, expected in ((apart, 3.0), (torch.ones(64, 2), 0.0), (torch.ones(1, 2), 0.0)):
        seen = Displacement().observe(make_snapshot(fixed=fixed))
        assert float(seen["latent_spread/generator"]) == pytest.approx(
            expected / ring_reference.pair_distance
        )


def test_images_count_as_vectors(make_snapshot: MakeSnapshot) -> None:
    """An image moves by the Euclidean distance over all its pixels."""
    before, fixed = torch.zeros(3, 1, 4, 4), torch.ones(3, 1, 4, 4)
    points = {"fixed": fixed.flatten(1), "fixed_before": before.flatten(1), "fixed_steps": 100}
    images = {"fixed": fixed, "fixed_before": before, "fixed_steps": 100}
    assert Displacement().observe(make_snapshot(**images)) == Displacement().observe(
        make_snapshot(**points)
    )
