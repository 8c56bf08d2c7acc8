"""Laws of the loss probe."""

from __future__ import annotations

from collections.abc import Callable

import torch

from gandiag.monitoring.probes.loss import Loss
from gandiag.monitoring.snapshot import Snapshot

MakeSnapshot = Callable[..., Snapshot]


def test_loss_is_passed_on(make_snapshot: MakeSnapshot) -> None:
    """The loss is recorded as it is, under the player whose turn it is, NaN included."""
    for player in ("generator", "discriminator"):
        for loss in (torch.tensor(0.7), torch.tensor(torch.nan)):
            seen = Loss().observe(make_snapshot(network_name=player, loss=loss))
            assert list(seen) == [f"value/{player}"]
            torch.testing.assert_close(seen[f"value/{player}"], loss, equal_nan=True)


def test_unknown_loss_is_no_signal(make_snapshot: MakeSnapshot) -> None:
    """A loop that does not tell its loss gives no signal."""
    assert Loss().observe(make_snapshot()) == {}
