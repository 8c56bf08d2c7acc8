"""Tests of the diversity probe; those of its metrics are in test_reference.py."""

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


def test_no_signal_without_statistics(
    make_snapshot: MakeSnapshot, ring: Data, ring_reference: Reference
) -> None:
    """Without generated samples, or without real ones, there is no signal."""
    assert Diversity().observe(make_snapshot()) == {}
    stats = ring_reference.compute_fake_stats(ring.train[:512])
    assert Diversity().observe(make_snapshot(fake_stats=stats, reference=None)) == {}


def test_max_abs_is_relative(make_snapshot: MakeSnapshot, ring_reference: Reference) -> None:
    """The largest absolute value is relative to that of the data; a NaN sample makes it NaN."""
    fakes = torch.zeros(512, 2)
    for sign in (1, -1):
        fakes[3, 1] = sign * 2 * ring_reference.max_abs
        found = Diversity().observe(
            make_snapshot(fake_stats=ring_reference.compute_fake_stats(fakes))
        )
        assert float(found["max_abs/generator"]) == pytest.approx(2)
    fakes[4, 0] = torch.nan
    found = Diversity().observe(make_snapshot(fake_stats=ring_reference.compute_fake_stats(fakes)))
    assert torch.as_tensor(found["max_abs/generator"]).isnan()


def test_mode_histogram_sums_to_one(
    make_snapshot: MakeSnapshot, ring: Data, ring_reference: Reference
) -> None:
    """The mode histogram is one vector of shares that sum to 1."""
    stats = ring_reference.compute_fake_stats(ring.train[:512])
    histogram = Diversity().observe(make_snapshot(fake_stats=stats))["mode_histogram/generator"]
    assert isinstance(histogram, Tensor)
    assert histogram.ndim == 1
    assert float(histogram.sum()) == pytest.approx(1)
    assert histogram.min() >= 0
