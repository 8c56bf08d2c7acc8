"""Tests of the newest generated samples and of their incremental statistics."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from gandiag.datasets.data import Data
from gandiag.monitoring.recent_fakes import RecentFakes
from gandiag.monitoring.reference import Reference
from gandiag.monitoring.sample_metrics import compute_feature_metrics, compute_sample_metrics

SIZES = st.lists(st.integers(1, 700), min_size=1, max_size=12)


def draw_batches(sizes: list[int]) -> list[Tensor]:
    """Batches of different points near the ring and off it."""
    draw = torch.Generator().manual_seed(sum(sizes))
    return [2 * torch.randn(size, 2, generator=draw) for size in sizes]


@given(SIZES)
def test_newest_are_whole_batches(sizes: list[int]) -> None:
    """The newest samples are the last ones, in as few whole batches as contain them."""
    recent, generated = RecentFakes(), draw_batches(sizes)
    for batch in generated:
        recent.add(batch, 512)
    everything = torch.cat(generated)
    for count in (1, 100, 512):
        newest = recent.select_newest(count)
        assert torch.equal(newest, everything[len(everything) - len(newest) :])
        assert len(newest) >= min(count, len(everything))
    assert recent.count == len(recent.select_newest(512)) <= 512 - 1 + max(sizes)
    assert recent.batch_count <= len(sizes)


@given(SIZES, st.integers(1, 5))
def test_incremental_statistics_are_exact(
    ring_reference: Reference, sizes: list[int], every: int
) -> None:
    """Statistics that are updated batch by batch equal those of all newest samples at once."""
    recent, generated = RecentFakes(), draw_batches(sizes)
    for step, batch in enumerate(generated):
        recent.add(batch, ring_reference.sample_size)
        if step % every:
            continue
        stats = recent.update_stats(ring_reference, ())
        newest = torch.cat(generated[: step + 1])[-ring_reference.sample_size :]
        assert (stats is None) == (len(newest) < ring_reference.sample_size)
        if stats is not None:
            found = compute_sample_metrics(ring_reference, stats)
            expected = compute_feature_metrics(ring_reference, ring_reference.embed(newest))
            torch.testing.assert_close(found, expected, equal_nan=True, rtol=1e-4, atol=1e-6)
            torch.testing.assert_close(stats.max_abs, newest.abs().amax(1))


def test_dropped_samples_cover_nothing(ring: Data, ring_reference: Reference) -> None:
    """A real sample is no longer covered once the only sample near it has been dropped."""
    recent, far = RecentFakes(), torch.full((128, 2), 1e3)
    coverages = []
    for batch in (*torch.split(ring.train[:512], 128), *[far] * 4):
        recent.add(batch, 512)
        stats = recent.update_stats(ring_reference, ())
        if stats is not None:
            coverages.append(float(compute_sample_metrics(ring_reference, stats)["coverage"]))
    assert coverages == sorted(coverages, reverse=True)
    assert coverages[0] > 0.5
    assert coverages[-1] == 0


def test_samples_of_other_processes_are_included(ring: Data, ring_reference: Reference) -> None:
    """Samples of other processes are compared together with those of this process."""
    recent = RecentFakes()
    recent.add(ring.train[:300], 512)
    assert recent.update_stats(ring_reference, ()) is None
    stats = recent.update_stats(ring_reference, [ring.train[300:600]])
    assert stats is not None
    assert len(stats.features) == 512
    assert stats.features[-1].tolist() == pytest.approx(
        ring_reference.embed(ring.train[599:600])[0].tolist()
    )
