"""Tests of the update probe."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from gandiag.monitoring.probes.update import Update
from gandiag.monitoring.snapshot import Snapshot

MakeSnapshot = Callable[..., Snapshot]


def test_update_is_known(make_snapshot: MakeSnapshot) -> None:
    """From (3, 4) to (3, 5) in 10 steps: distance 1, divided by the norm 5 and by 10 steps."""
    before, now = torch.tensor([3.0, 4.0]), torch.tensor([3.0, 5.0])
    found = Update().observe(make_snapshot(weights=now, weights_before=before, weights_steps=10))
    assert float(found["relative/generator"]) == pytest.approx(0.02)


def test_no_signal_at_the_first_evaluation(make_snapshot: MakeSnapshot) -> None:
    """Without earlier weights there is no signal."""
    assert Update().observe(make_snapshot(weights=torch.ones(3))) == {}


@pytest.mark.parametrize("factor", [1e-3, 1.0, 1e3])
def test_update_is_relative(
    make_snapshot: MakeSnapshot, factor: float, normal: Callable[..., Tensor]
) -> None:
    """Weights multiplied by a factor have the same relative update."""
    before, now = normal((50,)), normal((50,), seed=1)
    one, other = (
        Update().observe(make_snapshot(weights=now * f, weights_before=before * f, weights_steps=5))
        for f in (1.0, factor)
    )
    assert float(other["relative/generator"]) == pytest.approx(float(one["relative/generator"]))
