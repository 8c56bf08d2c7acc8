"""Laws of the update probe."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from gandiag.monitoring.probes.update import Update
from gandiag.monitoring.snapshot import Snapshot

MakeSnapshot = Callable[..., Snapshot]


def test_closed_form(make_snapshot: MakeSnapshot) -> None:
    """Distance over norm over steps: (3, 4) to (3, 5) in 10 steps is 1 / 5 / 10."""
    before, now = torch.tensor([3.0, 4.0]), torch.tensor([3.0, 5.0])
    seen = Update().observe(make_snapshot(weights=now, weights_before=before, weights_steps=10))
    assert float(seen["relative/generator"]) == pytest.approx(0.02)


def test_first_look_says_nothing(make_snapshot: MakeSnapshot) -> None:
    """Without an earlier look there is no motion to tell."""
    assert Update().observe(make_snapshot(weights=torch.ones(3))) == {}


@pytest.mark.parametrize("factor", [1e-3, 1.0, 1e3])
def test_units_do_not_matter(
    make_snapshot: MakeSnapshot, factor: float, normal: Callable[..., Tensor]
) -> None:
    """Weights in other units move by the same share."""
    before, now = normal((50,)), normal((50,), seed=1)
    one, other = (
        Update().observe(make_snapshot(weights=now * f, weights_before=before * f, weights_steps=5))
        for f in (1.0, factor)
    )
    assert float(other["relative/generator"]) == pytest.approx(float(one["relative/generator"]))
