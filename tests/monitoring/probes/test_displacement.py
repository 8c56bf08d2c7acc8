"""Tests of the displacement probe: movement of samples at fixed latents."""

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


@pytest.mark.parametrize("steps", [100, 150, 400])
def test_displacement_is_a_rate(
    make_snapshot: MakeSnapshot, ring_reference: Reference, normal: Normal, steps: int
) -> None:
    """Samples that move by 5 in n steps have a displacement of 5 / mean distance * 100 / n."""
    before = normal((64, 2))
    fixed = before + torch.tensor([3.0, 4.0])
    found = Displacement().observe(
        make_snapshot(fixed=fixed, fixed_before=before, fixed_steps=steps)
    )
    expected = 5 / ring_reference.pair_distance * 100 / steps
    assert float(found["distance/generator"]) == pytest.approx(expected, rel=1e-5)


def test_unchanged_generator_has_no_displacement(
    make_snapshot: MakeSnapshot, normal: Normal
) -> None:
    """A generator that does not change has a displacement of exactly 0."""
    fixed = normal((64, 2))
    found = Displacement().observe(
        make_snapshot(fixed=fixed, fixed_before=fixed.clone(), fixed_steps=100)
    )
    assert float(found["distance/generator"]) == 0


def test_no_displacement_without_earlier_output(
    make_snapshot: MakeSnapshot, normal: Normal
) -> None:
    """Without an earlier output only the spread is recorded; without samples nothing is."""
    assert set(Displacement().observe(make_snapshot(fixed=normal((64, 2))))) == {
        "latent_spread/generator"
    }
    assert Displacement().observe(make_snapshot()) == {}
    assert Displacement().observe(make_snapshot(fixed=normal((64, 2)), reference=None)) == {}


def test_spread_is_pair_distance(make_snapshot: MakeSnapshot, ring_reference: Reference) -> None:
    """The spread is the pair distance over that of real samples; 0 for equal samples, or one."""
    apart = torch.tensor([[0.0, 0.0], [0.0, 3.0]])
    for fixed, expected in ((apart, 3.0), (torch.ones(64, 2), 0.0), (torch.ones(1, 2), 0.0)):
        found = Displacement().observe(make_snapshot(fixed=fixed))
        assert float(found["latent_spread/generator"]) == pytest.approx(
            expected / ring_reference.pair_distance
        )


def test_images_count_as_vectors(make_snapshot: MakeSnapshot) -> None:
    """The displacement of an image is the Euclidean distance over all its pixels."""
    before, fixed = torch.zeros(3, 1, 4, 4), torch.ones(3, 1, 4, 4)
    points = {"fixed": fixed.flatten(1), "fixed_before": before.flatten(1), "fixed_steps": 100}
    images = {"fixed": fixed, "fixed_before": before, "fixed_steps": 100}
    assert Displacement().observe(make_snapshot(**images)) == Displacement().observe(
        make_snapshot(**points)
    )
