"""The forms of minibatch discrimination that ``gandiag bench layers`` measures."""

from __future__ import annotations

import torch

from gandiag.benchmarks.overhead.layers import FORMS, SIZES, build_layer_comparisons


def test_forms_compute_the_same_sums() -> None:
    """All forms return equal values, so their times can be compared."""
    rows = 0.3 * torch.randn(9, 4, 3, generator=torch.Generator().manual_seed(0))
    values = [form(rows) for form in FORMS.values()]
    for value in values[1:]:
        torch.testing.assert_close(value, values[0])


def test_each_size_is_compared() -> None:
    """Each size has one comparison, whose loops train on rows of that size."""
    comparisons = build_layer_comparisons(rounds=1)
    assert [tuple(comparison.build().shape) for comparison in comparisons] == list(SIZES)
