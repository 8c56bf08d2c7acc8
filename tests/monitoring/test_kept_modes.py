"""Tests of the modes kept in any view: lost kinds are seen, and no others."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from gandiag.benchmarks.static.data_sets import DEVELOPMENT
from gandiag.benchmarks.static.generators import draw_samples
from gandiag.monitoring.reference import Reference

Normal = Callable[..., Tensor]


def measure(reference: Reference, samples: Tensor) -> tuple[float, float]:
    """Modes kept and their p-value."""
    assert reference.views is not None
    fakes = reference.compute_fake_stats(samples)
    found = reference.views.measure(fakes.view_cells, fakes.on_data)
    return float(found["kept_modes"]), float(found["kept_modes_p"])


def draw(data: str, count: int, seed: int, share: float = 1.0) -> Tensor:
    """Samples of the first kinds of a data set, `share` of all its kinds."""
    source = DEVELOPMENT[data]()
    kept = np.arange(max(1, round(share * len(source.shares))))
    return draw_samples(source, kept, count, np.random.default_rng(seed), fresh=seed > 0)


@pytest.fixture(scope="module")
def references() -> dict[str, Reference]:
    """A reference of each of three data sets whose kinds the raw numbers hide."""
    found = {}
    for data in ("waveforms", "table", "clouds"):
        real = draw(data, 1800, 0)
        found[data] = Reference.from_samples(real[600:], real[:600], size=300)
    return found


@pytest.mark.parametrize("data", ["waveforms", "table", "clouds"])
def test_half_of_hidden_kinds_is_seen(references: dict[str, Reference], data: str) -> None:
    """Half of the kinds is 0.65 modes at most in some view, and chance does not explain it."""
    kept, p = measure(references[data], draw(data, 300, 1, share=0.5))
    assert kept < 0.65
    assert p == pytest.approx(0.01)


@pytest.mark.parametrize("data", ["waveforms", "table", "clouds"])
def test_fresh_real_samples_keep_all(references: dict[str, Reference], data: str) -> None:
    """Fresh real samples keep all modes."""
    kept = [measure(references[data], draw(data, 300, seed))[0] for seed in range(1, 5)]
    assert min(kept) > 0.88
    assert np.mean(kept) == pytest.approx(1, abs=0.06)


def test_p_value_is_valid() -> None:
    """Of fresh real samples, at most one in ten has a p-value of 0.1 or less.

    40 references of 80 points of a normal distribution; four standard errors.
    """
    stream = torch.Generator().manual_seed(0)
    found = []
    for _ in range(40):
        real = torch.randn(160, 3, generator=stream)
        reference = Reference.from_samples(real[80:], real[:80], size=40)
        found.append(measure(reference, torch.randn(40, 3, generator=stream))[1])
    assert np.mean(np.array(found) <= 0.1) <= 0.1 + 4 * (0.1 * 0.9 / 40) ** 0.5


def test_samples_off_the_data_count_in_the_modes_alone(references: dict[str, Reference]) -> None:
    """Noise has nearest cells too; views in which it is not on the data say nothing."""
    reference = references["waveforms"]
    assert reference.views is not None
    half = draw("waveforms", 300, 1, share=0.5)
    for samples, is_on_data in ((half, True), (half + 3 * torch.randn(half.shape), False)):
        fakes = reference.compute_fake_stats(samples)
        found = reference.views.measure(fakes.view_cells, fakes.on_data)["kept_modes"]
        nowhere = torch.zeros_like(fakes.on_data)
        modes_alone = reference.views.measure(fakes.view_cells, nowhere)["kept_modes"]
        assert bool(found < modes_alone) == is_on_data


def test_few_real_samples_have_modes_alone(normal: Normal) -> None:
    """With 20 real samples there are no cells to fit, and the modes still answer."""
    reference = Reference.from_samples(normal((20, 2)), normal((20, 2), seed=1), size=20)
    assert reference.views is not None
    assert reference.views.views == ()
    assert 0 < measure(reference, normal((20, 2), seed=2))[0] <= 1.5
