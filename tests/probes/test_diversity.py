"""Laws of the diversity probe; those of its numbers stand in test_reference."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from gandiag.gan import Data
from gandiag.likeness import measure
from gandiag.probes.diversity import Diversity, against_null
from gandiag.reference import Reference
from gandiag.snapshot import Snapshot

Turn = Callable[..., Snapshot]


def test_too_few_fakes_are_no_signal(turn: Turn, ring: Data) -> None:
    """Below the size at which the nulls hold, nothing is claimed."""
    assert Diversity().observe(turn(recent=ring.train[:511])) == {}
    assert Diversity().observe(turn()) == {}
    assert Diversity().observe(turn(recent=ring.train[:512], reference=None)) == {}


def test_newest_fakes_count(turn: Turn, ring: Data, ring_reference: Reference) -> None:
    """Of more fakes than needed, the newest are measured."""
    old, new = torch.full((100, 2), torch.nan), ring.train[:512]
    seen = Diversity().observe(turn(recent=torch.cat([old, new])))
    expected = against_null(ring_reference, measure(ring_reference, ring_reference.embed(new)))
    for name, value in expected.items():
        torch.testing.assert_close(seen[f"{name}/generator"], value)


def test_extent_is_relative(turn: Turn, ring_reference: Reference) -> None:
    """The extent of the fakes is 1 where they reach as far as the data, and NaN is not hidden."""
    fakes = torch.zeros(512, 2)
    fakes[3, 1] = -2 * ring_reference.extent
    assert float(Diversity().observe(turn(recent=fakes))["extent/generator"]) == pytest.approx(2)
    fakes[4, 0] = torch.nan
    assert torch.as_tensor(Diversity().observe(turn(recent=fakes))["extent/generator"]).isnan()


def test_bins_are_a_histogram(turn: Turn, ring: Data) -> None:
    """The bins are one vector of shares that add up to 1."""
    bins = Diversity().observe(turn(recent=ring.train[:512]))["bins/generator"]
    assert isinstance(bins, Tensor)
    assert bins.ndim == 1
    assert float(bins.sum()) == pytest.approx(1)
    assert bins.min() >= 0
