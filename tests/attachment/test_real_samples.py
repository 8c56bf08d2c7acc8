from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from gandiag.attachment.real_samples import SAMPLES_NEEDED, build_reference
from gandiag.monitoring.sample_metrics import compute_sample_metrics
from gandiag.plugins.errors import BadInput

CPU = torch.device("cpu")


class Sorted(IterableDataset[Tensor]):
    """Points of 40 classes on a line, sorted by class."""

    def __iter__(self):  # noqa: ANN204  # the base class is untyped
        """Yield 8,000 points ``(1,)``."""
        yield from (torch.arange(8000) // 200).float()[:, None] + 0.01 * torch.rand(8000, 1)


def points(count: int, seed: int = 0) -> Tensor:
    """Points ``(count, 2)`` of a Gaussian."""
    return torch.randn(count, 2, generator=torch.Generator().manual_seed(seed))


def test_real_samples_have_any_form() -> None:
    """A tensor, an array, a dataset and a loader of the same samples give the same reference."""
    real = points(400)
    state = torch.get_rng_state()
    forms = (
        real,
        real.numpy(),
        TensorDataset(real),
        DataLoader(TensorDataset(real, torch.zeros(400)), 32, shuffle=True),
    )
    references = [build_reference(form, CPU) for form in forms]
    assert torch.equal(state, torch.get_rng_state())
    for reference in references[1:]:
        assert torch.equal(reference.features, references[0].features)
        assert reference.baseline_mean == references[0].baseline_mean


def test_stream_is_sampled_over_its_length() -> None:
    """Of a sorted stream, samples of every part are used, not only the first ones."""
    reference = build_reference(DataLoader(Sorted(), 100), CPU)
    assert SAMPLES_NEEDED < 8000
    values = (reference.features + reference.mean).flatten()
    assert len(values.floor().clamp(0, 39).unique()) == 40


@pytest.mark.parametrize("count", [32, 100, 599])
def test_few_real_samples_widen_the_baselines(count: int) -> None:
    """With few real samples the baseline is wider, and fresh real samples do not look wrong."""
    few, many = build_reference(points(count), CPU), build_reference(points(3000), CPU)
    assert few.baseline_sd["energy_distance"] > 2 * many.baseline_sd["energy_distance"]
    fresh = few.compute_fake_stats(points(512, seed=1))
    found = compute_sample_metrics(few, fresh)["energy_distance"]
    excess = float(found) - few.baseline_mean["energy_distance"]
    assert excess < 4 * few.baseline_sd["energy_distance"]


def test_what_is_no_sample_is_refused() -> None:
    """Too few samples, and objects that are no samples, are refused in words."""
    with pytest.raises(BadInput, match="31 samples; at least 32"):
        build_reference(points(31), CPU)
    with pytest.raises(BadInput, match="is no tensor, array, dataset or loader"):
        build_reference(3, CPU)  # type: ignore[arg-type]  # the mistake that is tested
