"""Laws of the diversity probe; those of its numbers stand in test_reference."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from gandiag.datasets.data import Data
from gandiag.monitoring.probes.diversity import Diversity
from gandiag.monitoring.reference import Reference
from gandiag.monitoring.snapshot import Snapshot

MakeSnapshot = Callable[..., Snapshot]


def test_unplaced_fakes_are_no_signal(
    make_snapshot: MakeSnapshot, ring: Data, ring_reference: Reference
) -> None:
    """Without fakes, or without knowing the data, nothing is claimed."""
    assert Diversity().observe(make_snapshot()) == {}
    placed = ring_reference.compute_fake_stats(ring.train[:512])
    assert Diversity().observe(make_snapshot(fake_stats=placed, reference=None)) == {}


def test_extent_is_relative(make_snapshot: MakeSnapshot, ring_reference: Reference) -> None:
    """The extent of the fakes is 1 where they reach as far as the data, and NaN is not hidden."""
    fakes = torch.zeros(512, 2)
    for sign in (1, -1):
        fakes[3, 1] = sign * 2 * ring_reference.max_abs
        seen = Diversity().observe(
            make_snapshot(fake_stats=ring_reference.compute_fake_stats(fakes))
        )
        assert float(seen["max_abs/generator"]) == pytest.approx(2)
    fakes[4, 0] = torch.nan
    seen = Diversity().observe(make_snapshot(fake_stats=ring_reference.compute_fake_stats(fakes)))
    assert torch.as_tensor(seen["max_abs/generator"]).isnan()


def test_bins_are_a_histogram(
    make_snapshot: MakeSnapshot, ring: Data, ring_reference: Reference
) -> None:
    """The bins are one vector of shares that add up to 1."""
    placed = ring_reference.compute_fake_stats(ring.train[:512])
    bins = Diversity().observe(make_snapshot(fake_stats=placed))["mode_histogram/generator"]
    assert isinstance(bins, Tensor)
    assert bins.ndim == 1
    assert float(bins.sum()) == pytest.approx(1)
    assert bins.min() >= 0
