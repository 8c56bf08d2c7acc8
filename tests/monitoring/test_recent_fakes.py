"""Laws of the newest fakes: which they are, and that what is known of them is not asked again."""

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


def batches(sizes: list[int]) -> list[Tensor]:
    """Batches of points near the ring and off it, no two alike."""
    draw = torch.Generator().manual_seed(sum(sizes))
    return [2 * torch.randn(size, 2, generator=draw) for size in sizes]


@given(SIZES)
def test_newest_are_whole_batches(sizes: list[int]) -> None:
    """The newest fakes are the end of all that were made, in as few batches as hold them."""
    recent, made = RecentFakes(), batches(sizes)
    for batch in made:
        recent.add(batch, 512)
    everything = torch.cat(made)
    for count in (1, 100, 512):
        newest = recent.select_newest(count)
        assert torch.equal(newest, everything[len(everything) - len(newest) :])
        assert len(newest) >= min(count, len(everything))
    assert recent.count == len(recent.select_newest(512)) <= 512 - 1 + max(sizes)
    assert recent.batch_count <= len(sizes)


@given(SIZES, st.integers(1, 5))
def test_known_fakes_are_placed_once(
    ring_reference: Reference, sizes: list[int], every: int
) -> None:
    """However few are new at a look, the numbers are those of all the newest, placed together."""
    recent, made = RecentFakes(), batches(sizes)
    for turn, batch in enumerate(made):
        recent.add(batch, ring_reference.sample_size)
        if turn % every:
            continue
        placed = recent.update_stats(ring_reference, ())
        newest = torch.cat(made[: turn + 1])[-ring_reference.sample_size :]
        assert (placed is None) == (len(newest) < ring_reference.sample_size)
        if placed is not None:
            found = compute_sample_metrics(ring_reference, placed)
            expected = compute_feature_metrics(ring_reference, ring_reference.embed(newest))
            torch.testing.assert_close(found, expected, equal_nan=True, rtol=1e-4, atol=1e-6)
            torch.testing.assert_close(placed.max_abs, newest.abs().amax(1))


def test_fakes_that_left_cover_nothing(ring: Data, ring_reference: Reference) -> None:
    """A real sample that only an old fake lay near is not covered, once that is one of the old."""
    recent, far = RecentFakes(), torch.full((128, 2), 1e3)
    coverages = []
    for batch in (*torch.split(ring.train[:512], 128), *[far] * 4):
        recent.add(batch, 512)
        placed = recent.update_stats(ring_reference, ())
        if placed is not None:
            coverages.append(float(compute_sample_metrics(ring_reference, placed)["coverage"]))
    assert coverages == sorted(coverages, reverse=True)
    assert coverages[0] > 0.5
    assert coverages[-1] == 0


def test_others_fakes_stand_beside_ones_own(ring: Data, ring_reference: Reference) -> None:
    """Fakes of other processes are compared together with this one's, as many as are asked for."""
    recent = RecentFakes()
    recent.add(ring.train[:300], 512)
    assert recent.update_stats(ring_reference, ()) is None
    placed = recent.update_stats(ring_reference, [ring.train[300:600]])
    assert placed is not None
    assert len(placed.features) == 512
    assert placed.features[-1].tolist() == pytest.approx(
        ring_reference.embed(ring.train[599:600])[0].tolist()
    )
